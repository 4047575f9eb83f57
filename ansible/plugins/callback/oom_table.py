# Copyright: The oomctl developers
# MIT License (see the LICENSE file of oomctl)
# Prints what oom_facts found on all hosts as one table.

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
name: oom_table
type: stdout
short_description: Show who dies next on every host, as one table
version_added: "0.1.0"
description:
  - Prints a line for each host that C(oom_facts) was asked about, in the order of their names.
  - Prints a failure as the line of its host, and nothing of other tasks.
author:
  - The oomctl developers (@oomctl)
"""

from ansible.plugins.callback import CallbackBase

TITLES = ("HOST", "VICTIM", "PID", "ADJ", "RSS MIB", "CERTAINTY", "FINDINGS")


class CallbackModule(CallbackBase):
    """Collects a row for each host, and prints them when the play is over."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "oomadm.oomadm.oom_table"

    def __init__(self, *args, **kwargs):
        super(CallbackModule, self).__init__(*args, **kwargs)
        self._rows = {}

    def v2_runner_on_ok(self, result):
        oom = result._result.get("ansible_facts", {}).get("oom")
        if oom is not None:
            self._rows[result._host.get_name()] = _row(oom)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._rows[result._host.get_name()] = ["failed: %s" % result._result.get("msg")]

    def v2_runner_on_unreachable(self, result):
        self._rows[result._host.get_name()] = ["unreachable: %s" % result._result.get("msg")]

    def v2_playbook_on_stats(self, stats):
        rows = [[_visible(cell) for cell in [host] + row] for host, row in sorted(self._rows.items())]
        whole = [list(TITLES)] + [row for row in rows if len(row) == len(TITLES)]
        widths = [max(len(cell) for cell in column) for column in zip(*whole)]
        widths[0] = max(len(row[0]) for row in [list(TITLES)] + rows)
        for row in [list(TITLES)] + rows:
            self._display.display("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def _row(oom):
    found = [finding["id"] for finding in oom["findings"] if finding["severity"] != "info"]
    worst = ", ".join(sorted(set(found), key=found.index)) or "-"
    victim = oom["victim"]
    if victim is None:
        return ["nobody (%s)" % oom["outcome"], "-", "-", "-", "-", worst]
    sure = "%s, settled" % oom["certainty"] if oom["settled"] else oom["certainty"]
    mib = "%.1f" % (victim["rss_bytes"] / 1048576.0)
    return [victim["comm"], victim["pid"], victim["oom_score_adj"], mib, sure, worst]


def _visible(cell):
    """Return it without what would move the cursor: anybody can name a process anything."""
    return "".join(sign if sign.isprintable() else "?" for sign in "%s" % cell)
