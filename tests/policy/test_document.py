"""The text of a policy file: what a rule may say, and how each mistake is named with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomctl.policy.document import MOST_BYTES, parse
from oomctl.policy.rule import Place, Policy, Rule, RuleScope
from oomctl.targets.words import Target, TargetKind


def read(text: str) -> Policy:
    return parse("p.toml", text.encode())


def mistakes(text: str) -> list[str]:
    policy = read(text)
    assert policy.mistakes
    return [str(mistake) for mistake in policy.mistakes]


def test_a_rule_needs_a_target_and_an_adj() -> None:
    assert read('[[rule]]\ntarget = "postgres"\nadj = -900\n') == Policy(
        (
            Rule(
                Place("p.toml", 1),
                (Target("postgres", TargetKind.NAME, "postgres"),),
                -900,
                RuleScope.ROOT,
                False,
                None,
            ),
        )
    )


def test_a_rule_may_say_everything() -> None:
    policy = read(
        '# first\n\n[[rule]]\ntarget = ["user:ci", "runner.service"]\nadj = +500\nscope = "tree"\nforce = true\n'
        'reason = "jobs can be repeated"\n'
    )
    targets = (Target("user:ci", TargetKind.USER, "ci"), Target("runner.service", TargetKind.UNIT, "runner.service"))
    assert policy == Policy((Rule(Place("p.toml", 3), targets, 500, RuleScope.TREE, True, "jobs can be repeated"),))


def test_what_is_not_to_be_lost_may_be_named_above_the_rules() -> None:
    policy = read('precious = ["postgres", "sshd.service"]\n[[rule]]\ntarget = "a"\nadj = 0\n')
    assert [target.word for target in policy.precious] == ["postgres", "sshd.service"]
    assert (len(policy.rules), policy.mistakes) == (1, ())


def test_rules_may_be_written_as_one_list() -> None:
    policy = read('\nrule = [{target = "a", adj = 1000},\n {target = "b", adj = 900}]\n')
    assert [(rule.targets[0].word, rule.adj, rule.place.line) for rule in policy.rules] == [
        ("a", 1000, 2),
        ("b", 900, 2),
    ]


def test_an_empty_file_is_a_policy_without_rules() -> None:
    assert read("# nothing yet\n") == Policy()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[[rule]]\ntarget = "a"', "1: adj: missing; expected a whole number from -1000 to 1000"),
        ("[[rule]]\nadj = 0", '1: target: missing; expected one, such as "postgres"'),
        ('[[rule]]\ntarget = "a"\nadj = 1001', "3: adj: expected a whole number from -1000 to 1000, got 1001"),
        ('[[rule]]\ntarget = "a"\nadj = "high"', '3: adj: expected a whole number from -1000 to 1000, got "high"'),
        ('[[rule]]\ntarget = "a"\nadj = true', "3: adj: expected a whole number from -1000 to 1000, got true"),
        ('[[rule]]\ntarget = "a"\nadj = 5.0', "3: adj: expected a whole number from -1000 to 1000, got 5.0"),
        ("[[rule]]\nadj = 0\ntarget = []", "3: target: expected a string or a list of strings, got []"),
        ('[[rule]]\nadj = 0\ntarget = [\n"a",\n7]', "3: target: expected a string or a list of strings, got 7"),
        ('[[rule]]\nadj = 0\ntarget = ""', "3: target: an empty word names no process"),
        ('[[rule]]\nadj = 0\ntarget = "cmd:("', "3: target 'cmd:(': not a regular expression: "),
        ('[[rule]]\nadj = 0\ntarget = "user:"', "3: target 'user:': nothing behind user:"),
        ('[[rule]]\nadj = 0\ntarget = "812"', "3: target 812: a PID is another process tomorrow; expected a name, "),
        ('[[rule]]\ntarget = "a"\nadj = 0\nscope = "one"', '4: scope: expected one of root, all, tree, got "one"'),
        ('[[rule]]\ntarget = "a"\nadj = 0\nforce = 1', "4: force: expected true or false, got 1"),
        ('[[rule]]\ntarget = "a"\nadj = 0\nreason = 1979-05-27', '4: reason: expected a string, got "1979-05-27"'),
        (
            '[[rule]]\ntarget = "a"\nadj = 0\nresaon = "x"',
            '4: "resaon": no such key; expected target, adj, scope, reason, force',
        ),
        ('[[rule]]\ntarget = "a"\nadj = 0\n"a b" = 1', '4: "a b": no such key; expected target, adj, scope, reason, '),
        ('[[rule]]\ntarget = "a"\nadj = 0\n[rule.more]\nx = 1', '4: "more": no such key; expected target, '),
        ('[rule]\ntarget = "a"\nadj = 0', "1: rule: expected [[rule]], with two brackets"),
        ("# 1\nrule = 3", "2: rule: expected [[rule]], with two brackets"),
        ("# 1\nrule = [3]", "2: rule: expected a table, got 3"),
        ('[[rules]]\ntarget = "a"\nadj = 0', '1: "rules": expected [[rule]] tables, or precious = [...]'),
        ("\n\ncolour = 'red'", '3: "colour": expected [[rule]] tables, or precious = [...]'),
        ('precious = "postgres"', '1: precious: expected a list of strings, got "postgres"'),
        ("\nprecious = [7]", "2: precious: expected a list of strings, got 7"),
        ('precious = ["812"]', "1: precious 812: a PID is another process tomorrow; expected a name, "),
        ('precious = ["user:"]', "1: target 'user:': nothing behind user:"),
        ('[[rule]]\ntarget = "a"\nadj = 0\nprecious = ["a"]', '4: "precious": no such key; expected target, adj, '),
        ("[[rule]]\nadj = ", "2: not TOML: Invalid value"),
        ("[[rule]\nadj = 0", "1: not TOML: Expected ']]' at the end of an array declaration"),
        ('[[rule]]\nadj = 0\nadj = 1\ntarget = "a"', "3: not TOML: Cannot overwrite a value"),
    ],
)
def test_a_mistake_has_its_line_and_what_was_expected(text: str, expected: str) -> None:
    [mistake] = mistakes(text)
    assert mistake.startswith(f"p.toml:{expected}")
    assert read(text).errors


def test_all_mistakes_of_a_file_are_found_at_once() -> None:
    text = '[[rule]]\ntarget = "a"\nadj = 2000\n\n[[rule]]\ntarget = "b"\nadj = 0\nscope = "?"\n[other]\n'
    assert [mistake.place.line for mistake in read(text).mistakes] == [3, 8, 9]


@pytest.mark.parametrize(
    "value",
    [
        "[\n" + '"a",\n' * 3000 + "]",
        '"""\n' + "a\n" * 3000 + '"""',
        "'''\n" + "a\n" * 3000 + "'''",
        "[\n" + "[1],\n" * 300 + "]",
    ],
    ids=["list", "string", "literal string", "list of lists"],
)
def test_a_mistake_behind_a_long_value_has_its_line(value: str) -> None:
    text = f"x = {value}\ny = 1\n"
    assert [mistake.place.line for mistake in read(text).mistakes] == [1, value.count("\n") + 2]


def test_what_only_looks_like_a_rule_does_not_count_as_a_line() -> None:
    first = '[[rule]]\ntarget = "a"\nadj = 0\nreason = """\n[[rule]]\nadj = 3\n"""\n'
    [mistake] = mistakes(first + '# [[rule]]\n[[rule]]\ntarget = "b"\nadj = 1001')
    assert mistake.startswith("p.toml:11: adj: expected")


def test_a_value_of_the_old_scale_is_a_warning() -> None:
    policy = read('[[rule]]\ntarget = "a"\nadj = -17\n')
    assert [rule.adj for rule in policy.rules] == [-17]
    assert [(str(mistake)[:14], mistake.severity) for mistake in policy.mistakes] == [("p.toml:3: adj:", "warning")]
    assert policy.errors == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"# caf\xe9\n", "p.toml:1: expected UTF-8, got the byte 0xe9"),
        (b"#\n#\r\n# \xff", "p.toml:3: expected UTF-8, got the byte 0xff"),
        (b"x = " + b"[" * 20_000, "p.toml: expected numbers and lists of a sensible size"),
        (b"x = " + b"1" * 20_000, "p.toml: expected numbers and lists of a sensible size"),
        (b"x = 0x" + b"f" * 20_000, 'p.toml:1: "x": expected [[rule]] tables, or precious = [...]'),
        (b'[[rule]]\ntarget="a"\nadj=0x' + b"f" * 20_000, "p.toml:3: adj: expected a whole number from -1000 to 1000"),
        (b"#" * (MOST_BYTES + 1), f"p.toml: expected at most {MOST_BYTES} bytes"),
        (b"[[rule]]\nadj=0\ntarget='cmd:a{99999999999}'", "p.toml:3: target 'cmd:a{99999999999}': not a regular expr"),
    ],
    ids=["latin 1", "line of a bad byte", "brackets", "digits", "hex", "hex adj", "large", "repetition"],
)
def test_hostile_content_is_a_mistake_too(content: bytes, expected: str) -> None:
    assert str(parse("p.toml", content).mistakes[0]).startswith(expected)


WORDS = '[[rule]] [rule] [a.b] rule= [ { } ] target adj scope force reason = "a" "cmd:(a|b)" -1000 0x10 true # , .'
PIECES = st.sampled_from(WORDS.split())
GAPS = st.sampled_from([" ", "", "\n", "\r\n", "'''", '"""'])
TEXTS = st.one_of(st.text(max_size=200), st.lists(st.one_of(PIECES, GAPS)).map("".join))


