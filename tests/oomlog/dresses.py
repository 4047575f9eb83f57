"""The dresses in which people and programs put a kernel log; each takes the log's lines, without their ends."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Callable

from oomctl.oomlog.prefix import split_prefix

Dress = Callable[[list[str]], list[str]]


def messages(lines: list[str]) -> list[str]:
    """Return what the kernel printed, without any prefix."""
    return [split_prefix(line).message for line in lines]


def _every(template: str) -> Dress:
    """Put ``template`` around every message; {n} is its number."""
    return lambda lines: [
        template.replace("{m}", line).replace("{n}", f"{number:06d}") for number, line in enumerate(messages(lines))
    ]


def _around(front: str, behind: str = "") -> Dress:
    return lambda lines: [front + line + behind for line in lines]


def _json(key: str, **others: object) -> Dress:
    return lambda lines: [json.dumps({**others, key: line}) for line in messages(lines)]


def _one_json_line(lines: list[str]) -> list[str]:
    return [json.dumps({"timestamp": "2025-08-23T11:47:25Z", "message": "\n".join(messages(lines))})]


def _pretty_json(lines: list[str]) -> list[str]:
    events = [{"timestamp": 1755949645000, "message": line} for line in messages(lines)]
    return json.dumps({"events": events}, indent=4).splitlines()


def _array(lines: list[str]) -> list[str]:
    around = {"@timestamp": "2025-08-23T11:47:25Z", "host": {"name": "box"}}
    hits = [{"_source": {**around, "message": line}} for line in messages(lines)]
    return [json.dumps({"hits": {"hits": hits[i : i + 20]}}) for i in range(0, len(hits), 20)]


def _verbose(lines: list[str]) -> list[str]:
    header = "Sat 2025-08-23 11:47:25.{:06d} UTC [s=1d8f87cf60064ba690c44490f14bb3e3;i=a;b=b;m=1f;t=63d0739346a40;x=e5]"
    dressed = []
    for number, line in enumerate(messages(lines)):
        dressed += [header.format(number), "    _HOSTNAME=box", "    SYSLOG_IDENTIFIER=kernel"]
        dressed += [f"    MESSAGE={line}", "    PRIORITY=4"]
    return dressed


def _export(lines: list[str]) -> list[str]:
    dressed = []
    for number, line in enumerate(messages(lines)):
        dressed += [
            f"__CURSOR=s=1;i={number}",
            f"__REALTIME_TIMESTAMP=1755949645{number:06d}",
            "_HOSTNAME=box",
            "_TRANSPORT=kernel",
            f"MESSAGE={line}",
            "",
        ]
    return dressed


def _human(lines: list[str]) -> list[str]:
    first, *rest = messages(lines)
    return [f"[Aug23 11:47] {first}", *(f"[  +0.000063] {line}" for line in rest)]


def _hard_wrapped(lines: list[str], width: int = 80) -> list[str]:
    return [piece for line in lines for piece in ([line[i : i + width] for i in range(0, len(line), width)] or [""])]


def _mailed(lines: list[str]) -> list[str]:
    wrapper = textwrap.TextWrapper(76, break_long_words=False, break_on_hyphens=False, expand_tabs=False)
    return [piece for line in lines for piece in wrapper.wrap(line) or [""]]


def _syslog(lines: list[str]) -> list[str]:
    return _every("Aug 23 11:47:25 box kernel: {m}")(lines)


DRESSES: dict[str, Dress] = {
    "quoted twice": _around("> > "),
    "quoted in HTML": lambda lines: ["&gt; " + html.escape(line) for line in lines],
    "indented": _around("    "),
    "tabs in front": _around("\t\t"),
    "trailing blanks": _around("", "   "),
    "bold": _around("**", "**"),
    "code": _around("`", "`"),
    "a table's frame": _around("| ", "      |"),
    "blank lines between": lambda lines: [each for line in lines for each in (line, "")],
    "dmesg": _every("[  842.{n}] {m}"),
    "dmesg -H": _human,
    "dmesg -x": _every("kern  :warn  : [  842.{n}] {m}"),
    "dmesg -x -T": _every("kern  :warn  : [Sat Aug 23 11:47:25 2025] {m}"),
    "dmesg -r": _every("<4>[  842.{n}] {m}"),
    "dmesg in ISO": _every("2025-08-23T11:47:25,{n}+00:00 {m}"),
    "the first bracket lost": lambda lines: [line.removeprefix("[") for line in _every("[  842.{n}] {m}")(lines)],
    "a prompt in front": lambda lines: (
        ["root@router-4:/ lr" + line for line in _every("[  842.{n}] {m}")(lines)[:1]]
        + _every("[  842.{n}] {m}")(lines)[1:]
    ),
    "/dev/kmsg": lambda lines: [f"4,{number},842{number:06d},-;{line}" for number, line in enumerate(messages(lines))],
    "syslog": _syslog,
    "syslog with the stamp": _every("Aug 23 11:47:25 box kernel: [  842.{n}] {m}"),
    "syslog in RFC 5424": _every("<4>1 2025-08-23T11:47:25.{n}+02:00 box kernel - - - {m}"),
    "rsyslog": _every("2025-08-23T11:47:25.{n}+02:00 box kernel: {m}"),
    "a receiver": _every("Received message  <4>Aug 23 11:47:25 box kernel: [  842.{n}] {m} "),
    "a receiver with address": _every("192.0.2.7 : <4>Aug 23 11:47:25 box kernel: [  842.{n}] {m}"),
    "a router": _every("[W] Aug 23 11:47:25 kernel: {m}"),
    "OpenWrt": _every("Sat Aug 23 11:47:25 2025 kern.warn kernel: [  842.{n}] {m}"),
    "busybox": _every("Aug 23 11:47:25 box kern.warn kernel: {m}"),
    "Talos": _every("192.0.2.7: kern: warning: [2025-08-23T11:47:25.{n}Z]: {m}"),
    "a hypervisor": _every("2025-08-24T10:49:30.125Z In(05) vcpu-5 - Guest: <4>[  842.{n}] {m}"),
    "a test runner": _every("2025-08-23T11:47:25.620+00:00 node-0-1     !WARNING | kernel: {m}"),
    "Kibana": _every("Aug 23, 2025 @ 11:47:25.000\tbox\t{m}"),
    "logcat": _every("08-23 11:47:25.123     0     0 W         : {m}"),
    "Android's kernel log": _every("<4>[  842.{n}]  (1)[317:lmkd]{m}"),
    "CRI": _every("2025-08-23T11:47:25.{n}Z stdout F {m}"),
    "docker logs -t": _every("2025-08-23T11:47:25.{n}Z {m}"),
    "CloudWatch, ISO": _every("2025-08-23T11:47:25.000Z {m}"),
    "CloudWatch, text": _every("EVENTS\t1755949645000\t{m}"),
    "Loki": _every('2025-08-23T11:47:25Z {host="box", job="kernel"} {m}'),
    "fluentd": lambda lines: [
        "2025-08-23 11:47:25.000 +0000 kernel: " + json.dumps({"message": line}) for line in messages(lines)
    ],
    "docker's json-file": lambda lines: [
        json.dumps({"log": line + "\n", "stream": "stdout", "time": "2025-08-23T11:47:25.1Z"})
        for line in messages(lines)
    ],
    "journalctl -o json": lambda lines: [
        json.dumps({"__REALTIME_TIMESTAMP": f"1755949645{number:06d}", "_TRANSPORT": "kernel", "MESSAGE": line})
        for number, line in enumerate(messages(lines))
    ],
    "journalctl -o verbose": _verbose,
    "journalctl -o export": _export,
    "journalctl -r": lambda lines: _syslog(lines)[::-1],
    "newest first": lambda lines: lines[::-1],
    "fluent-bit": _json("log", date=1755949645.5, host="box"),
    "a shipper in a shipper": lambda lines: [
        json.dumps({"time": "2025-08-23T11:47:25Z", "log": json.dumps({"msg": line})}) for line in messages(lines)
    ],
    "one line of JSON": _one_json_line,
    "JSON over many lines": _pretty_json,
    "search hits": _array,
    "wrapped at 80": _hard_wrapped,
    "wrapped at 80, syslog": lambda lines: _hard_wrapped(_syslog(lines)),
    "wrapped at 100, quoted": lambda lines: ["> " + line for line in _hard_wrapped(_syslog(lines), 100)],
    "mailed": _mailed,
    "mailed, syslog": lambda lines: _mailed(_syslog(lines)),
}
