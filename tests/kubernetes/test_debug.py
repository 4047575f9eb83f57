"""The lines of examples/kubernetes/README.md for `kubectl debug node`, in a pod such as kubectl makes for it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy
from tests.kubernetes import manifests
from tests.kubernetes.pods import Pod, pod

pytestmark = [pytest.mark.kernel, pytest.mark.kubernetes]

README = (manifests.DIRECTORY / "README.md").read_text()


class Recipe(NamedTuple):
    """A block of lines."""

    debug: list[str]
    execs: list[list[str]]


def recipes() -> list[Recipe]:
    found = []
    for block in re.findall(r"```sh\n(kubectl debug .*?)```", README, re.DOTALL):
        first, *others = block.splitlines()
        found.append(Recipe(shlex.split(first), [shlex.split(line) for line in others]))
    return found


def debug_spec(words: list[str]) -> dict[str, Any]:
    """Return the pod (kubectl, pkg/cmd/debug: generateNodeDebugPod, and the profiles general and sysadmin)."""
    command = words[words.index("--") + 1 :]
    container: dict[str, Any] = {"command": command, "volumeMounts": [{"name": "host-root", "mountPath": "/host"}]}
    if "--profile=sysadmin" in words:
        container["securityContext"] = {"privileged": True}
    volumes = [{"name": "host-root", "hostPath": {"path": "/"}}]
    return {"hostPID": True, "hostNetwork": True, "volumes": volumes, "containers": [container]}


def run(found: Pod, words: list[str], pyz: Path) -> subprocess.CompletedProcess[str]:
    """Run what stands behind --; the file goes to a name that nobody else has."""
    command = words[words.index("--") + 1 :]
    assert words[:2] == ["kubectl", "exec"]
    stdin = b""
    if command[-1].startswith("<"):
        assert command.pop() == "<dist/oomadm.pyz"
        stdin = pyz.read_bytes()
    own = f"oomadm-{os.getpid()}.pyz"
    return found.run(*(word.replace("oomadm.pyz", own) for word in command), stdin=stdin)


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pyz") / "oomadm.pyz"
    command = [sys.executable, "packaging/pyz.py", "--output", str(path)]
    subprocess.run(command, cwd=manifests.ROOT, check=True, capture_output=True)
    return path


def test_there_is_one_with_and_one_without_python_on_the_node() -> None:
    assert ["chroot" in recipe.execs[1] for recipe in recipes()] == [True, False]


@pytest.mark.parametrize("recipe", recipes(), ids=["chroot", "the image's python"])
def test_the_recipe_names_the_nodes_next_victim(
    recipe: Recipe, tmp_path: Path, cgroup: ToyCgroup, nursery: Nursery, pyz: Path
) -> None:
    inside = cgroup.child("toy")
    inside.limit_bytes = 64 * MIB
    victim = nursery.start(Toy(inside, pages=8 * MIB // PAGE, adj=1000, name="oomtoy")).pid
    with pod(debug_spec(recipe.debug), tmp_path, cgroup) as found:
        ran = [run(found, words, pyz) for words in recipe.execs]
        _, top, simulated, *_ = ran
        own = [*recipe.execs[2], "--json"]
        said = json.loads(run(found, own, pyz).stdout) if len(ran) == 3 else None
    assert [(one.returncode, one.stderr) for one in ran] == [(0, "")] * len(ran)
    assert re.match(rf"RANK .*\n +1 +{victim} +(root|0) .* oomtoy\n", top.stdout), top.stdout
    assert simulated.stdout.startswith(f"{victim} (oomtoy) would die, "), simulated.stdout
    assert said is None or (said["victim"]["pid"], said["certainty"]) == (victim, "certain")
