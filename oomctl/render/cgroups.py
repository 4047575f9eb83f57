"""Names of cgroups for people, whole and in little room; which shapes of paths are known says ``cgroupshapes``."""

from __future__ import annotations

from oomctl.pods import Named
from oomctl.render import podnames
from oomctl.render.cgroupshapes import Place, is_hex, is_id, places
from oomctl.render.text import visible

_CONTAINERS = ("docker", "podman", "container", "containerd", "nerdctl", "lxc", "nspawn", "machine", "qemu", "nomad")
_OF_A_POD = ("container", "docker")
_ROOM_FOR_BOTH_ENDS = 12
_NEEDS_OUTER = ("step", "path")


def short_name(path: str) -> str:
    """Return ``pulse.service``, ``docker 00748bf4e957``, ``pod eded8c65 container ec9ee26695de``; else the path.

    Where the kubelet's files have the names: ``pod shop/cart-7d9f container app``.
    Harmless, whatever the cgroup is called.
    """
    return _joined(places(path)) if path.strip("/") else visible(path)


def short_name_within(path: str, room: int) -> str:
    """Return the short name in at most ``room`` characters.

    First what is around is left out, then digits of an id; a path loses parts of its middle. Of a pod that has a name
    the name stays longest.
    """
    named = places(path)
    name = _joined(named) or visible(path)
    if len(name) > room and (shorter := _pod_names(named)):
        return next((form for form in shorter if len(form) <= room), ellipsis(shorter[-1], room))
    for first in range(1, len(named) + 1):
        if len(name) <= room:
            return name
        if first == len(named) or named[first - 1].kind == "path" or named[first].kind in _NEEDS_OUTER:
            break
        # An id is known everywhere; the name of a unit only together with where it is.
        name = ("…" if named[first].kind == "unit" else "") + _joined(named[first:])
    return name if len(name) <= room else _cut(name, room)


def innermost(path: str) -> str:
    """Return the last word of it, for little room: a unit without its user or container."""
    named = places(path)
    return str(named[-1]) if named and named[-1].kind == "unit" else told(path)


def told(path: str) -> str:
    """Return the short name where it has to be seen that it is a cgroup: ``pulse.service``, but ``cgroup /a/b``."""
    name = short_name(path)
    return f"cgroup {name}" if name.startswith("/") else name


def pod_or_path(path: str) -> str:
    """Return ``pod shop/cart-7d9f container app`` where the names are known, else ``cgroup /a/b``."""
    return short_name(path) if podnames.of(path) else f"cgroup {visible(path)}"


def told_within(path: str, room: int) -> str:
    """Return the same in at most ``room`` characters."""
    name = told(path)
    if len(name) <= room or not name.startswith("cgroup /"):
        return short_name_within(path, room)
    return f"cgroup {short_name_within(path, room - len('cgroup '))}"


def container(path: str) -> str | None:
    """Return the whole id, or the name, of the innermost container or virtual machine; None: none is known."""
    return next((place.name for place in reversed(places(path)) if place.kind in _CONTAINERS), None)


def _joined(named: tuple[Place, ...]) -> str:
    text = after = ""
    pod: Named | None = None
    for place, inside in zip(named, (*named[1:], None)):
        # Paths go on where the name before them ends; a unit ends the path that leads to it.
        between = "" if not text or place.kind == "path" else "/" if after == "path" else " "
        word = str(place)
        if place.kind == "pod":
            pod = _called(place, inside)
            word = visible(f"pod {pod.namespace}/{pod.name}") if pod else word
        elif pod is not None and pod.container is not None and after == "pod" and place.kind in _OF_A_POD:
            word = visible(f"container {pod.container}")
        text, after = f"{text}{between}{word}", place.kind
    return text


def _called(pod: Place, inside: Place | None) -> Named | None:
    """Return what the kubelet calls a pod and the container in it."""
    if pod.of_a_user:
        return None
    is_container = inside is not None and inside.kind in _OF_A_POD and is_id(inside.name)
    return podnames.named(pod.name, inside.name if inside is not None and is_container else None)


def _pod_names(named: tuple[Place, ...]) -> list[str]:
    """Return shorter and shorter names of a pod or its container; none where it is something else, or has no name."""
    first = next((index for index, place in reversed(list(enumerate(named))) if place.kind == "pod"), None)
    if first is None or [place.kind for place in named[first + 1 :] if place.kind not in _OF_A_POD]:
        return []
    pod = _called(named[first], named[first + 1] if named[first + 1 :] else None)
    if pod is None:
        return []
    whole = visible(f"{pod.namespace}/{pod.name}")
    with_container = [visible(f"{whole} {pod.container}")] if pod.container else []
    return [_joined(named[first:]), *with_container, whole, visible(pod.name)]


def _cut(name: str, room: int) -> str:
    """Shorten a name that is too long whatever is left out around it."""
    kind, _, digits = name.rpartition(" ")
    if kind and len(digits) in (8, 12) and is_hex(digits):
        return cut(name if len(kind) + 6 <= room else digits, room)
    parts = name.split("/")
    for kept in range(len(parts) - 2, 0, -1):  # whole parts at both ends, more of them at the inner one
        head = "/".join(parts[: 1 + kept // 3])
        shorter = f"{head}/…/{'/'.join(parts[len(parts) - (kept - kept // 3) :])}"
        if len(shorter) <= room:
            return shorter
    if len(parts) > 1:
        if not parts[0] and parts[-1].endswith("…") and is_hex(parts[-1][:-1]):
            return cut(f"…/{parts[-1]}", room)  # of an id it is the beginning that others show
        name = f"{parts[0]}/…" if parts[0] else f"…/{parts[-1]}"
    return ellipsis(name, room) if room >= _ROOM_FOR_BOTH_ENDS else cut(name, room)


def cut(text: str, room: int) -> str:
    """Return the beginning of ``text``, of at most ``room`` characters with an ellipsis at its end."""
    return text if len(text) <= room else f"{text[: max(room - 1, 0)]}…"[: max(room, 0)]


def ellipsis(text: str, room: int) -> str:
    """Return ``text`` in at most ``room`` characters; what does not fit is left out of its middle."""
    if len(text) <= room:
        return text
    head = max(room - 1, 0) // 2
    tail = max(room - 1 - head, 0)
    return f"{text[:head]}…{text[len(text) - tail :]}"[: max(room, 0)]
