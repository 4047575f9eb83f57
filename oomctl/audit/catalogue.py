"""All checks: what each looks for, why that hurts, and where it was met. Ids are an interface: they only grow."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import NamedTuple

from oomctl.audit import choice, growth, memcgs, protection, surroundings
from oomctl.audit.facts import Look
from oomctl.model.audit import Finding


class Check(NamedTuple):
    """One check."""

    id: str
    find: Callable[[Look], Iterator[Finding]]
    meaning: str
    """What it finds."""
    harm: str
    """Why that hurts."""
    met: str
    """Where it was met."""
    watches: bool = False
    """It is about what was watched for a while; one look does not tell."""


CHECKS = (
    Check(
        "session-protected",
        protection.session_protected,
        "A login session, or something started from one, has an oom_score_adj of -900 or less.",
        "Every command of that user inherits it. Whatever eats the memory there is never killed; everybody else is.",
        "A drop-in for ssh.service that all logins inherited (PMSS#901); sessions of teleport (teleport#16835).",
    ),
    Check(
        "ssh-unit-value",
        protection.ssh_unit_value,
        "The unit of sshd declares a negative OOMScoreAdjust=.",
        "sshd gives each login the value that it was started with, so everybody who logs in is protected.",
        "Advice found all over the web; sshd has protected its own listener since 2009.",
    ),
    Check(
        "inherited-protection",
        protection.inherited_protection,
        "A process of somebody who logs in is below 0, and only inherited that.",
        "Nobody meant to protect it. It and its children live on while others die.",
        "A desktop of which everything inherited the -1000 of its X server (Ananicy#177).",
    ),
    Check(
        "container-unkillable",
        memcgs.container_unkillable,
        "A process of a container is at -1000.",
        "When the container's own limit is reached, nobody in it can be killed, and it hangs.",
        "Containers that their runtime restarted after a kill (crun#1357).",
    ),
    Check(
        "memcg-unkillable",
        memcgs.memcg_unkillable,
        "A memory cgroup has a limit, and everybody in it is at -1000.",
        "At the limit the killer finds nobody. Whoever needs memory tries again and again, and the log fills.",
        "atop, which protected itself in a cgroup of its own (atop#275).",
    ),
    Check(
        "memcg-exempt",
        memcgs.memcg_exempt,
        "Some of the processes in a memory cgroup with a limit are at -1000.",
        "-1000 counts for the limit of the cgroup, too. If they are what grows, everybody else there is killed first.",
        "-999 is nearly as strong on the machine and keeps the limit working.",
    ),
    Check(
        "group-survivor",
        memcgs.group_survivor,
        "memory.oom.group is set, and a member is at -1000.",
        "The cgroup was to die as a whole; what is left of it is a service that does not work and does not end.",
        "The kernel's documentation of cgroup v2, memory.oom.group.",
    ),
    Check(
        "group-blast",
        memcgs.group_blast,
        "memory.oom.group is set on a cgroup with a login session, or with more than 100 processes.",
        "One kill takes all of them: a whole desktop, a whole build.",
        "2,104 processes in the scope of one session (omarchy#9799).",
    ),
    Check(
        "v1-oom-disabled",
        memcgs.v1_oom_disabled,
        "memory.oom_control of a cgroup v1 has oom_kill_disable.",
        "At the limit nobody is killed; everybody who needs memory there hangs, with the locks that they hold.",
        "The kernel's documentation of cgroup v1, memory.oom_control.",
    ),
    Check(
        "panic-on-oom",
        choice.panic_on_oom,
        "vm.panic_on_oom is not 0.",
        "The machine panics instead of losing one process; with 2 also when only a container is full.",
        "Nodes of Kubernetes, whose kubelet insists on 0 (kubernetes#15091).",
    ),
    Check(
        "precious-next",
        choice.precious_next,
        "What --precious names, or a rule of the policy protects, is among those who would be killed next.",
        "The next shortage of memory takes what was not to be lost.",
        "Databases that die in place of what ate the memory.",
    ),
    Check(
        "policy-drift",
        protection.policy_drift,
        "The policy is broken, or processes have not the value that it gives them.",
        "What was decided is not what happens. Processes that started since have what they inherited.",
        "Rules that were applied once, and services that were restarted afterwards (Ananicy#17).",
    ),
    Check(
        "unit-drift",
        protection.unit_drift,
        "The main process of a service has not the value that its unit declares.",
        "Either the unit has no effect now, or the value is lost with the next start.",
        "A unit that said -500 while the process had 100: the user's manager may not lower it (GENesis-AGI#1882).",
    ),
    Check(
        "old-scale",
        protection.old_scale,
        "A process has a value from -17 to 15 that nobody known sets.",
        "On the old scale of oom_adj -17 meant never; here it means next to nothing.",
        "Scripts from before 2010 (yast#404).",
    ),
    Check(
        "postgres-unguarded",
        protection.postgres_unguarded,
        "A postmaster is at 0 or above, or its backends are below 0.",
        "If the postmaster is killed, the whole database goes down; if backends are protected, the one that eats all"
        " memory is.",
        "PostgreSQL's documentation, Linux memory overcommit.",
    ),
    Check(
        "futile-victim",
        choice.futile_victim,
        "The next victim frees less than 5 % of what the largest unprotected process holds, a tenth of all memory at"
        " least.",
        "Its death does not help, so others follow, until the one that matters has its turn.",
        "Small services at +200 or +1000 that die one after the other beside a huge process (earlyoom#230).",
    ),
    Check(
        "limit-near",
        memcgs.limit_near,
        "A memory cgroup uses more than 95 % of its limit, without page cache, and has no memory.high.",
        "The next allocations may kill somebody in it, without a sign before.",
        "Containers whose usage looked flat until they were killed (netdata#23039).",
    ),
    Check(
        "runs-out-soon",
        growth.runs_out_soon,
        "Watched for with --over only: the machine's memory, or the limit of a memory cgroup, is used up within an hour"
        " if it goes on like that; critical within five minutes.",
        "Somebody is killed then. Before, there is time to stop what grows, or to give it more.",
        "Leaks of which the graphs told after the kill.",
        watches=True,
    ),
    Check(
        "java-heap",
        memcgs.java_heap,
        "The largest heap of a Java process (-Xmx) is more than the limit of its cgroup.",
        "The kernel kills it before Java sees a reason to collect garbage.",
        "-Xmx that was chosen for the machine, in a container.",
    ),
    Check(
        "kill-allocating",
        choice.kill_allocating,
        "vm.oom_kill_allocating_task is 1.",
        "Not the worst process dies, but whoever asks for memory at the wrong moment; adj hardly counts.",
        "Images of machines that were tuned long ago (pke#60).",
    ),
    Check(
        "kills-seen",
        choice.kills_seen,
        "The kernel has killed since the last check; each user's checks count for themselves.",
        "A kill is easily overlooked: the service is started again, and what it did is lost.",
        "Kills that nobody noticed in the log (netdata#10875).",
    ),
    Check(
        "foreign-proc",
        surroundings.foreign_proc,
        "/proc is that of another PID namespace.",
        "A PID read there means another process here. oomctl refuses to write.",
        "unshare -p without --mount-proc.",
    ),
    Check(
        "hidden",
        surroundings.hidden,
        "There are processes that may not be seen from here.",
        "One of them may be the next victim, and no check has looked at them.",
        "Machines with hidepid=2 on /proc; there gid= lets a monitoring user look.",
    ),
    Check(
        "user-service-first",
        choice.user_service_first,
        "The next victim is a user's service at +100 or +200, and a larger process holds a tenth of all memory.",
        "systemd gives services of users 200; sound and desktop die before what ate the memory.",
        "pipewire before the browser (systemd#38492).",
    ),
    Check(
        "other-killer",
        surroundings.other_killer,
        "earlyoom, systemd-oomd, nohang or oomd runs.",
        "They kill earlier and by other rules than the kernel; two of them compete.",
        "earlyoom and systemd-oomd side by side (earlyoom#306).",
    ),
    Check(
        "no-swap",
        surroundings.no_swap,
        "systemd-oomd runs and there is no swap.",
        "It watches swap and pressure; without swap it often comes too late.",
        "facebookincubator/oomd#80.",
    ),
    Check(
        "zram-only",
        surroundings.zram_only,
        "All swap is zram.",
        "Its pages stay in RAM, compressed. A killer that waits for full swap waits too long.",
        "Start9Labs#3885.",
    ),
    Check(
        "overcommit-strict",
        surroundings.overcommit_strict,
        "vm.overcommit_memory is 2.",
        "Programs are refused memory while there is some left, and few of them can cope.",
        "kops#11079.",
    ),
    Check(
        "no-task-dump",
        surroundings.no_task_dump,
        "vm.oom_dump_tasks is 0.",
        "Reports have no table of processes: afterwards nobody can tell why this one was chosen.",
        "Kernels tuned for machines with very many processes.",
    ),
    Check(
        "sysrq-oom",
        surroundings.sysrq_oom,
        "kernel.sysrq does not allow Alt+SysRq+F.",
        "On a machine that hangs for want of memory it is the one thing that still works.",
        "The default of several distributions.",
    ),
    Check(
        "no-capability",
        surroundings.no_capability,
        "Root lacks CAP_SYS_RESOURCE here.",
        "No oom_score_adj can be lowered, so nothing can be protected from in here.",
        "Containers, also privileged ones (podman#20886).",
    ),
    Check(
        "other-oomctl",
        surroundings.other_oomctl,
        "sudo oomctl would start the program of the same name that systemd-oomd brings.",
        "What is typed with sudo does something else than what was tried without.",
        "Machines with systemd-oomd; oomadm is this program under a name that never clashes.",
    ),
)
IDS = tuple(check.id for check in CHECKS)
WATCHING = frozenset(check.id for check in CHECKS if check.watches)
AT_ONCE = tuple(check for check in IDS if check not in WATCHING)
"""What one look tells."""


def findings(look: Look, ids: Container[str] = IDS) -> list[Finding]:
    """Return what the checks ``ids`` find, the worst first, else in the order of the catalogue."""
    found = [finding for check in CHECKS if check.id in ids for finding in check.find(look)]
    return sorted(found, key=lambda finding: -finding.severity.rank)
