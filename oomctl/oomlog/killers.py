"""What is told of OOM kills by others than the kernel: killers in user space, and programs that tell of the kernel's.

systemd-oomd, earlyoom, nohang, Android's lmkd (and the kernel driver before it) and Talos kill by rules of their own;
systemd and the kubelet tell that the kernel killed. What such a line says is believed by its tag alone, as everything
in a text is: who can write to the log can write one.

To teach a new one, add a row to ``_TELLERS``: a word that every such line holds, the tag that has to stand in front
(None: any or none), and a function from the words behind the tag to what they say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from oomctl.model.oomreport import KERNEL, Elsewhere, Kill, SeenIn
from oomctl.oomlog.between import Between
from oomctl.oomlog.prefix import Line
from oomctl.oomlog.table import LONGEST_NAME

OOMD, EARLYOOM, NOHANG, LMKD, TALOS = "systemd-oomd", "earlyoom", "nohang", "lmkd", "talos"
LOWMEMORYKILLER = "lowmemorykiller"
"""The driver of Android's kernels up to 4.11; programs of Android 10 and later keep its name as their tag."""
_LONGEST_WHY = 300


class Told(NamedTuple):
    """What one line says."""

    elsewhere: Elsewhere
    kill: Kill | None = None
    host: str | None = None
    failed: bool = False
    """The kill that was told last did not happen."""
    chosen: bool = False
    """Nobody was killed yet: it says who is meant by "the victim" of a later line."""
    of_the_chosen: bool = False
    """The other half: the signal, for the one that an earlier line named."""


# systemd-oomd

_OOMD = re.compile(r"(?:Killed|Marked) (\S{1,1000})(?: for killing)? due to (memory .*)")
_OOMD_UNIT = re.compile(r"(\S{1,255}): systemd-oomd killed (?:(\d{1,9})|some) process(?:\(es\)|es) in this unit")


def _oomd(words: str) -> Told | None:
    match = _OOMD.match(words)
    return Told(Elsewhere(OOMD, match[1], signal="SIGKILL", why=match[2][:_LONGEST_WHY])) if match else None


def _oomd_unit(words: str) -> Told | None:
    match = _OOMD_UNIT.match(words)
    if match is None:
        return None
    return Told(Elsewhere(OOMD, unit=match[1], processes=int(match[2]) if match[2] else None, signal="SIGKILL"))


# systemd and the kubelet, of the kernel's kills

_UNIT = re.compile(
    r"(\S{1,255}): (?:A process of this unit has been killed by the OOM killer"
    r"|The kernel OOM killer killed some processes in this unit)"
)
_RESULT = re.compile(r"(\S{1,255}): Failed with result 'oom-kill'")
_SYSTEM_OOM = re.compile(r"victim process: (.{1,64}?), pid: (\d{1,10})\b")


def _unit(words: str) -> Told | None:
    match = _UNIT.match(words)
    return Told(Elsewhere(KERNEL, unit=match[1])) if match else None


def _result(words: str) -> Told | None:
    """``Failed with result 'oom-kill'`` follows both killers' kills."""
    match = _RESULT.match(words)
    return Told(Elsewhere(None, unit=match[1])) if match else None


def _system_oom(words: str) -> Told | None:
    match = _SYSTEM_OOM.search(words)
    return Told(Elsewhere(KERNEL), _kill(match[2], match[1])) if match else None


# earlyoom and nohang

_EARLYOOM = (
    # 1.3 and later; the name stands in quotes and may hold some itself.
    Between(
        r"sending (SIG[A-Z]{3,5}) to process (\d{1,10})(?: uid (\d{1,10}))? \"",
        r"\": (?:badness|oom_score) -?\d{1,6}, VmRSS (\d{1,12}) MiB",
    ),
    Between(
        r"[Kk]illing process (\d{1,10}) \"",
        r"\" with signal (\d{1,2}): badness -?\d{1,6}, VmRSS (\d{1,12}) MiB",
    ),
)
_EARLYOOM_1_0 = re.compile(r"[Kk]illing process (\d{1,10}) ([^\s\"].{0,63})$")
_SIGNALS = {"9": "SIGKILL", "15": "SIGTERM"}
_NOT_DONE = re.compile(r"kill failed: |dryrun, not actually sending")
_NOHANG_CHOICE = re.compile(r"\bP[Ii][Dd]: (\d{1,10}), [Nn]ame: (.{1,64}?), badness: -?\d{1,6}")
_NOHANG_SIGNAL = re.compile(r"\bSend(?:ing)? (SIG[A-Z]{3,5}) to the victim")


