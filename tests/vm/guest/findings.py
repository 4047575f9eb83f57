"""On a Debian with systemd, sshd and PostgreSQL: what `oomctl check` finds is there, and its remedy mends it."""

from __future__ import annotations

import contextlib
import json
import os
import time
import traceback
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.vm.guest import logins, report
from tests.vm.guest.debian import POSTGRES, Check, adj, equal, expect, live_through_kills, oomctl, run, sh, wait_for
from tests.vm.guest.situations import POLICY, PRECIOUS, SITUATIONS, Situation, Subject, batches, killers

_PROGRAM = Path("/usr/local/bin/oomctl")
_PROJECT = "/opt/oomctl"
_ASKED = ("--precious", PRECIOUS)
FRESH = ("sysrq-oom",)
"""What is found on the machine before anything is changed; the test on the host says why."""
_fresh: list[dict[str, Any]] = []
_wrong: dict[str, list[str]] = {}
"""What is wrong with a situation, by its name."""
_others: list[list[dict[str, Any]]] = []
"""What was found beside the situations."""


def main() -> None:
    run(_prepare, CHECKS)


def _prepare() -> None:
    """Ask before anything is changed, but for oomctl itself."""
    _install()
    wait_for(lambda: _active("ssh.service") and _active(POSTGRES), "sshd and PostgreSQL")
    _fresh.extend(_findings())
    report.send("fresh", findings=_fresh, protected=_protected())
    logins.prepare()
    live_through_kills()


def _protected() -> dict[str, int]:
    """Return who is below 0, by name."""
    found = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with contextlib.suppress(OSError):  # it has ended
            if adj(pid) < 0:
                found[logins.comm(pid)] = adj(pid)
    return found


def _install() -> None:
    _PROGRAM.write_text(f'#!/bin/sh\nPYTHONPATH={_PROJECT} exec python3 -m oomctl "$@"\n')
    _PROGRAM.chmod(0o755)


def _active(unit: str) -> bool:
    return sh("systemctl", "is-active", unit).stdout == "active\n"