@given(st.one_of(st.binary(max_size=200), TEXTS.map(str.encode)))
def test_no_content_makes_a_traceback(content: bytes) -> None:
    policy = parse("p.toml", content)
    lines = content.count(b"\n") + 1
    for mistake in policy.mistakes:
        assert mistake.message.strip()
        assert mistake.place.line is None or 1 <= mistake.place.line <= lines


VALUES = st.one_of(
    st.integers(), st.booleans(), st.text(max_size=5), st.floats(), st.lists(st.text(max_size=3), max_size=2)
)


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(f"\n # [[rule]]\n {toml(entry)}" for entry in value) + "]"
    return str(value)


@given(
    st.lists(st.dictionaries(st.sampled_from(["target", "adj", "scope", "force", "reason", "x"]), VALUES), max_size=4)
)
def test_a_mistake_about_a_key_is_on_the_line_of_that_key(rules: list[dict[str, object]]) -> None:
    text = ""
    expected: set[tuple[int, str]] = set()
    for rule in rules:
        expected |= {(text.count("\n") + 1, key) for key in ("target", "adj") if key not in rule}
        text += "[[rule]]\n"
        for key, value in rule.items():
            expected.add((text.count("\n") + 1, key))
            text += f"{key} = {toml(value)}\n"
    for mistake in read(text).mistakes:
        key = mistake.message.partition(":")[0].partition(" ")[0].strip('"')
        assert (mistake.place.line, key) in expected
