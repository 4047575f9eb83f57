"""Kernels of distributions by what their releases look like, and what they took from later versions.

For documents and logs, and for what a kernel cannot be asked. A row is what was read in a public tree or changelog;
its comment says which. What was not read follows from the version that the kernel is based on, and where that may
decide who dies the row says so.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple


class Backport(Enum):
    """What a kernel has before the mainline version of its number has it."""

    POINTS_DISCOUNT = "3 % off its points for CAP_SYS_ADMIN, not of totalpages (778c14affaf9)"
    OOM_GROUP = "memory.oom.group"
    NO_SACRIFICE = "no child dies for its parent (bbbe48029720)"
    LAST_OF_EQUALS = "the last of equals dies, and of a memory cgroup the thread group leaders are visited (5.3)"
    SIGNED = "negative badness keeps its order (9066e5cfb73c)"
    PER_CPU_RSS = "RSS in per-CPU counters (f1a7941243c1)"
    EXACT_STATUS = "exact sums in status and statm (82241a83cd15)"


class Unsure(Enum):
    """What nobody has verified of a kernel, and what may decide who dies."""

    SIGN = "whether negative badness keeps its order"
    CHOICE = "how it chooses: a rule of its own, or one of a later version"


class Distribution(NamedTuple):
    """One distribution's kernels of one kind."""

    what: str
    """In a few words, for people."""
    marks: tuple[str, ...]
    """One of these is in the release: that is quicker to tell than whether a pattern matches."""
    release: str
    """A pattern, which matches at the start. What it calls ``build`` is a number."""
    base: tuple[int, int] | None = None
    """The mainline version whose rules these are; None: that in the release."""
    backports: tuple[Backport, ...] = ()
    unsure: frozenset[Unsure] = frozenset()
    builds: range = range(1 << 31)


_EL7 = r"3\.10\.0-\d+\S*\.el7(?!uek|\.elrepo)"
_EL8 = r"4\.18\.0-(?P<build>\d+)\S*\.el8"
_UBUNTU_5_4 = r"5\.4\.0-(?P<build>\d{1,3})-(?:generic|lowlatency)"
_UBUNTU_CLOUD_5_4 = r"5\.4\.0-(?P<build>\d{4})-[a-z]"
_UEK_5_4 = r"5\.4\.17-(?P<build>\d+)\S*uek"
_DEBIAN_PORTS = (
    r"(?:amd64|arm64|686|armmp|marvell|rpi|powerpc64le|s390x|riscv64|4kc|5kc|octeon|loongson|mips64r2el|loong64)"
)
_RHEL_8_1 = (Backport.OOM_GROUP, Backport.NO_SACRIFICE)
_RHEL_8_3 = (*_RHEL_8_1, Backport.LAST_OF_EQUALS)
# Where it is not known whether status sums exactly: both kinds of kernel show the killer's own RSS in stat, and swap as
# it is read then, with its bounds, holds for both.
_PER_CPU_EITHER_WAY = (Backport.PER_CPU_RSS, Backport.EXACT_STATUS)
_OF_6_2_EITHER_WAY = (Backport.EXACT_STATUS,)
_SIGN = frozenset({Unsure.SIGN})
_CHOICE = frozenset({Unsure.CHOICE})


def _row(
    what: str,
    marks: str,
    release: str,
    base: tuple[int, int] | None = None,
    backports: tuple[Backport, ...] = (),
    unsure: frozenset[Unsure] = frozenset(),
    builds: range = range(1 << 31),
) -> Distribution:
    return Distribution(what, tuple(marks.split()), release, base, backports, unsure, builds)


