"""The command group: finds commands when they are asked for, and turns errors into exit statuses."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import click

from oomctl import __version__, errors
from oomctl.cli import failing
from oomctl.cli.encoding import spare_the_encoding
from oomctl.cli.options import accept_elsewhere, color_option, elsewhere_options
from oomctl.cli.summaries import BareGroup, WholeSummaries
from oomctl.console import complain, discard_stdout, this_run
from oomctl.guard.elsewhere import said

# In the order in which help lists them: the module that has a command of that name, and the first sentence of that
# command's help, so that to list all commands, in help or for a TAB, imports none of them.
COMMANDS = {
    "top": ("oomctl.commands.top", "Rank processes by how soon the OOM killer would kill them."),
    "simulate": ("oomctl.commands.simulate", "Predict which process would be killed if memory ran out now."),
    "forecast": ("oomctl.commands.forecast", "Watch for a while: which limit is reached when, and who dies then."),
    "explain": ("oomctl.commands.explain", "Explain where TARGETs stand with the OOM killer."),
    "set": ("oomctl.commands.adjust", "Set oom_score_adj of TARGETs to ADJ (-1000..1000)."),
    "protect": ("oomctl.commands.adjust", "Keep the OOM killer away from TARGETs: set -1000."),
    "sacrifice": ("oomctl.commands.adjust", "Offer TARGETs to the OOM killer before others: set 1000."),
    "reset": ("oomctl.commands.adjust", "Give TARGETs the kernel's default again: set 0."),
    "undo": ("oomctl.commands.undo", "Put back the values that your last change replaced."),
    "policy": ("oomctl.commands.policy", "Give processes the oom_score_adj that the rules in a file set."),
    "run": ("oomctl.commands.run", "Run COMMAND with an oom_score_adj of its own."),
    "snapshot": ("oomctl.commands.snapshot", "Print this machine as a scenario for oomctl simulate --from."),
    "history": ("oomctl.commands.history", "List past OOM kills, or tell number N of them in full."),
    "check": ("oomctl.commands.check", "Find what is wrong or dangerous here, with what mends it."),
    "metrics": ("oomctl.commands.metrics", "Print the next victim, and what check finds, for Prometheus."),
    "selftest": ("oomctl.commands.selftest", "Let this kernel choose among three toy processes and compare."),
    "completion": ("oomctl.commands.completion", "Print or install the script that lets a shell complete oomctl."),
}

# Not listed in help: what people type because another program of the same name has it.
HIDDEN = {"dump": "oomctl.commands.dump"}
_STARTING_OTHERS = ("run", "dump")  # what stands behind their names is for the program that they start
_COMPLETE = "_OOMCTL_COMPLETE"  # set by the completion scripts, for both names of the program
_OBJECTS_BEFORE_A_COLLECTION = 50_000  # Python's 700 let imports alone cause dozens, which find nothing
_KILLED_BY_SIGPIPE = 141  # 128 + SIGPIPE, what a shell shows for a program that a closed pipe ended
_KILLED_BY_SIGINT = 130


class _ClosedPipe(BaseException):
    """Whoever read stdout has gone. click itself would make status 1 of it, which here is an answer."""


class _Interrupted(BaseException):
    """Ctrl-C. click itself would print an empty line."""


@contextlib.contextmanager
def _past_click() -> Iterator[None]:
    """Carry what click has an ending of its own for past it."""
    try:
        yield
    except BrokenPipeError:
        raise _ClosedPipe from None
    except KeyboardInterrupt:
        raise _Interrupted from None


class Commands(WholeSummaries):
    """A group that imports a command when it is used, and whose failures are one line and a status."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _past_click():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _past_click():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands as help lists them."""
        return list(COMMANDS)

    def summaries(self, ctx: click.Context) -> dict[str, str]:
        """Return the summary of each command without importing it."""
        return {name: summary for name, (_, summary) in COMMANDS.items()}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is none of that name."""
        if cmd_name not in COMMANDS and cmd_name not in HIDDEN:
            return None
        module = HIDDEN[cmd_name] if cmd_name in HIDDEN else COMMANDS[cmd_name][0]
        attribute = "set_" if cmd_name == "set" else cmd_name  # `set` is a type in Python
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - for mypy
        if cmd_name not in _STARTING_OTHERS:
            accept_elsewhere(command)
        return command

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run the program, or answer a TAB; what fails becomes one line on stderr and an exit status."""
        this_run.begin()
        said.begin()
        status = errors.DONE
        try:
            if _COMPLETE in os.environ:
                sys.exit(_answer_shell(self, os.environ[_COMPLETE]))
            status = self._status(args, prog_name, extra)
            failing.print_document(status)
            sys.stdout.flush()
        except (KeyboardInterrupt, _Interrupted):
            status = _KILLED_BY_SIGINT
        except (_ClosedPipe, BrokenPipeError):
            status = _KILLED_BY_SIGPIPE
            discard_stdout()
        except OSError as error:
            if not _is_stdout_failure(error):
                raise
            complain(f"cannot write the output: {error.strerror}")
            status = errors.ANSWER_IS_NO
            discard_stdout()
        sys.exit(status)

    def _status(self, args: Sequence[str] | None, prog_name: str | None, extra: dict[str, Any]) -> int:
        """Run a command; a deliberate failure is complained of. Returns the exit status."""
        words = sys.argv[1:] if args is None else list(args)
        try:
            return super().main(words, prog_name, **{**extra, "standalone_mode": False}) or errors.DONE
        except errors.OomctlError as error:
            complain(str(error), error.detail)
            return error.exit_status
        except BareGroup as error:
            bare = error.group_context
            click.echo(_short_help(bare) if bare.parent is None else bare.get_help(), err=True)
            return error.exit_code
        except click.UsageError as error:
            failing.notice_json(words, error.ctx)
            where = error.ctx.command_path if error.ctx else "oomctl"
            message = _with_the_nearest(error)
            complain(f"{message} See {where} --help" if message.endswith("?") else f"{message}; see {where} --help")
            return error.exit_code


