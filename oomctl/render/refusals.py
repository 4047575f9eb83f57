"""Why a process that was named is not changed, in words: one table, from the value to its sentence."""

from __future__ import annotations

from enum import Enum

from oomctl.model.changes import Doubt, Follower, Refusal, Risk, WhyLeftAlone

_ELSEWHERE = "is in the cgroup {path}, which is not that of"
_LEFT_ALONE: dict[Enum, str] = {
    Doubt.LOGIN_USER: "belongs to {user}, and anyone can use that name",
    Doubt.COMMAND_LINE: "belongs to {user}, and a process can write any command line for itself",
    Doubt.UNSEEN: "its executable cannot be seen from here, which takes CAP_SYS_PTRACE",
    Doubt.OTHER_NAME: "belongs to {user} and only calls itself so; it runs {path}",
    Doubt.OTHER_NAMESPACE: "is in another PID or user namespace, as in a container",
    Doubt.OTHER_FILE: "its executable is not the {path} of this system, as in a container",
    Doubt.CHANGEABLE: "its executable {path} can be changed by others than root",
    Doubt.SET_USER_ID: "its executable {path} is set-user-ID: any user starts it, under any name",
    Doubt.USER_NOT_NAMED: "belongs to {user}, who was not named",
    Doubt.NOT_OF_SYSTEM_UNIT: f"{_ELSEWHERE} the system's service manager's {{unit}}; --user means your own units",
    Doubt.NOT_OF_OWN_UNIT: f"{_ELSEWHERE} your own service manager's {{unit}}",
    Follower.NOT_MAIN_PROCESS: "not the main process of {unit}, and still a candidate",
    Follower.CHILD: "child of another match, and still a candidate",
    Refusal.ZOMBIE: "it has already exited and only waits to be reaped",
    Refusal.KTHREAD: "kernel thread: it is never chosen, whatever its adj",
    Refusal.INIT: "PID 1: the OOM killer never takes it, and everything started later would inherit the value",
    Refusal.LOGIN_SESSION: "a login session: everything its user starts would inherit the protection",
    Risk.INIT: "PID 1: it is never killed, but everything started later would inherit the value",
    Risk.LOGIN_SESSION: "a login session: whoever works in it would be the first to be thrown out",
    Risk.SSHD: "sshd: without it nobody can log in to help",
}
_LIFTED_BY: dict[type[Enum], tuple[str, str]] = {
    Doubt: ("--any-user takes it", "force = true takes it"),
    Follower: ("--all takes it", 'scope = "all" takes it'),
    Refusal: ("--force overrides", "force = true overrides"),
    Risk: ("--force overrides", "force = true overrides"),
}
"""The option that changes a process all the same, and the key of a policy's rule."""


def without_remedy(why: WhyLeftAlone) -> str:
    """Say why a process is not changed, where nothing can be typed that lifts that; names are not made harmless."""
    return _LEFT_ALONE[why.kind].format(user=why.user, path=why.path, unit=why.unit)


def left_alone(why: WhyLeftAlone) -> str:
    """Say why a process is not changed, and what lifts that; names are not made harmless."""
    lifted = lifted_by(why)
    return f"{cause(why)} ({lifted})" if lifted else cause(why)


def cause(why: WhyLeftAlone) -> str:
    """Say why a process is not changed, and nothing of what lifts that."""
    sentence = _LEFT_ALONE[why.kind].format(user=why.user, path=why.path, unit=why.unit)
    return sentence if why.also is None else f"{sentence}; {_LEFT_ALONE[why.also]}"


def lifted_by(why: WhyLeftAlone) -> str | None:
    """Say what changes such a process all the same; None where that would only lead to the next refusal."""
    if why.kind is Refusal.ZOMBIE:
        return None
    option, key = _LIFTED_BY[type(why.kind)]
    if why.by_rule and isinstance(why.kind, Doubt):  # its key lifts every other refusal, too
        return key
    if why.also is not None:
        return None
    return key if why.by_rule else option
