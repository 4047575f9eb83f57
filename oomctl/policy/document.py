"""The text of one policy file to rules; every mistake with its line and what was expected there.

tomllib does the parsing but does not say where things stand. A TOML document is a row of statements, each of
them a document of its own, so the lines of a statement are those that parse on their own.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from oomctl.errors import BadInput
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.policy.rule import Mistake, Place, Policy, Rule, RuleScope
from oomctl.targets import oldscale
from oomctl.targets.words import Target, TargetKind, parse_target

MOST_BYTES = 1 << 16
SCOPES = tuple(scope.value for scope in RuleScope)
KEYS = ("target", "adj", "scope", "reason", "force")
_MOST_BYTES_TRIED = 1 << 19
"""Of all statements, counted anew with each attempt to parse: what stands behind them has no line."""
_MAY_END = re.compile(r"""[]}]|\"{3}|'{3}""")
"""In the last line of a statement that has several: a list, a table or a long string ends there."""
_MOST_DOTS = 1000
"""In a line: the time that a key of so many parts takes grows with the square of their number."""
_DECODE_ERROR = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)


def parse(path: str, content: bytes) -> Policy:
    """Understand one file. Whatever it holds, the answer is a Policy: of rules, mistakes, or both."""
    if len(content) > MOST_BYTES:
        return _broken(path, None, f"expected at most {MOST_BYTES} bytes")
    try:
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _broken(path, line, f"expected UTF-8, got the byte 0x{content[error.start]:02x}")
    for line, content_of_line in enumerate(text.split("\n"), start=1):
        if content_of_line.count(".") > _MOST_DOTS:
            return _broken(path, line, f"expected at most {_MOST_DOTS} dots in a line")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position = _DECODE_ERROR.fullmatch(str(error))
        at_end = text.rstrip("\n").count("\n") + 1
        line = int(position[2] or at_end) if position else at_end
        return _broken(path, line, f"not TOML: {position[1] if position else error}")
    except (ValueError, RecursionError):  # a number of thousands of digits; brackets by the thousand
        return _broken(path, None, "expected numbers and lists of a sensible size")
    return _Reader(path, text, document).policy()


def _broken(path: str, line: int | None, message: str) -> Policy:
    return Policy(mistakes=(Mistake(Place(path, line), message),))


class _Statement(NamedTuple):
    line: int
    is_header: bool
    content: dict[str, Any]


def _statements(text: str) -> Iterator[_Statement]:
    """Yield each statement of a valid document with the line where it begins."""
    waiting: list[str] = []
    waiting_bytes = tried_bytes = 0
    for number, line in enumerate(text.split("\n"), start=1):
        waiting.append(line)
        waiting_bytes += len(line) + 1
        if len(waiting) > 1 and not _MAY_END.search(line):
            continue
        tried_bytes += waiting_bytes
        if tried_bytes > _MOST_BYTES_TRIED:
            return
        try:
            content = tomllib.loads("\n".join(waiting))
        except (ValueError, RecursionError):  # goes on in the next line
            continue
        if content:  # no comment or empty line
            yield _Statement(number - len(waiting) + 1, waiting[0].lstrip().startswith("["), content)
        waiting = []
        waiting_bytes = 0


class _Lines:
    """Where the rules of a valid document stand, and the keys of each."""

    def __init__(self, text: str) -> None:
        self.top: dict[str, int] = {}
        self.rules: list[int] = []
        self.keys: list[dict[str, int]] = []
        inside = self.top
        for line, is_header, content in _statements(text):
            for name, value in content.items():
                if name == "rule" and isinstance(value, list) and (is_header or inside is self.top):
                    # A header is one empty rule; `rule = [{…}, {…}]` is several in one statement.
                    self.rules += [line] * len(value)
                    self.keys += [dict.fromkeys(entry, line) if isinstance(entry, dict) else {} for entry in value]
                    inside = self.keys[-1] if is_header else inside
                elif is_header:  # of another table: what follows is inside that
                    above = self.keys[-1] if name == "rule" and self.keys else self.top
                    for key in value if above is not self.top else (name,):
                        above.setdefault(key, line)
                    inside = {}
                else:
                    inside.setdefault(name, line)

    def of_rule(self, index: int) -> int | None:
        return self.rules[index] if index < len(self.rules) else None

    def of_key(self, index: int, key: str) -> int | None:
        return self.keys[index].get(key, self.rules[index]) if index < len(self.keys) else None