def _answer_shell(group: click.Group, instruction: str) -> int:
    from oomctl.completion.shells import answer

    return answer(group, instruction)


def _short_help(context: click.Context) -> str:
    """Return what a bare ``oomctl`` says: the first steps, and the names of the commands."""
    import textwrap

    steps = textwrap.dedent((cli.help or "").partition("\b\n")[2].partition("\n\n")[0])
    names = click.wrap_text(f"Commands: {', '.join(COMMANDS)}", 78, subsequent_indent="  ")
    return (
        f"{context.get_usage()}\n\n{textwrap.indent(steps, '  ')}\n\n{names}\n{context.command_path} --help says more."
    )


_UNKNOWN = re.compile(r"No such (command|option):? '?([^'\s]+?)'?(?:[.\s]|$)")  # as click says it


def _with_the_nearest(error: click.UsageError) -> str:
    """Return the message; where a command or option does not exist, with the one that may be meant."""
    unknown = _UNKNOWN.match(error.format_message())
    if unknown is None or error.ctx is None:
        return error.format_message().rstrip(".")
    kind, word = unknown.groups()
    command = error.ctx.command
    if kind == "option":
        known = [opt for param in command.get_params(error.ctx) for opt in (*param.opts, *param.secondary_opts)]
    else:
        known = command.list_commands(error.ctx) if isinstance(command, click.Group) else []
    import difflib

    nearest = difflib.get_close_matches(word, known, n=1)
    return f"No such {kind} {word!r}" + (f"; did you mean {nearest[0]}?" if nearest else "")


def _is_stdout_failure(error: OSError) -> bool:
    """A failed write to stdout carries no file name, unlike everything that oomctl opens."""
    return error.filename is None


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Say which of the two programs called oomctl this is, and how to reach the other where there is one."""
    if not wanted or context.resilient_parsing:
        return
    from oomctl.cli import namesake

    click.echo(f"oomctl {__version__} (OOM killer ranking and prediction; not the oomctl of systemd-oomd)")
    other, warning = namesake.find(), namesake.sudo_warning()
    if other is not None:
        click.echo(f"systemd's oomctl is {other}; oomctl dump hands over to it")
    if warning is not None:
        click.echo(f"warning: {warning}")
    context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    *("-V", "--version"),
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Say which version, and which of the two programs called oomctl, this is.",
)
@color_option
def cli() -> None:
    """Show, predict and set which process the Linux OOM killer kills.

    \b
    oomctl top                    which process is most likely to be killed
    oomctl simulate               which one the kernel would kill now, and why
    oomctl explain sshd           its terms, its rank, and what would change it
    oomctl protect postgres       never kill it (oomctl undo takes that back)
    oomctl set 500 firefox        prefer it as a victim

    The same program is installed as oomadm: systemd-oomd ships another oomctl.
    """


cli.params += elsewhere_options()


def main() -> None:
    """Run the program: what ``oomctl.__main__`` opens."""
    gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION)
    spare_the_encoding()
    cli()
