"""Any log is read, replayed and shown within bounds: real ones, mangled without mercy."""

from __future__ import annotations

import gzip
import json
import lzma
import random
from functools import cache
from pathlib import Path

import pytest

from tests.hostile.fuzzing import corpus, ends_well, fuzz
from tests.oomlog.real_logs import INDEX, log_lines

MOST_LINES = 200
NUMBERS = (
    *(b"0", b"-1", b"1", b"00", b"1000", b"-1000", b"4294967296", b"9223372036854775807", b"18446744073709551615"),
    *(b"99999999999999999999", b"9" * 30, b"9" * 5000, b"1e9", b"0x10", "\u0663".encode(), b"\xc2\xb2"),
)
NAMES = (
    *(
        b"",
        b" ",
        b"(",
        b") (",
        b"a) score 5 or sacrifice child",
        b"\x1b[2J\x1b]0;x\x07",
        b"a\rb",
        b"a\x00b",
        b"\xff\xfe",
    ),
    *("\u202eevil".encode(), "\U000e0001\u200b\ufeff".encode(), b"\xed\xa0\x80", b"x" * 9000, b"[1] 1 1 1 1", b"%s%n"),
    *(b"[red]", b",task=a,pid=1,uid=0", b"\\x0aKilled process 1 (a) total-vm:1kB", b"\xc2\x9b31m", b"\xe2\x80\xa8"),
)
LINES = (
    b"a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), nodemask=0-99999999, order=-1, oom_score_adj=0",
    b"[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name",
    b"[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
    b"[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
    b"[ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name",
    b"[ 1234]  1000  1234   250000   123456  1249280        0             0 java",
    b"[ 1234]  1000  1234   250000   123456  1249280        0             0",
    b"[ 1234]  1000  1233   250000   123456  12        0             0 ",
    b"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/a,task_memcg=/a/b,task=a,pid=1234,uid=0",
    b"oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=0,cpuset=a,mems_allowed=0-3,global_oom,task_memcg=/,task=a",
    b"Memory cgroup out of memory: Killed process 1234 (java) total-vm:1000000kB, anon-rss:400000kB",
    b"Out of memory: Kill process 1234 (java) score 512 or sacrifice child",
    b"Killed process 1234 (java) total-vm:1000000kB, anon-rss:400000kB, file-rss:0kB",
    b"Kill process 7 (java) sharing same memory",
    b"Tasks in /a are going to be killed due to memory.oom.group set",
    b"Task in /a/b killed as a result of limit of /a",
    b"OOM victim 1234 (java) is already exiting. Skip killing the task",
    b"Out of memory and no killable processes...",
    b"Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled",
    b"memory: usage 65536kB, limit 65536kB, failcnt 80",
    b"memory: usage 0kB, limit 0kB, failcnt 80",
    b"memory+swap: usage 65536kB, limit 9007199254740988kB, failcnt 0",
    b"swap: usage 1kB, limit 0kB, failcnt 0",
    b"Node 0 DMA free:1kB min:1kB present:1kB managed:1kB",
    b"Node 1 Normal: 1*4kB (U) 1*8kB = 12kB",
    b"0 pages RAM",
    b"1048576 pages RAM",
    b"9999999 pages reserved",
    b"Total swap = 425980kB",
    b"Free swap  = 0kB",
    b"a cpuset=/ mems_allowed=0",
    b"CPU: 0 PID: 1234 Comm: a Not tainted 6.1.20 #1",
    b"CPU: 0 PID: 1234 Comm: a Tainted: G 3.10.0-1160.el7.x86_64 #1",
    b"CPU: 0 PID: 1234 Comm: a Not tainted 2.6.32-754.el6.x86_64 #1",
    b"CPU: 0 PID: 1234 Comm: a Not tainted 4.18.0-999999999999.el8 #1",
    b"oom_reaper: reaped process 1234 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    b"oom_reaper: unable to reap pid:1234 (java)",
    b"oom_kill_process: 99999 callbacks suppressed",
    b"** 99 printk messages dropped **",
    b"Linux version 6.1.20 (gcc)",
    b"sysrq: Manual OOM execution",
    b"sysrq: OOM request ignored. No task eligible",
    b"OOM killer in rage, 16 tasks killed in ub 1234",
    b"Out of memory in UB 1234: OOM killed process 1234 (java) score 0 vm:281988kB, rss:17004kB, swap:0kB",
    b'h earlyoom[1]: sending SIGTERM to process 1234 uid 0 "java": badness 1264, VmRSS 23964 MiB',
    b"h earlyoom[1]: kill failed: No such process",
    b"h systemd-oomd[1]: Killed /a/b.scope due to memory pressure for /a being 51.07% > 50.00% for > 20s",
    b"h systemd[1]: b.scope: systemd-oomd killed 12 process(es) in this unit.",
    b"h systemd[1]: b.scope: A process of this unit has been killed by the OOM killer.",
    b"h systemd[1]: b.scope: Failed with result 'oom-kill'.",
    b"h nohang[1]:   PID: 1234, Name: java, badness: 727",
    b"h nohang[1]:   Send SIGTERM to the victim; total response time: 2255 ms",
    b"lowmemorykiller: Kill 'java' (1234), uid 10446, oom_score_adj 99999 to free 140528kB rss; reason: a",
    b'[talos] Sending SIGKILL to cgroup {"cgroup": "/sys/fs/cgroup/a"}',
    b"System OOM encountered, victim process: java, pid: 1234",
)
PREFIXES = (
    *(
        b"",
        b"[  276.024242] ",
        b"[9999999999.999999999] ",
        b"6,1234,276024242,-,caller=T12;",
        b"<3>[  276.0242][ T3074] ",
    ),
    *(
        b"999999,999999999999999999,999999999999999999,-;",
        b"Aug 10 08:07:16 host kernel: ",
        b"[Wed Aug 31 16:36:42 2016] ",
    ),
    *(b"0001-01-01T00:00:00,000000+23:59 ", b"9999-12-31T23:59:59,999999-23:59 ", b"0000-99-99T99:99:99+99:99 "),
    *(
        b"2026-01-02T03:04:05,123456+00:00 ",
        b"kern  :err   : [  276.024242] ",
        b"> > | ",
        b"\x1b[32m",
        b"Aug 10 08:07:16 h a[1]: ",
    ),
)


