"""Groups whose lists of commands, in help and for a TAB, say in a whole sentence what each command does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class BareGroup(click.UsageError):
    """A group was named without a command. What click does then, and with which status, changed with its 8.2."""

    def __init__(self, ctx: click.Context) -> None:
        """Keep the context of the group, which has its help."""
        super().__init__("no command", ctx)
        self.group_context = ctx


class WholeSummaries(click.Group):
    """A group that lists its commands by ``summaries``; click's own list cuts them off."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take a command line apart. Raises BareGroup where there is nothing on it."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            raise BareGroup(ctx)
        return super().parse_args(ctx, args)

    def summaries(self, ctx: click.Context) -> dict[str, str]:
        """Return what each listed command does: the first sentence of its help."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        return {name: one.get_short_help_str(sys.maxsize) for name, one in commands.items() if one and not one.hidden}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*self.summaries(ctx).items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        from click.shell_completion import CompletionItem

        named = [(name, about) for name, about in self.summaries(ctx).items() if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)  # click.Group's names the commands, too
        return [CompletionItem(name, help=about) for name, about in named] + options
