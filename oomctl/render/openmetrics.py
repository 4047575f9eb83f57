"""Metrics as OpenMetrics text, which Prometheus, node_exporter's textfile collector and promtool read alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from oomctl.model.metrics import Family
from oomctl.render.text import visible

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def text(families: Iterable[Family]) -> str:
    """Return the whole text; families without a sample are left out."""
    lines = [line for family in families if family.samples for line in _lines(family)]
    return "".join(f"{line}\n" for line in [*lines, "# EOF"])


def _lines(family: Family) -> Sequence[str]:
    head = [f"# TYPE {family.name} gauge", f"# HELP {family.name} {family.help.translate(_ESCAPES)}"]
    return head + [f"{family.name}{_labels(one.labels)} {_number(one.value)}" for one in family.samples]


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_value(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _value(value: str) -> str:
    # A terminal obeys names, and so does who reads an alert. Half of a surrogate pair cannot be written at all.
    return visible(value).encode(errors="replace").decode().translate(_ESCAPES)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(round(value, 6))