def _earlyoom(words: str) -> Told | None:
    if _NOT_DONE.match(words):
        return Told(Elsewhere(EARLYOOM), failed=True)
    found = _EARLYOOM[0].search(words)
    if found is not None:
        kill = _kill(found.before[2], found.text, found.before[3], int(found.behind[1]) << 20)
        return Told(Elsewhere(EARLYOOM, signal=found.before[1]), kill)
    found = _EARLYOOM[1].search(words)
    if found is None:
        return None
    kill = _kill(found.before[1], found.text, None, int(found.behind[2]) << 20)
    return Told(Elsewhere(EARLYOOM, signal=_SIGNALS.get(found.behind[1])), kill)


def _earlyoom_1_0(words: str) -> Told | None:
    """``Killing process 7 chrome``: too little to be known without its tag."""
    match = _EARLYOOM_1_0.match(words)
    return Told(Elsewhere(EARLYOOM), _kill(match[1], match[2])) if match else None


def _nohang(words: str) -> Told | None:
    choice = _NOHANG_CHOICE.search(words)
    if choice is not None:
        return Told(Elsewhere(NOHANG), _kill(choice[1], choice[2]), chosen=True)
    signal = _NOHANG_SIGNAL.search(words)
    return Told(Elsewhere(NOHANG, signal=signal[1]), of_the_chosen=True) if signal else None


# Android and Talos

_LMKD = Between(r"\bKill(?:ing)? '", r"' \((\d{1,10})\)(?: \(tgid \d{1,10}\))?(?:,|$)")
_UID = re.compile(r"\buid (\d{1,10})\b")
_ADJ = re.compile(r"\b(?:oom_score_adj|adj) (-?\d{1,5})\b")
_RSS = re.compile(r"\bto free (\d{1,15})kB\b")
_REASON = re.compile(r"; reason: (.*)")
_TALOS = re.compile(r"[Ss]ending SIGKILL to cgroup (?:\{.{0,400}?\"cgroup\": ?\"([^\"]{1,1000})\"|(\S{1,1000}))")
_CGROUP_MOUNT = "/sys/fs/cgroup"


def _lmkd(words: str) -> Told | None:
    found = _LMKD.search(words)
    if found is None:
        return None
    behind = words[found.behind.start() :]
    uid, adj, rss, reason = (pattern.search(behind) for pattern in (_UID, _ADJ, _RSS, _REASON))
    kill = _kill(found.behind[1], found.text, uid[1] if uid else None, int(rss[1]) << 10 if rss else None)
    kill = kill._replace(oom_score_adj=_in_range(int(adj[1])) if adj else None)
    by = LMKD if uid or found.before[0] == "Kill '" else LOWMEMORYKILLER  # the driver prints no UID
    return Told(Elsewhere(by, signal="SIGKILL", why=reason[1][:_LONGEST_WHY] if reason else None), kill)


def _talos(words: str) -> Told | None:
    match = _TALOS.search(words)
    if match is None:
        return None
    return Told(Elsewhere(TALOS, (match[1] or match[2]).removeprefix(_CGROUP_MOUNT), signal="SIGKILL"))


def _in_range(adj: int) -> int | None:
    return adj if -1000 <= adj <= 1000 else None


def _kill(pid: str, comm: str, uid: str | None = None, rss_bytes: int | None = None) -> Kill:
    return Kill(
        int(pid),
        comm[:LONGEST_NAME],
        int(uid) if uid else None,
        seen_in=SeenIn.PROGRAM,
        whole_rss_bytes=rss_bytes,
    )


class _Teller(NamedTuple):
    """One row of ``_TELLERS``."""

    word: str
    tag: re.Pattern[str] | None
    read: Callable[[str], Told | None]