# The first that matches is taken.
_DISTRIBUTIONS = (
    # OpenVZ/vzkernel @ 004d455d2c0f (on RHEL 9): oom_evaluate_task asks oom_worse(), by overdraft before points.
    _row("Virtuozzo 7, which chooses by overdraft", ".vz7", r"3\.10\.0-\S*\.vz7", (3, 10), (), _CHOICE),
    _row("Virtuozzo 8, which chooses by overdraft", ".vz8", r"4\.18\.0-\S*\.vz8", (4, 18), _RHEL_8_3, _CHOICE),
    _row(
        "Virtuozzo 9, which chooses by overdraft", ".vz9", r"5\.14\.0-\S*\.vz9", (5, 14), _PER_CPU_EITHER_WAY, _CHOICE
    ),
    _row("a kernel of Virtuozzo or OpenVZ, which choose by overdraft", ".vz", r"\S*\.vz\d", None, (), _CHOICE),
    # Not read.
    _row("CloudLinux's kernel with limits of its own", ".lve", r"4\.18\.0-\S*\.lve", (4, 18), _RHEL_8_3, _CHOICE),
    _row("CloudLinux's kernel with limits of its own", ".lve", r"\S*\.lve", None, (), _CHOICE),
    # alibaba/cloud-kernel, Documentation of memory.use_priority_oom: memory cgroups of low priority first, if set.
    _row(
        "a kernel of Alibaba Cloud or Anolis, with memory.use_priority_oom",
        ".al .an",
        r"\S*\.(?:al|an)\w",
        None,
        (),
        _CHOICE,
    ),
    # Not read; OpenCloudOS is known to choose by priorities of memory cgroups.
    _row(
        "a kernel of Tencent or OpenCloudOS, with priorities of its own",
        ".tl .oc tlinux",
        r"\S*(?:\.tl\d|\.oc\d|tlinux)",
        unsure=_CHOICE,
    ),
    # openeuler-mirror/kernel @ 0201217cd6d4 (4.19.90): the last of equals, at least 1 point, and with
    # vm.memcg_qos_enable (off by default) memory cgroups of low priority first.
    _row("openEuler's 4.19", ".oe", r"4\.19\.90-\S*\.oe\d", None, (Backport.LAST_OF_EQUALS,), _CHOICE),
    _row("openEuler's kernel, with vm.memcg_qos_enable", "oe", r"\S*[.-]oe(?:\d|$)", None, _OF_6_2_EITHER_WAY, _CHOICE),
    # Built on openEuler's.
    _row(
        "a kernel of Kylin or UOS",
        ".ky .uel .kos",
        r"\S*(?:\.ky\d|\.uel|\.kos\d)",
        None,
        (Backport.EXACT_STATUS,),
        _CHOICE,
    ),
    # Vendors' hooks in the OOM killer, and lmkd, which kills first.
    _row("Android's kernel", "-android -qgki -perf", r"\S*-(?:android|qgki|perf-g)", None, (), _CHOICE),
    # Linux system calls on Windows; no OOM killer of Linux.
    _row("the first Windows Subsystem for Linux", "-Microsoft", r"4\.4\.0-\d+-Microsoft", None, (), _CHOICE),
    # The stable number is in the release.
    _row("the second Windows Subsystem for Linux", "-microsoft", r"\S*-microsoft-standard"),
    # Oracle's own, on a stable version that does not move while patches of later ones come in. Before build 2102 it was
    # before 5.4.144 (September 2021); later ones were not read.
    _row("Oracle's UEK 6", "uek", _UEK_5_4, (5, 4), (), builds=range(2102)),
    _row("Oracle's UEK 6", "uek", _UEK_5_4, (5, 4), (), _SIGN, range(2102, 2136)),
    _row("Oracle's UEK 6", "uek", _UEK_5_4, (5, 4), (Backport.SIGNED,), _SIGN),
    # oracle/linux-uek @ 05a6ddf49a6b: mm/oom_kill.c is as in mainline; no stable release of 5.15 changed a rule.
    _row("Oracle's UEK 7", "uek", r"5\.15\.0-\S*uek", (5, 15)),
    _row("Oracle's UEK 8", "uek", r"6\.12\.0-\S*uek", (6, 12), _OF_6_2_EITHER_WAY),
    _row("an old UEK of Oracle's", "uek", r"\S*uek", None, (), _CHOICE),
    # Mainline and stable releases under their own numbers.
    _row("ELRepo's build of a mainline kernel", ".elrepo", r"\S*\.elrepo"),
    # dcui/RHEL77 @ 8e63432c6cc0 (3.10.0-1062).
    _row("RHEL 7", ".el7", _EL7, (3, 10), (Backport.POINTS_DISCOUNT,)),
    # cai-fuqiang/linux-4.18.0-147 @ 23abf439b512.
    _row("RHEL 8.1", ".el8", _EL8, (4, 18), _RHEL_8_1, builds=range(147, 148)),
    # dongzhiyan-stack/linux-4.18.0-240.el8 @ 1369c8fad152; mkuron/almalinux-kernel @ 19e5db4a4989 (4.18.0-553.167.1,
    # the last minor): the same choice in both.
    _row("RHEL 8.3 or later", ".el8", _EL8, (4, 18), _RHEL_8_3, builds=range(240, 1 << 31)),
    # Not read.
    _row("RHEL 8.0 or 8.2", ".el8", _EL8, (4, 18), _RHEL_8_1, _CHOICE),
    # OpenVZ/vzkernel @ 3b29a884a01b (on 5.14.0-425.el9): no SPLIT_RSS_COUNTING any more. Earlier builds were not read;
    # split counters, too, show the killer's RSS in stat.
    _row("RHEL 9", ".el9", r"5\.14\.0-\d+\S*\.el9", (5, 14), _PER_CPU_EITHER_WAY),
    _row("RHEL 10", ".el10", r"6\.12\.0-\d+\S*\.el10", (6, 12), _OF_6_2_EITHER_WAY),
    # Stable numbers.
    _row("Fedora", ".fc", r"\S*\.fc\d"),
    _row("Amazon Linux", ".amzn", r"\S*\.amzn\d"),
    # Mainline builds of the kernel team: 6.8.0-060800-generic.
    _row("a mainline build for Ubuntu", "-generic -lowlatency", r"\d+\.\d+\.\d+-\d{6,7}-(?:generic|lowlatency)"),
    # balabit-deps/balabit-os-8-linux @ 870497283b57, debian.master/changelog: "Focal update: v5.4.144" came with
    # 5.4.0-90.101.
    _row("Ubuntu's 5.4 before it took v5.4.144", "5.4.0-", _UBUNTU_5_4, (5, 4), builds=range(90)),
    _row("Ubuntu's 5.4 with v5.4.144 and later", "5.4.0-", _UBUNTU_5_4, (5, 4), (Backport.SIGNED,)),
    # Clouds and boards count by themselves.
    _row("Ubuntu's 5.4 for a cloud or board", "5.4.0-", _UBUNTU_CLOUD_5_4, (5, 4), (), _SIGN, range(1000, 1060)),
    _row(
        "Ubuntu's 5.4 for a cloud or board",
        "5.4.0-",
        _UBUNTU_CLOUD_5_4,
        (5, 4),
        (Backport.SIGNED,),
        _SIGN,
        range(1060, 1100),
    ),
    _row("Ubuntu's 5.4 for a cloud or board", "5.4.0-", _UBUNTU_CLOUD_5_4, (5, 4), (Backport.SIGNED,)),
    # Patches of stable releases; of those, only 6.6.99, 6.12.38 and 6.15.7 changed a rule, that of status.
    _row("Ubuntu", "-generic -lowlatency", r"\d+\.\d+\.0-\d{1,3}-(?:generic|lowlatency)", None, _OF_6_2_EITHER_WAY),
    _row("Ubuntu for a cloud or board", ".0-1", r"\d+\.\d+\.0-1\d{3}-[a-z]", None, _OF_6_2_EITHER_WAY),
    # Built on Ubuntu's; the third number is that of a stable release.
    _row("Proxmox VE", "-pve", r"\S*-pve", None, _OF_6_2_EITHER_WAY),
    # The number behind the dash is that of the ABI, the stable one is not in the release; 4.9, 4.19, 5.10 and 6.1 kept
    # their rules in all stable releases.
    _row("Debian", ".0-", rf"\d+\.\d+\.0-\d\S*-{_DEBIAN_PORTS}", None, _OF_6_2_EITHER_WAY),
    # Not read: many patches on a base that does not move. stat shows the killer's RSS in all that it can have taken.
    _row("SUSE Linux Enterprise 15 on 5.14", "5.14.21-", r"5\.14\.21-\d+\S*-\w", (5, 14), _PER_CPU_EITHER_WAY),
    _row("SUSE Linux Enterprise 15 on 5.3", "5.3.18-", r"5\.3\.18-\d+\S*-\w", (5, 3), (), _SIGN),
    _row("SUSE Linux Enterprise on 4.12", "4.12.14-", r"4\.12\.14-\d+\S*-\w", (4, 12), (), _CHOICE),
    _row(
        "SUSE",
        "-default -azure -preempt -rt -64kb -kvmsmall",
        r"\S*-\d[\d.]*-(?:default|azure|preempt|rt|64kb|kvmsmall)",
        None,
        _OF_6_2_EITHER_WAY,
    ),
    # A vendor's count behind a first release: who knows what was added.
    _row("a distribution's kernel that nobody has read", ".0-", r"\d+\.\d+\.0-\d", None, _OF_6_2_EITHER_WAY, _CHOICE),
)

LABELS = {
    "rhel7": "3.10.0-1062.el7",
    "rhel8.1": "4.18.0-147.el8",
    "rhel8.3": "4.18.0-240.el8",
    "rhel9": "5.14.0-427.el9",
    "rhel10": "6.12.0-55.el10",
}
"""Names that stand for a release."""


def distribution_of(release: str) -> Distribution | None:
    """Return whose kernel it is, told by its release; None: mainline's or a stable release, whoever built it."""
    for row in _DISTRIBUTIONS:
        if not any(mark in release for mark in row.marks):
            continue
        match = re.match(row.release, release, re.ASCII)
        if match is not None and int(match.groupdict().get("build", 0)) in row.builds:
            return row
    return None
