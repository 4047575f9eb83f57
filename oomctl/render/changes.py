"""What a change of ``oom_score_adj`` did, or would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from oomctl.model.changes import Change, Follower, LeftAlone, Persisted, Recorded, Status, WhyLeftAlone
from oomctl.model.kernel import Round, Task
from oomctl.render import refusals
from oomctl.render.document import json_line
from oomctl.render.fields import victim_document
from oomctl.render.text import Named, count, named, named_or_nobody, visible, visible_in_brackets

_MOST_NAMES = 20


class Report(NamedTuple):
    """Everything that is said of one change."""

    changes: Sequence[Change]
    left_alone: Sequence[LeftAlone]
    victim_before: Task | None
    victim_after: Task | None
    undone: Recorded | None = None
    """What ``undo`` puts back."""
    persisted: Sequence[Persisted] = ()
    children: Sequence[Task] = ()
    """Descendants of what was lowered that nothing named, and that ``--tree`` takes as well."""
    missing: Mapping[str, str] | None = None
    """The words that match nothing, with a sentence each; None: that is a failure, and said elsewhere."""


def report_of(changes: Sequence[Change], was: Round, will_be: Round, left_alone: Sequence[LeftAlone] = ()) -> Report:
    """Return what ``changes`` do to ranks and victim, by what the kernel would do before and after them."""
    before, after = _ranks(was), _ranks(will_be)
    ranked = [
        change._replace(rank_before=before.get(change.pid), rank_after=after.get(change.pid)) for change in changes
    ]
    return Report(ranked, left_alone, was.victim and was.victim.task, will_be.victim and will_be.victim.task)


def _ranks(result: Round) -> dict[int, int]:
    return {candidate.task.pid: rank for rank, candidate in enumerate(result.ranking, start=1)}


def document(report: Report, command: str) -> str:
    """Return the JSON document of ``set``, ``protect``, ``sacrifice``, ``reset`` and ``undo``."""
    result: dict[str, Any] = {
        "schema": f"oomctl.{command}/1",
        "changes": [_change(change) for change in report.changes],
        "left_alone": [
            {"pid": entry.pid, "comm": entry.comm, "reason": refusals.left_alone(entry.reason)}
            for entry in report.left_alone
        ],
        "victim_before": victim_document(report.victim_before),
        "victim_after": victim_document(report.victim_after),
    }
    if report.persisted:
        result["persisted"] = [_persisted(persisted) for persisted in report.persisted]
    if report.missing is not None:
        result["missing"] = list(report.missing)
    if report.undone is not None:
        result["undone"] = {"what": report.undone.what, "time": report.undone.time}
    return json_line(result)


def _change(change: Change) -> dict[str, Any]:
    document = change._asdict()
    del document["detail"]
    return document | {"reason": change.whole_reason, "warning": change.whole_warning}


def failures(failed: Sequence[Change]) -> list[tuple[str, str | None]]:
    """Return a line for each cause with all that it stopped, and what more there is to say of it."""
    return _by_cause((change.reason, change) for change in failed)


def warnings(changes: Sequence[Change]) -> list[tuple[str, str | None]]:
    """Return a line for each warning with all that it is about, and what more there is to say of it."""
    return _by_cause((change.warning, change) for change in changes if change.warning is not None)


def _by_cause(found: Iterable[tuple[str | None, Change]]) -> list[tuple[str, str | None]]:
    alike: dict[tuple[str | None, str | None], list[Change]] = {}
    for cause, change in found:
        alike.setdefault((cause, change.detail), []).append(change)
    return [(f"{_names(changes)}: {cause}", detail) for (cause, detail), changes in alike.items()]


def _names(processes: Sequence[Named]) -> str:
    """Return ``812, 813 (sshd), 20 (java)``: each name once, behind those who have it."""
    pids: dict[str, list[str]] = {}
    for process in processes[:_MOST_NAMES]:
        pids.setdefault(visible_in_brackets(process.comm), []).append(str(process.pid))
    names = ", ".join(f"{', '.join(of_name)} ({name})" for name, of_name in pids.items())
    more = len(processes) - _MOST_NAMES
    return f"{names} and {more} more" if more > 0 else names


def text(report: Report) -> str:
    """Return the same for people, a line for every change."""
    head = [line for persisted in report.persisted for line in _drop_in(persisted)]
    if report.missing is not None:
        head += [visible(sentence) for sentence in report.missing.values()]
        vanished = [change for change in report.changes if change.status is Status.VANISHED]
        head += [visible(message) for message, _ in failures(vanished)]
    if report.undone is not None:
        from datetime import datetime

        moment = f"{datetime.fromtimestamp(report.undone.time):%Y-%m-%d %H:%M:%S}"
        head.insert(0, f"undo of: {visible(report.undone.what)} ({moment})")
    lines = [
        _line(change)
        for change in report.changes
        if change.status in (Status.CHANGED, Status.UNCHANGED, Status.DRY_RUN)
    ]
    permits_nothing = _permits_nothing(report.changes)
    lines += left_alone_lines(report.left_alone, is_advised=not permits_nothing)
    if report.children and not permits_nothing:
        lines.append(_staying(report.children))
    before, after = named_or_nobody(report.victim_before), named_or_nobody(report.victim_after)
    if lines and before == after:
        lines.append(f"next victim: {before}, as before")
    elif lines:
        lines.append(f"next victim: {before} -> {after}")
    return "".join(line + "\n" for line in head + lines)


def _permits_nothing(changes: Sequence[Change]) -> bool:
    """Whether the kernel refused all that was tried, as it would refuse more of the same."""
    statuses = {change.status for change in changes}
    return Status.DENIED in statuses and not statuses & {Status.CHANGED, Status.UNCHANGED, Status.DRY_RUN}


def left_alone_lines(entries: Sequence[LeftAlone], is_advised: bool = True) -> list[str]:
    """Return a line for each reason, with what lifts it; ``--all`` is no advice where it takes what is refused."""
    all_is_refused = any(isinstance(entry.reason.kind, Follower) and entry.reason.also for entry in entries)

    def advice(why: WhyLeftAlone) -> str | None:
        is_refused = all_is_refused and isinstance(why.kind, Follower)
        return refusals.lifted_by(why) if is_advised and not is_refused else None

    counted = Counter((refusals.cause(entry.reason), advice(entry.reason)) for entry in entries)
    return [_alone(number, cause, lifted) for (cause, lifted), number in counted.items()]


def _alone(number: int, cause: str, lifted: str | None) -> str:
    line = f"left alone: {count(number, 'process', 'processes')}: {cause}"
    if lifted is None:
        return line
    return f"{line} ({lifted if number == 1 else lifted.replace('takes it', 'takes them')})"


def _staying(children: Sequence[Task]) -> str:
    """Say who is not protected with its parent, and what would take it, too."""
    one = len(children) == 1
    stay = "child or grandchild stays a candidate" if one else "children and grandchildren stay candidates"
    return f"{len(children)} {stay}: {_names(children)} (--tree takes {'it' if one else 'them'} as well)"


def _drop_in(persisted: Persisted) -> list[str]:
    """Say what the unit's next start has."""
    drop_in, path = persisted.drop_in, visible(persisted.path)
    name = f"{visible(drop_in.unit)}{' (your own)' if drop_in.user else ''}"
    if persisted.status is Status.UNCHANGED and drop_in.after is None:
        return [f"{name}: no {path}, nothing to remove"]
    if persisted.status is Status.UNCHANGED:
        return [f"{name}: OOMScoreAdjust={drop_in.after} in {path} already"]
    if persisted.status is Status.INEFFECTIVE:
        return []
    would = "would be " if persisted.status is Status.DRY_RUN else ""
    if drop_in.after is None:
        return [f"{name}: {path} {would}removed"]
    lines = [f"{name}: OOMScoreAdjust={drop_in.after} {would}written to {path}"]
    return lines + [f"    {line}" for line in (persisted.text or "").splitlines()]


def _persisted(persisted: Persisted) -> dict[str, Any]:
    return {**persisted.drop_in._asdict(), "path": persisted.path, "status": persisted.status} | {
        "reason": persisted.reason
    }


def _line(change: Change) -> str:
    name = named(change)
    if change.status is Status.UNCHANGED:
        return f"{name}: oom_score_adj is {change.before} already, {_rank(change.rank_before)}"
    would = "would go " if change.status is Status.DRY_RUN else ""
    ranks = f"{_rank(change.rank_before)} -> {_rank(change.rank_after)}"
    return f"{name}: oom_score_adj {would}{change.before} -> {change.after}, {ranks}"


def _rank(rank: int | None) -> str:
    return "cannot be chosen" if rank is None else f"rank {rank}"