_SYSTEMD = re.compile(r"systemd$")
_TELLERS = (
    _Teller("due to memory ", re.compile(r"systemd-oomd$"), _oomd),
    _Teller("systemd-oomd killed ", _SYSTEMD, _oomd_unit),
    _Teller("OOM killer", _SYSTEMD, _unit),
    _Teller("result 'oom-kill'", _SYSTEMD, _result),
    _Teller("victim process: ", None, _system_oom),
    _Teller("to process ", re.compile(r"earlyoom$"), _earlyoom),
    _Teller("illing process ", re.compile(r"earlyoom$"), _earlyoom),
    _Teller("illing process ", re.compile(r"earlyoom$"), _earlyoom_1_0),
    _Teller("kill failed: ", re.compile(r"earlyoom$"), _earlyoom),
    _Teller("dryrun, ", re.compile(r"earlyoom$"), _earlyoom),
    _Teller("badness: ", re.compile(r"nohang(?:-desktop)?$"), _nohang),
    _Teller(" to the victim", re.compile(r"nohang(?:-desktop)?$"), _nohang),
    _Teller("Kill", re.compile(r"lowmemorykiller$|lmkd$"), _lmkd),
    _Teller("to cgroup ", re.compile(r"talos$"), _talos),
)
_WORDS = tuple(dict.fromkeys(teller.word for teller in _TELLERS))
_FARTHEST_TAG = 300
# "host earlyoom[1233]: words", "I lowmemorykiller: words"
_TAG = re.compile(r"(?:^|[\s>])([\w.@-]{1,64})(\[\d{1,10}\])? ?: ")
_TALOS_TAG = re.compile(r"(?:^|\s)\[(talos)()\] ")
_UNTAGGED = (_earlyoom, _nohang, _unit, _oomd_unit, _result)
"""What is recognised without a tag as well, for who pastes the output of a terminal."""


def read(line: Line) -> Told | None:
    """Return what a line says of a kill; None: nothing that is known here, as of the kernel's own lines."""
    text = line.message
    if not any(word in text for word in _WORDS):
        return None
    tag = _TALOS_TAG.search(text, 0, _FARTHEST_TAG) or _TAG.search(text, 0, _FARTHEST_TAG)
    if (line.tagged or line.uptime_s is not None) and not _is_first(text, tag, line):
        return None  # the kernel's: names in it may hold anything
    for teller in _TELLERS:
        words = _words(teller, line, tag) if teller.word in text else None
        told = teller.read(words) if words is not None else None
        if told is not None:
            return told._replace(host=line.host or _host(text, tag))
    return None


def _host(text: str, tag: re.Match[str] | None) -> str | None:
    """The word in front of ``earlyoom[1233]: ``, where there is one and no more."""
    before = text[: tag.start()] if tag is not None and tag[2] else ""
    return before if before and not set(before) & set(" :") else None


def _is_first(text: str, tag: re.Match[str] | None, line: Line) -> bool:
    """Whether nothing stands before a tag, but a host where the stamp is not that of a ``kernel:`` line."""
    if tag is None:
        return False
    return tag.start() == 0 or (not line.tagged and " " not in text[: tag.start()])


def _words(teller: _Teller, line: Line, tag: re.Match[str] | None) -> str | None:
    """What stands behind the tag that a teller has to have; None: it is another's."""
    if teller.tag is None:
        return line.message
    if tag is not None and teller.tag.match(tag[1]):
        return line.message[tag.end() :]
    return line.message if teller.read in _UNTAGGED and not line.foreign else None


# Android's logcat, and Talos: user: warning: [2026-01-12T20:27:31.913975631Z]: [talos]
_OTHER_DATE = re.compile(
    r"(\d\d-\d\d \d\d:\d\d:\d\d\.\d{3,6}) |[a-z]{1,9}: {1,4}[a-z]{1,9}: {1,4}\[(\d{4}-[\dT:.-]{6,30}Z)\]"
)
_CLOCK = re.compile(r"\b(\d\d):(\d\d):(\d\d)\b")


def time_text_of(line: Line) -> str | None:
    """Return the date in front of a line, also Android's and Talos's; None: there is none."""
    if line.time_text is not None:
        return line.time_text
    match = _OTHER_DATE.match(line.message)
    return match[1] or match[2] if match else None


def clock_s(time_text: str | None) -> int | None:
    """Return the seconds since midnight that a date tells; None: it has no time of day."""
    match = _CLOCK.search(time_text or "")
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3]) if match else None


def near(one: int | None, other: int | None, seconds: int) -> bool:
    """Whether two times of day are that near, or one of them is not known."""
    if one is None or other is None:
        return True
    return min((one - other) % 86400, (other - one) % 86400) <= seconds