class _Reader:
    """One pass over a parsed document: rules out of what is right, mistakes for what is not."""

    def __init__(self, path: str, text: str, document: Mapping[str, Any]) -> None:
        self._path = path
        self._lines = _Lines(text)
        self._document = document
        self._mistakes: list[Mistake] = []

    def policy(self) -> Policy:
        for key in self._document:
            if key not in ("rule", "precious"):
                self._mistake(self._lines.top.get(key), f"{_shown(key)}: expected [[rule]] tables, or precious = [...]")
        entries = self._document.get("rule", [])
        if not isinstance(entries, list):
            self._mistake(self._lines.top.get("rule"), "rule: expected [[rule]], with two brackets")
            entries = []
        rules = [rule for index, entry in enumerate(entries) if (rule := self._rule(index, entry)) is not None]
        precious = self._precious(self._document.get("precious", []))
        return Policy(
            tuple(rules), tuple(sorted(self._mistakes, key=lambda mistake: mistake.place.line or 0)), precious
        )

    def _mistake(self, line: int | None, message: str, severity: str = "error") -> None:
        self._mistakes.append(Mistake(Place(self._path, line), message, severity))

    def _rule(self, index: int, entry: object) -> Rule | None:
        if not isinstance(entry, dict):
            self._mistake(self._lines.of_rule(index), f"rule: expected a table, got {_shown(entry)}")
            return None
        known = len(self._mistakes)
        for key in entry.keys() - set(KEYS):
            self._mistake(self._lines.of_key(index, key), f"{_shown(key)}: no such key; expected {', '.join(KEYS)}")
        targets = self._targets(index, entry)
        adj = self._adj(index, entry)
        scope = entry.get("scope", RuleScope.ROOT.value)
        if scope not in SCOPES:
            self._wrong(index, "scope", f"one of {', '.join(SCOPES)}", scope)
        force = entry.get("force", False)
        if not isinstance(force, bool):
            self._wrong(index, "force", "true or false", force)
        reason = entry.get("reason")
        if reason is not None and not isinstance(reason, str):
            self._wrong(index, "reason", "a string", reason)
        if any(mistake.severity == "error" for mistake in self._mistakes[known:]):
            return None
        return Rule(Place(self._path, self._lines.of_rule(index)), targets, adj, RuleScope(scope), force, reason)

    def _wrong(self, index: int, key: str, expected: str, value: object) -> None:
        self._mistake(self._lines.of_key(index, key), f"{key}: expected {expected}, got {_shown(value)}")

    def _adj(self, index: int, entry: Mapping[str, object]) -> int:
        expected = f"a whole number from {ADJ_MIN} to {ADJ_MAX}"
        if "adj" not in entry:
            self._mistake(self._lines.of_rule(index), f"adj: missing; expected {expected}")
            return 0
        adj = entry["adj"]
        if isinstance(adj, bool) or not isinstance(adj, int) or not ADJ_MIN <= adj <= ADJ_MAX:
            self._wrong(index, "adj", expected, adj)
            return 0
        doubt = oldscale.doubt(adj)
        if doubt is not None:
            self._mistake(self._lines.of_key(index, "adj"), f"adj: {doubt}", "warning")
        return adj

    def _precious(self, words: object) -> tuple[Target, ...]:
        """Return what ``precious = ["postgres", ...]`` names."""
        line = self._lines.top.get("precious")
        if not isinstance(words, list):
            self._mistake(line, f"precious: expected a list of strings, got {_shown(words)}")
            return ()
        return tuple(
            target
            for word in words
            if (target := self._parsed(word, "precious", "a list of strings", line)) is not None
        )

    def _targets(self, index: int, entry: Mapping[str, object]) -> tuple[Target, ...]:
        if "target" not in entry:
            self._mistake(self._lines.of_rule(index), 'target: missing; expected one, such as "postgres"')
            return ()
        value = entry["target"]
        words = value if isinstance(value, list) else [value]
        if not words:
            self._wrong(index, "target", "a string or a list of strings", value)
        return tuple(target for word in words if (target := self._target(index, word)) is not None)

    def _target(self, index: int, word: object) -> Target | None:
        return self._parsed(word, "target", "a string or a list of strings", self._lines.of_key(index, "target"))

    def _parsed(self, word: object, key: str, expected: str, line: int | None) -> Target | None:
        """Return one target; None, with a mistake, where it is none that a file can name."""
        if not isinstance(word, str):
            self._mistake(line, f"{key}: expected {expected}, got {_shown(word)}")
            return None
        try:
            target = parse_target(word)
        except BadInput as error:
            self._mistake(line, str(error))
            return None
        if target.kind is TargetKind.PID:
            self._mistake(
                line, f"{key} {word}: a PID is another process tomorrow; expected a name, unit, cgroup, user or cmd"
            )
        return target


def _shown(value: object) -> str:
    """Return a value much as TOML has it, shortened."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # 0xfff… may have any number of digits
        return "something too large"
    return text if len(text) <= 60 else text[:57] + "..."