def _findings(*words: str, before: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return what a whole check finds; its status has to fit."""
    ran = sh(*before, str(_PROGRAM), "check", "--json", *words)
    found: list[dict[str, Any]] = json.loads(ran.stdout)["findings"] if ran.stdout else []
    if ran.returncode != bool(found) or not ran.stdout:
        raise RuntimeError(f"oomctl check {words}: status {ran.returncode}: {ran.stdout}{ran.stderr}")
    return found


def _tried(name: str) -> Iterator[str]:
    """Say what is wrong with one of a batch, which is made when its first is asked about."""
    if name not in _wrong:
        batch = next(names for names in batches() if name in names)
        _wrong.update({one: [] for one in batch})
        _try(batch)
    yield from _wrong[name]


def _try(batch: Sequence[str]) -> None:
    """Make all, find all, run the remedies of all, and find nothing any more."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        made: dict[str, Subject] = {}
        for name in batch:
            with _noting(name):
                made[name] = stack.enter_context(SITUATIONS[name].make())
        made_at = time.monotonic()
        found = _findings(*_ASKED)
        for name, subject in made.items():
            with _noting(name):
                _wrong[name] += _found_and_mended(name, _about(name, subject, found))
        mended_at = time.monotonic()
        after = _findings(*_ASKED)
        for name, subject in made.items():
            situation = SITUATIONS[name]
            left = [one for one in _about(name, subject, after) if one["severity"] == situation.severity]
            _wrong[name] += equal("found after its remedy", bool(left), not situation.has_remedy)
        _others.append(_nobody_s(made, found))
        _others.append(_nobody_s(made, after))
    times = (began, made_at, mended_at, time.monotonic())
    seconds = [round(later - earlier, 1) for earlier, later in zip(times, times[1:])]
    report.send("batch", names=batch, seconds=seconds)


@contextlib.contextmanager
def _noting(name: str) -> Iterator[None]:
    """What goes wrong is this one's, and the others of its batch go on."""
    try:
        yield
    except Exception:
        _wrong[name].append(traceback.format_exc())


def _about(name: str, subject: Subject, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        finding
        for finding in found
        if finding["id"] == name.partition(" ")[0]
        and (subject is None or subject in (*finding["pids"], finding["unit"], finding["cgroup"]))
    ]


def _nobody_s(made: dict[str, Subject], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is found that no situation is to be found by."""
    expected = [finding for name, subject in made.items() for finding in _about(name, subject, found)]
    ids = {*FRESH, *(also for name in made for also in SITUATIONS[name].also)}
    return [finding for finding in found if finding not in expected and finding["id"] not in ids]


def _found_and_mended(name: str, found: list[dict[str, Any]]) -> Iterator[str]:
    situation = SITUATIONS[name]
    report.send("tried", name=name, found=found)
    yield from equal("found", [finding["severity"] for finding in found], [situation.severity])
    for finding in found:
        yield from _mended(finding, situation)


def _mended(finding: dict[str, Any], situation: Situation) -> Iterator[str]:
    if not situation.has_remedy:
        yield from equal("its remedy", finding["remedy"], None)
    else:
        ran = sh("sh", "-c", finding["remedy"])
        if ran.returncode:
            yield f"{finding['remedy']}: status {ran.returncode}: {ran.stdout}{ran.stderr}"


def _out_of_the_box() -> Iterator[str]:
    yield from equal("services", (_active("ssh.service"), _active(POSTGRES)), (True, True))
    yield from equal("found", tuple(finding["id"] for finding in _fresh), FRESH)


def _a_login_is_no_finding() -> Iterator[str]:
    """Nor the service manager of who logs in, which is at 100 and so before all that is not large."""
    with logins.logged_in():
        yield from equal("found", tuple(finding["id"] for finding in _findings()), FRESH)


def _of_two_killers_one_stays() -> Iterator[str]:
    """Also when a person logs in: Debian's systemd-oomd is started for each person's service manager."""
    with killers("earlyoom.service", "systemd-oomd.service"):
        (finding,) = _findings("--only", "other-killer")
        report.send("tried", name="other-killer two", found=[finding])
        yield from equal("severity", finding["severity"], "warning")
        yield from expect(sh("sh", "-c", finding["remedy"]), 0)
        with logins.own_services():
            (finding,) = _findings("--only", "other-killer")
        yield from equal("severity with one", (finding["severity"], finding["remedy"]), ("info", None))


def _a_broken_policy_is_told_of() -> Iterator[str]:
    POLICY.parent.mkdir(parents=True, exist_ok=True)
    POLICY.write_text('[[rule]]\ntarget = "cron"\nadj = 5000\n')
    (finding,) = _findings("--only", "policy-drift")
    yield from equal("its remedy", finding["remedy"], None)
    if f"{POLICY}:3" not in finding["message"]:
        yield f"it does not say where: {finding['message']}"
    POLICY.unlink()


def _who_sees_not_everybody_is_told_so() -> Iterator[str]:
    as_person = ("runuser", "-u", logins.PERSON, "--")
    sh("mount", "-o", "remount,hidepid=2", "/proc", check=True)
    (finding,) = _findings("--only", "hidden", before=as_person)
    yield from equal("severity", finding["severity"], "warning")
    ran = sh("sh", "-c", finding["remedy"])
    if ran.returncode not in (0, 1) or "hidden:" in ran.stdout:
        yield f"{finding['remedy']}: {ran.returncode} {ran.stdout}{ran.stderr}"
    sh("mount", "-o", "remount,hidepid=0", "/proc", check=True)


def _root_without_a_capability_is_told_so() -> Iterator[str]:
    bounded = ("systemd-run", "--quiet", "--wait", "--pipe", "--unit=bounded")
    (finding,) = _findings(
        "--only", "no-capability", before=(*bounded, "-p", "CapabilityBoundingSet=~CAP_SYS_RESOURCE")
    )
    yield from equal("severity", finding["severity"], "info")
    if "bounded.service" not in finding["message"]:
        yield f"it does not say who took it: {finding['message']}"


def _systemd_s_oomctl_is_told_of_where_sudo_finds_it() -> Iterator[str]:
    _PROGRAM.unlink()
    ran = oomctl("check", "--only", "other-oomctl", "--json")
    _install()
    yield from expect(ran, 1)
    (finding,) = json.loads(ran.stdout)["findings"]
    report.send("tried", name="other-oomctl", found=[finding])
    if "sudo oomctl starts systemd's /usr/bin/oomctl" not in finding["message"]:
        yield f"it says: {finding['message']}"


def _nothing_else_is_found() -> Iterator[str]:
    """In none of the batches, before the remedies and after them."""
    for others in _others:
        yield from equal("others", others, [])


def _check_of(name: str) -> Check:
    check = partial(_tried, name)
    check.__name__ = name  # type: ignore[attr-defined]
    return check


CHECKS: tuple[Check, ...] = (
    _out_of_the_box,
    _a_login_is_no_finding,
    *(_check_of(name) for name in SITUATIONS),
    _nothing_else_is_found,
    _of_two_killers_one_stays,
    _a_broken_policy_is_told_of,
    _who_sees_not_everybody_is_told_so,
    _root_without_a_capability_is_told_so,
    _systemd_s_oomctl_is_told_of_where_sudo_finds_it,
)


if __name__ == "__main__":
    main()
