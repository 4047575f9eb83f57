"""Compile what most answers need, to byte code beside which no source is looked for; run by the Python it is for."""

from __future__ import annotations

import ast
import importlib.util
import marshal
import sys
from pathlib import Path

_DOCUMENTED = ("oomctl/commands/", "oomctl/cli/")
"""Where docstrings are help; elsewhere they and assertions are left out."""
_ROOMS = ("changes", "cli", "guard", "kernel", "model", "origins", "procfs", "render", "scenario", "targets")
_NEEDED = (
    *("click/", "oomctl/__init__", "oomctl/__main__", "oomctl/console", "oomctl/errors", "oomctl/live/__init__"),
    *(f"oomctl/{room}/" for room in _ROOMS),
    *(f"oomctl/commands/{name}.py" for name in ("__init__", "top", "simulate", "explain", "adjust")),
    *("oomctl/live/ask", "oomctl/commands/counting"),
)
"""What lists, predicts, explains and changes without a terminal: all of it for three Pythons would be 4 MB."""
_RARE = (
    *("click/_termui_impl", "click/shell_completion", "click/_textwrap", "oomctl/changes/persisting"),
    *(f"oomctl/render/{name}" for name in ("check", "history", "killing", "killlist", "openmetrics", "policy")),
    *(f"oomctl/render/{name}" for name in ("screen", "tally", "terminal", "shortage", "forecast", "hosts", "ahead")),
    *(f"oomctl/model/{name}" for name in ("audit", "metrics", "oomreport", "oomtally", "shortage", "trend")),
    *(
        f"oomctl/procfs/{name}"
        for name in ("groups", "growth", "heldscores", "pressure", "roll", "sampler", "settings")
    ),
    *(f"oomctl/scenario/{name}" for name in ("document", "fields", "files", "source", "tables")),
    *("oomctl/cli/summaries", "oomctl/guard/outputs", "oomctl/kernel/meminfo", "oomctl/kernel/shortage"),
    *("oomctl/origins/known", "oomctl/targets/patience"),
)
_NEVER_CHECKED = (1).to_bytes(4, "little") + bytes(8)  # PEP 552: a hash that nobody compares, so it may be nothing


def compile_tree(sources: Path, compiled: Path) -> None:
    """Write ``NAME.pyc`` for those of ``sources`` that are often needed."""
    for path in sorted(sources.rglob("*.py")):
        name = path.relative_to(sources).as_posix()
        if name.startswith(_NEEDED) and not name.startswith(_RARE):
            target = compiled / f"{name}c"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_byte_code(path, name, compiled.name))


def _byte_code(path: Path, name: str, tag: str) -> bytes:
    tree = ast.parse(path.read_bytes())
    if path.name == "__init__.py":
        _look_among_sources_too(tree, tag)
    optimize = 0 if name.startswith(_DOCUMENTED) else 2
    code = compile(tree, f"oomadm.pyz/{name}", "exec", dont_inherit=True, optimize=optimize)
    return importlib.util.MAGIC_NUMBER + _NEVER_CHECKED + marshal.dumps(code)


def _look_among_sources_too(package: ast.Module, tag: str) -> None:
    """Have a package find its other modules in the archive's ``src``."""
    first = 0
    for statement in package.body:
        is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_docstring and not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__"):
            break
        first += 1
    package.body[first:first] = ast.parse(f"__path__.append('/src'.join(__path__[0].rsplit('/{tag}', 1)))").body


if __name__ == "__main__":
    compile_tree(Path(sys.argv[1]), Path(sys.argv[2]))
