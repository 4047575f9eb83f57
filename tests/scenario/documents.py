"""A scenario document with everything in it."""

from __future__ import annotations

from typing import Any


def a_document() -> dict[str, Any]:
    """A document with a value in every kind of field."""
    return {
        "schema": "oomctl.scenario/1",
        "kernel": "6.1.20",
        "page_size": 4096,
        "context": {
            "constraint": "memcg",
            "memcg": "/m",
            "totalpages": 100_000,
            "limits": {"version": 2, "memory_max": 1000, "swap_max": None},
            "nodes": {"0": {"present": 1000}},
            "memcgs": {"/m": {"version": 1, "memory_limit": 1000}},
            "current_mems": [0],
            "oom_group": ["/m"],
            "sysrq": False,
            "order": 0,
        },
        "tasks": [
            {"pid": 10, "comm": "big", "rss": 900, "adj": 0, "memcg": "/m"},
            {
                "pid": 11,
                "comm": "small",
                "rss": 5,
                "memcg": "/m",
                "mems": [0, 1],
                "mempolicy": {"mode": "bind", "nodes": [0]},
                "threads": [{"tid": 12, "comm": "worker"}],
                "exiting": False,
            },
        ],
    }