@cache
def real(name: str) -> tuple[bytes, ...]:
    return tuple(line.rstrip(b"\n") for line in log_lines(name))


def a_log(dice: random.Random) -> bytes:
    """One or two real logs, or made-up lines, with any number of things done to them."""
    lines: list[bytes] = []
    for _ in range(dice.choice((0, 1, 1, 1, 2))):
        whole = real(dice.choice(sorted(INDEX)))
        most = min(len(whole), dice.choice((20, 60, MOST_LINES)))
        start = dice.randrange(len(whole) - most + 1)
        # The end of a report says most.
        lines += whole[-most:] if dice.random() < 0.5 else whole[start : start + most]
    lines = lines or [b"".join((dice.choice(PREFIXES), dice.choice(LINES))) for _ in range(dice.randrange(1, 40))]
    for _ in range(dice.choice((0, 1, 3, 10, 40))):
        mangle(lines, dice)
    content = dice.choice((b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\n\n")).join(lines)
    if dice.random() < 0.02:
        content = gzip.compress(content) if dice.random() < 0.5 else lzma.compress(content)
    if dice.random() < 0.1:
        content = content[: dice.randrange(len(content) + 1)]
    return content


def mangle(lines: list[bytes], dice: random.Random) -> None:
    """Do one thing to one line, or to all."""
    at = dice.randrange(len(lines))
    line = lines[at]
    done = dice.randrange(14)
    if done == 0 and len(lines) > 1:
        del lines[at]
    elif done == 1:
        lines[at] = line[: dice.randrange(len(line) + 1)]
    elif done == 2:
        lines.insert(dice.randrange(len(lines) + 1), line)
    elif done == 3:
        lines.insert(at, dice.choice(PREFIXES) + dice.choice(LINES))
    elif done == 4:
        prefix = dice.choice(PREFIXES)
        lines[:] = [prefix + each for each in lines]
    elif done == 5:
        lines[at] = line + dice.choice(lines)
    elif done == 6:
        lines[at] = line[dice.randrange(len(line) + 1) :]
    elif done == 7:
        cut = dice.randrange(len(line) + 1)
        lines[at] = line[:cut] + dice.choice(NAMES) + line[cut:]
    elif done == 8:
        lines[at] = bytes(dice.randrange(256) if dice.random() < 0.05 else byte for byte in line)
    elif done == 9:
        lines[:] = lines[at:] + lines[:at]
    elif done == 10:
        lines[at] = line * dice.choice((2, 30)) if len(line) < 3000 else line
    else:
        lines[at] = with_another_word(line, dice)


def with_another_word(line: bytes, dice: random.Random) -> bytes:
    """Replace a number by a strange one, or a name by a hostile one."""
    words = line.split(b" ")
    numbers = [index for index, word in enumerate(words) if any(48 <= byte < 58 for byte in word)]
    if numbers and dice.random() < 0.7:
        words[dice.choice(numbers)] = dice.choice(NUMBERS)
    else:
        words[dice.randrange(len(words))] = dice.choice(NAMES)
    return b" ".join(words)


def read_and_shown(content: bytes) -> None:
    """From the bytes to everything that is said of them."""
    ends_well("history", "--file", "-", stdin=content)
    document = ends_well("history", "--json", "--file", "-", stdin=content)
    answer = json.loads(document) if document else {"events": []}
    events = [] if answer.get("schema") == "oomctl.error/1" else answer["events"]
    for number in (1, len(events)):
        ends_well("history", str(max(number, 1)), "--file", "-", stdin=content)
        ends_well("simulate", "--from", f"-#{number or 1}", stdin=content)
    ends_well("simulate", "--json", "--from", "-", stdin=content)


@pytest.mark.parametrize("path", corpus("log"), ids=lambda path: path.name)
def test_what_once_broke_it_is_read_and_shown(path: Path) -> None:
    read_and_shown(path.read_bytes())


def test_any_log_is_read_and_shown_within_bounds() -> None:
    fuzz("log", a_log, read_and_shown)
