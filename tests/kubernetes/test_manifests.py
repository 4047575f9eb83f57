"""What stands in examples/kubernetes, by the schemas that Kubernetes publishes for each of its versions."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from kubernetes_validate import utils as schemas

from tests.kubernetes import manifests


def _minor(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")[:2]))


OLDEST = (1, 30)
"""The first that knows appArmorProfile and recursiveReadOnly."""
VERSIONS = [one for one in dict.fromkeys(schemas.all_versions()) if _minor(one) >= OLDEST]
FILES = sorted(path for path in manifests.DIRECTORY.glob("*.yaml") if path.name != "kustomization.yaml")
RESOURCES = [resource for path in FILES for resource in yaml.safe_load_all(path.read_text())]
KUSTOMIZATION = yaml.safe_load((manifests.DIRECTORY / "kustomization.yaml").read_text())
PODS = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in RESOURCES if one["kind"] == "DaemonSet"}


def writable_paths(spec: dict[str, Any]) -> list[str]:
    """Return what of the node a pod may write."""
    (container,) = spec["containers"]
    paths = {one["name"]: one["hostPath"]["path"] for one in spec["volumes"] if "hostPath" in one}
    mounts = [mount for mount in container["volumeMounts"] if mount["name"] in paths]
    return [paths[mount["name"]] for mount in mounts if not mount.get("readOnly")]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_file_is_valid_in_every_version(version: str) -> None:
    for resource in RESOURCES:
        schemas.validate(resource, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_field_that_does_not_exist_is_seen(version: str) -> None:
    (wrong,) = [copy.deepcopy(one) for one in RESOURCES if one["metadata"]["name"] == "oomadm-policy"]
    wrong["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFileSystem"] = True
    with pytest.raises(schemas.ValidationError):
        schemas.validate(wrong, version, strict=True)


def test_there_are_many_versions() -> None:
    assert len(VERSIONS) >= 5


def test_each_file_is_part_of_what_is_applied() -> None:
    assert sorted(KUSTOMIZATION["resources"]) == [path.name for path in FILES]


@pytest.mark.parametrize("name", PODS)
def test_no_pod_has_more_rights_than_it_says(name: str) -> None:
    spec = PODS[name]
    (container,) = spec["containers"]
    security = container["securityContext"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
    assert security["capabilities"]["drop"] == ["ALL"]
    assert not {"hostNetwork", "hostIPC"} & spec.keys()
    assert "privileged" not in security
    assert "memory" in container["resources"]["limits"]


def test_the_pod_that_looks_may_write_one_directory() -> None:
    spec = PODS["oomadm-metrics"]
    assert "hostPID" not in spec
    assert "add" not in spec["containers"][0]["securityContext"]["capabilities"]
    assert writable_paths(spec) == ["/var/lib/node_exporter/textfile_collector"]


def test_the_pod_that_writes_may_write_no_file_of_the_node() -> None:
    assert writable_paths(PODS["oomadm-policy"]) == []


@pytest.mark.kubernetes
@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_what_kubectl_makes_of_it_is_valid(version: str) -> None:
    kinds = [resource["kind"] for resource in manifests.rendered()]
    assert sorted(kinds) == ["ConfigMap", "DaemonSet", "DaemonSet", "Namespace"]
    for resource in manifests.rendered():
        schemas.validate(resource, version, strict=True)


@pytest.mark.kubernetes
def test_the_image_stands_in_one_place() -> None:
    (image,) = KUSTOMIZATION["images"]
    found = {manifests.pod_spec(name)["containers"][0]["image"] for name in PODS}
    assert found == {f"{image['newName']}:{image['newTag']}"}


@pytest.mark.kubernetes
def test_all_is_in_the_namespace_that_may_hold_it() -> None:
    (namespace,) = [one for one in manifests.rendered() if one["kind"] == "Namespace"]
    others = {one["metadata"]["namespace"] for one in manifests.rendered() if one["kind"] != "Namespace"}
    assert others == {namespace["metadata"]["name"]}
    assert namespace["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "privileged"}


@pytest.mark.kubernetes
def test_other_rules_are_another_configmap_so_that_the_pods_start_anew() -> None:
    spec = manifests.pod_spec("oomadm-policy")
    (name,) = [one["configMap"]["name"] for one in spec["volumes"] if "configMap" in one]
    assert name != "oomadm-policy"
    assert manifests.config_maps()[name] == {"policy.toml": (manifests.DIRECTORY / "policy.toml").read_text()}
