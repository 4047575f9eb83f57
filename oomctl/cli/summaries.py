"""Groups whose lists of commands, in help and for a TAB, say in a whole sentence what each command does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class WholeSummaries(click.Group):
    """A group that lists its commands by ``summaries``; click's own list cuts them off."""

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
