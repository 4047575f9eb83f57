"""The commands as plain data, so that a TAB imports none of them.

``completions/build.py`` writes the outline of the real commands to outline.json; ``stand_in`` makes commands of
it that click can complete and that do nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from oomctl.cli.parameters import NumbersAsArguments

Completer = Callable[[str, str], "list[CompletionItem[str]]"]
"""What a kind of value can be, given its beginning."""

_SETTINGS = ("allow_interspersed_args", "ignore_unknown_options")


def outline_of(command: click.Command) -> dict[str, Any]:
    """Return what completion has to know of ``command`` and of the visible commands below it."""
    outline: dict[str, Any] = {
        "help": command.get_short_help_str(100),
        "numbers": isinstance(command, NumbersAsArguments),
        "settings": {name: command.context_settings[name] for name in _SETTINGS if name in command.context_settings},
        "params": [_param_outline(param) for param in command.params if not getattr(param, "hidden", False)],
    }
    if isinstance(command, click.Group):
        context = click.Context(command)
        commands = {name: command.get_command(context, name) for name in command.list_commands(context)}
        outline["commands"] = {name: outline_of(one) for name, one in commands.items() if one and not one.hidden}
    return outline


def _param_outline(param: click.Parameter) -> dict[str, Any]:
    outline: dict[str, Any] = {"name": param.name, "nargs": param.nargs, "value": value_of(param)}
    if isinstance(param, click.Option):
        outline |= {"opts": [*param.opts, *param.secondary_opts], "help": param.help}
        outline |= {"is_flag": param.is_flag, "multiple": param.multiple}
    if isinstance(param.type, click.Choice):
        outline["choices"] = list(param.type.choices)
    return outline


def value_of(param: click.Parameter) -> str:
    """Return the kind of a parameter's value as help names it, without what says how often: ``TARGET``."""
    kind = param.type.name if isinstance(param, click.Option) else str(param.name)
    shown = (param.metavar or kind.upper()).removesuffix("...")
    return re.sub(r"^\[(.*)\]$", r"\1", shown)


class _Value(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """A value that is taken as it is, and completed by its kind."""

    name = "value"

    def __init__(self, kind: str, choices: list[str], complete: Completer) -> None:
        self._kind = kind
        self._choices = choices
        self._complete = complete

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        if self._choices:
            known = {item.value: item for item in self._complete("CHOICE", incomplete)}
            return [known.get(one, CompletionItem(one)) for one in self._choices if one.startswith(incomplete)]
        return self._complete(self._kind, incomplete)


def stand_in(name: str, outline: dict[str, Any], complete: Completer) -> click.Command:
    """Make a command of its outline that can be completed; ``complete`` knows the values."""
    params = [_param(param, complete) for param in outline["params"]]
    settings = {"help_option_names": ["-h", "--help"], **outline["settings"]}
    common: dict[str, Any] = {"params": params, "short_help": outline["help"], "context_settings": settings}
    if "commands" in outline:
        commands = {name: stand_in(name, one, complete) for name, one in outline["commands"].items()}
        group = click.Group(name, commands=commands, **common)
        group.list_commands = lambda ctx: list(commands)  # type: ignore[method-assign]  # not sorted: as help has them
        return group
    return (NumbersAsArguments if outline["numbers"] else click.Command)(name, **common)


def _param(outline: dict[str, Any], complete: Completer) -> click.Parameter:
    value = _Value(outline["value"], outline.get("choices", []), complete)
    if "opts" not in outline:
        return click.Argument([outline["name"]], nargs=outline["nargs"], type=value, required=False)
    if outline["is_flag"]:
        return click.Option(outline["opts"], is_flag=True, help=outline["help"])
    return click.Option(
        outline["opts"], nargs=outline["nargs"], multiple=outline["multiple"], type=value, help=outline["help"]
    )
