"""What pods are called: commands say where names come from, everything that is printed asks here."""

from __future__ import annotations

from typing import Any

from oomctl.pods import Lookup, Named, pod_of


def _nobody(uid: str, container_id: str | None) -> Named | None:
    return None


_lookup: Lookup = _nobody


def ask(lookup: Lookup | None) -> None:
    """Have names come from ``lookup`` from now on; None: pods are called by their UIDs."""
    global _lookup  # noqa: PLW0603  # as the terminal is, it is one thing of the whole run
    _lookup = lookup or _nobody


def named(uid: str, container_id: str | None = None) -> Named | None:
    """Return what a pod is called; None: not known."""
    return _lookup(uid, container_id)


def of(path: str | None) -> Named | None:
    """Return what the pod of a cgroup, and the container in it, are called; None: there is none, or it is not known."""
    pod = pod_of(path)
    return None if pod is None else named(pod.uid, pod.container_id)


def document(path: str | None) -> dict[str, Any] | None:
    """Return the ``pod`` object of the JSON contract for a cgroup; None: it is in no pod."""
    pod = pod_of(path)
    if pod is None:
        return None
    called = named(pod.uid, pod.container_id)
    return {
        "uid": pod.uid,
        "namespace": called and called.namespace,
        "name": called and called.name,
        "container": called and called.container,
        "container_id": pod.container_id,
        "qos": pod.qos,
    }
