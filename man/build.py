"""Write the manual pages anew: the prose of man/prose, with options, commands, keys and JSON fields from the program.

    python man/build.py

A line `.\\" generate WHAT` in the prose is replaced: `commands`, `options COMMAND`, `below GROUP`, `fields`, `keys`,
`json`, `checks`, `metrics`, `api`, or `script FILE`, of which the page shows the text.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from oomctl import api
from oomctl.audit.catalogue import CHECKS
from oomctl.audit.metrics import MEANINGS as MEANINGS_OF_METRICS
from oomctl.cli.main import COMMANDS, cli
from oomctl.render.fields import FIELDS, MEANINGS
from oomctl.tui.keys import KEYS, MOVING

MAN = Path(__file__).parent
SCHEMAS = MAN.parent / "oomctl" / "schemas"
PARTS = ("process.json", "pod.json", "memory.json", "limit.json")
"""What other documents hold; it stands above them."""


def pages() -> dict[Path, str]:
    """Return every page with what belongs into it."""
    built = {path.name: built_page(path.read_text()) for path in sorted((MAN / "prose").iterdir())}
    built["oomadm.8"] = built["oomctl.8"]  # a whole copy: .so depends on where and how pages are packed
    return {MAN / name: text for name, text in built.items()}


def built_page(prose: str) -> str:
    lines: list[str] = []
    for line in prose.splitlines():
        _, found, what = line.partition('.\\" generate ')
        lines += generated(what) if found else [line]
    return "\n".join(wrapped(lines)) + "\n"


def wrapped(lines: list[str]) -> Iterator[str]:
    """Fold long lines of text, but not what stands as it is."""
    literal = False
    for line in lines:
        literal = line.startswith(".Bd") or (literal and not line.startswith(".Ed"))
        yield from [line] if literal or line.startswith(".") else textwrap.wrap(line, 78, break_on_hyphens=False)


def generated(what: str) -> Iterator[str]:
    kind, _, name = what.partition(" ")
    if kind == "options":
        return options(command_of(name))
    if kind == "below":
        return below(name)
    if kind == "script":
        return script(MAN.parent / name)
    tables = {"commands": commands, "fields": columns, "keys": keys, "checks": checks, "metrics": metrics}
    return (tables | {"json": documents, "api": functions})[kind]()


def commands() -> Iterator[str]:
    """Every command: what it does, and its options where no page of its own has them."""
    for name in COMMANDS:
        command = command_of(name)
        page = page_of(name)
        yield from described(name, command)
        if page is not None:
            yield from [".Pp", "Its options:", f".Xr {page.stem} 8 ."]
        elif any(isinstance(param, click.Option) for param in command.params):
            yield from options(command)


def below(name: str) -> Iterator[str]:
    """Every command of a group with its options."""
    group = command_of(name)
    assert isinstance(group, click.Group)  # noqa: S101 - for mypy
    for part, command in group.commands.items():
        yield from described(part, command)
        yield from options(command)


def described(name: str, command: click.Command) -> Iterator[str]:
    """The name of a command with its arguments, and what it does."""
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    words = " ".join(f"Ar {quoted(metavar(one, command))}" for one in arguments)
    yield f".It Ic {name} Oo Ar option ... Oc {words}".rstrip()
    paragraphs = re.split(r"\n\s*\n", (command.help or "").partition("\b")[0].strip())
    lines = [line for paragraph in paragraphs for line in [".Pp", *sentences(paragraph)]]
    yield from lines[1:]


def metavar(param: click.Parameter, command: click.Command) -> str:
    """Return what stands for a value; click asks for the context since 8.2."""
    make: Callable[..., str] = param.make_metavar
    return make(click.Context(command)) if "ctx" in inspect.signature(make).parameters else make()


def page_of(name: str) -> Path | None:
    """Return the page in whose synopsis a command stands, if any."""
    synopsis = re.compile(rf"^\.Nm oomctl\n\.Ic {name}\n\.(Op|Ic)", re.MULTILINE)
    return next((path for path in sorted((MAN / "prose").iterdir()) if synopsis.search(path.read_text())), None)


def options(command: click.Command) -> Iterator[str]:
    """The options of a command with their help."""
    yield ".Bl -tag -width Ds"
    for option in (param for param in command.params if isinstance(param, click.Option) and not param.hidden):
        value = "" if option.is_flag else f" Ar {quoted(metavar(option, command))}"
        yield ".It " + " , ".join(f"Fl {flag[1:]}{value}" for flag in [*option.opts, *option.secondary_opts])
        yield from sentences(option.help or "")
    yield ".El"


def columns() -> Iterator[str]:
    """Every field of a list of processes, with its title and its other names."""
    for field in FIELDS:
        yield ".It " + " , ".join(f"Cm {name}" for name in (field.name, *field.aliases))
        yield from sentences(f"{field.title}: {MEANINGS[field.name]}.")


def keys() -> Iterator[str]:
    """Every key of the interactive view, as its own table has them."""
    for shown, meaning in MOVING:
        yield f".It {shown}"
        yield from sentences(f"{meaning}.")
    for key in KEYS:
        yield ".It " + " , ".join(f"Cm {key_name(name)}" for name in key.shown.split())
        yield from sentences(f"{key.meaning}.")


def checks() -> Iterator[str]:
    """Every check with what it finds and why that hurts, as --explain says it."""
    for check in CHECKS:
        yield f".It Cm {check.id}"
        yield from sentences(f"{check.meaning} {check.harm}")


def metrics() -> Iterator[str]:
    """Every metric with what it means, and the labels that it has beside the scope."""
    for name, meaning in MEANINGS_OF_METRICS.items():
        yield f".It Cm {name}"
        yield from sentences(meaning)


def functions() -> Iterator[str]:
    """Every function of the API in the order of the source: how it is called, and its docstring."""
    for function in sorted(map(api.__dict__.__getitem__, api.__all__), key=lambda one: one.__code__.co_firstlineno):
        yield f".Ss {function.__name__}"
        yield from [".Bd -literal -offset indent", *map(escaped, call_of(function)), ".Ed"]
        for paragraph in re.split(r"\n\n", inspect.getdoc(function) or ""):
            yield from [".Pp", *sentences(paragraph)]


def call_of(function: Callable[..., object]) -> Iterator[str]:
    """How a function is called, a parameter on each line, as the source has it and not as a Python spells types."""
    signature = inspect.signature(function)
    yield f"{function.__name__}("
    after_star = False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not after_star:
            after_star = True
            yield "    *,"
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        yield f"    {parameter.name}: {parameter.annotation}{default},"
    yield f") -> {signature.return_annotation}"


def key_name(name: str) -> str:
    """Return a key as mdoc prints it: a lone character may be punctuation to it."""
    escaped = name.replace("\\", "\\e").replace("-", "\\-")
    return escaped if name.isalnum() else f"\\&{escaped}"


def script(path: Path) -> Iterator[str]:
    """The lines of a program, so that what is copied from the page runs: roff has its own way with some characters."""
    yield from map(escaped, path.read_text().splitlines())


def escaped(line: str) -> str:
    """Return a line of a program as roff has to be given it."""
    return re.sub(r"^([.'])", r"\\&\1", line.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq"))


def documents() -> Iterator[str]:
    """Every document with its fields, as the JSON Schema files describe them."""
    for path in sorted(SCHEMAS.glob("*.json"), key=lambda path: (path.name not in PARTS, path.name)):
        schema = json.loads(path.read_text())
        yield f".Ss {schema['title']}"
        yield from sentences(schema["description"])
        yield ".Bl -tag -width Ds"
        yield from fields(schema, schema)
        yield ".El"


def fields(schema: dict[str, Any], root: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        yield f".It Fa {above}{name} Pq {kind_of(field)}"
        described = field.get("description") or field.get("title") or ""
        values = [value for value in field.get("enum", []) if value is not None]
        if name == "schema":
            values = field.get("enum", [field.get("const")])
        yield from sentences(described + (f": {', '.join(map(str, values))}" if values else "") + ".")
        inner = field.get("items", field)
        for part in [inner, *inner.get("anyOf", [])]:
            target = root["$defs"][part["$ref"].rpartition("/")[2]] if "#" in part.get("$ref", "") else part
            if name != "rounds":  # the same as above it
                yield from fields(target, root, f"{above}{name}{'[]' if 'items' in field else ''}.")


def kind_of(field: dict[str, Any]) -> str:
    """Return the type in words: ``integer or null``, ``array of process``."""
    if "anyOf" in field:
        return " or ".join(kind_of(part) for part in field["anyOf"])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2].removesuffix(".json")
    if field.get("type") == "array":
        return f"array of {kind_of(field['items'])}"
    kinds = field.get("type", "string")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


def command_of(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None  # noqa: S101 - for mypy
    return found


def sentences(text: str) -> list[str]:
    """Return ``text`` with each sentence on a line of its own, as mdoc wants it, and nothing that roff obeys."""
    plain = " ".join(text.split()).replace("\\", "\\e").replace("`", "")
    plain = re.sub(r"(?<!\w)-(?=[\w-])", r"\\-", plain)  # a minus, and what can be copied
    return [re.sub(r"^([.'])", r"\\&\1", line) for line in re.sub(r"([.!?:]) (?=[A-Z\\])", r"\1\n", plain).split("\n")]


def quoted(word: str) -> str:
    return f'"{word}"' if " " in word or word[:1] in "[|(" else word


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
