"""Names of cgroups: every known shape of a path, and paths that only look like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomctl.pods import Named
from oomctl.render import podnames
from oomctl.render.cgroups import container, innermost, short_name, short_name_within, told, told_within
from oomctl.render.cgroupshapes import places

ID = "00748bf4e957f82c239a1db8a88579059b7d40c7b5fbd3f43617d31d3f646f12"
INNER = "ec9ee26695deb4cc72bc665efff1cf3a03fdfb12f1303e02fe9252985e084a95"
UID = "eded8c65-6e8e-4c6e-a889-3e427565c740"
UID_ = UID.replace("-", "_")
TASK = "0123456789abcdef0123456789abcdef"
POD = f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice"

NAMES = [
    # systemd
    ("/system.slice/mysql.service", "mysql.service"),
    ("/system.slice/system-postgresql.slice/postgresql@12-main.service", "postgresql@12-main.service"),
    ("/user.slice/user-1000.slice/session-40.scope", "user 1000 session-40.scope"),
    ("/user.slice/user-1000.slice/user@1000.service/app.slice/run-u640.service", "user 1000 run-u640.service"),
    ("/user.slice/user-1000.slice/user@1000.service/tmux-spawn-0bf5.scope", "user 1000 tmux-spawn-0bf5.scope"),
    ("/user.slice/user-1000.slice/user@1000.service/app.slice", "user 1000 app.slice"),
    ("/user.slice/user-1000.slice/user@1000.service", "user@1000.service"),
    ("/user.slice/user-1000.slice", "user-1000.slice"),
    ("/azure.slice/azure-x.slice/azure-x-logcollector.slice", "azure-x-logcollector.slice"),
    ("/azure.slice/azure-x.slice/azure-x-logcollector.slice/collect-logs.scope", "collect-logs.scope"),
    ("/system.slice/x.service/worker/1", "x.service/worker/1"),
    ("/system.slice/systemd-journal\\x2dupload.service", "systemd-journal\\x2dupload.service"),
    ("/init.scope", "init.scope"),
    ("pulse.service", "pulse.service"),
    # docker
    (f"/docker/{ID}", "docker 00748bf4e957"),
    (f"/system.slice/docker-{ID}.scope", "docker 00748bf4e957"),
    (f"docker-{ID}.scope", "docker 00748bf4e957"),
    (f"/docker/{ID}/docker/{INNER}", "docker 00748bf4e957 docker ec9ee26695de"),
    (f"/docker/{ID}/system.slice/ssh.service", "docker 00748bf4e957 ssh.service"),
    (f"/docker/{ID}/child/x", "docker 00748bf4e957/child/x"),
    # containerd, nerdctl
    (f"/default/{ID}", "containerd 00748bf4e957"),
    (f"/system.slice/nerdctl-{ID}.scope", "nerdctl 00748bf4e957"),
    # Kubernetes, with both drivers
    (f"/kubepods/burstable/pod{UID}/{ID}", "pod eded8c65 container 00748bf4e957"),
    (f"/kubepods/pod{UID}", "pod eded8c65"),
    (f"/kubepods/besteffort/pod{TASK}/{ID}", "pod 01234567 container 00748bf4e957"),
    (f"/{POD}", "pod eded8c65"),
    (f"/{POD}/cri-containerd-{ID}.scope", "pod eded8c65 container 00748bf4e957"),
    (f"/{POD}/docker-{ID}.scope", "pod eded8c65 docker 00748bf4e957"),
    (f"/{POD}/crio-{ID}.scope/container", "pod eded8c65 container 00748bf4e957"),
    (f"/{POD}/crio-conmon-{ID}.scope", "pod eded8c65 conmon of 00748bf4e957"),
    (f"/kubepods/burstable/pod{UID}/crio-{ID}", "pod eded8c65 container 00748bf4e957"),
    (
        f"/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice:cri-containerd:{ID}",
        "pod eded8c65 container 00748bf4e957",
    ),
    (f"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UID_}.slice", "pod eded8c65"),
    (f"/docker/{ID}/kubelet/kubepods/pod{UID}/{INNER}", "docker 00748bf4e957 pod eded8c65 container ec9ee26695de"),
    ("/kubepods/burstable", "/kubepods/burstable"),
    ("/kubepods.slice", "kubepods.slice"),
    # podman
    (f"/machine.slice/libpod-{ID}.scope/container", "podman 00748bf4e957"),
    (f"/machine.slice/libpod-conmon-{ID}.scope", "conmon of 00748bf4e957"),
    (
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope",
        "user 1000 podman 00748bf4e957",
    ),
    (f"/machine.slice/machine-libpod_pod_{INNER}.slice/libpod-{ID}.scope", "pod ec9ee26695de podman 00748bf4e957"),
    (f"/system.slice/web.service/libpod-payload-{ID}", "web.service podman 00748bf4e957"),
    # LXC, LXD, Incus, Proxmox
    ("/lxc/703", "lxc 703"),
    ("/lxc/703/ns", "lxc 703"),
    ("/lxc/703/ns/system.slice/pulse.service", "lxc 703 pulse.service"),
    ("/lxc/703/ns/user.slice/user-0.slice/session-1.scope", "lxc 703 user 0 session-1.scope"),
    ("/lxc.payload.web-1/system.slice/nginx.service", "lxc web-1 nginx.service"),
    ("/lxc.payload/web-1", "lxc web-1"),
    ("/lxc.monitor.web-1", "lxc monitor of web-1"),
    ("/lxc/1/ns/lxc/2/ns/x", "lxc 1 lxc 2/x"),
    (f"/lxc/39004/ns/system.slice/docker-{ID}.scope", "lxc 39004 docker 00748bf4e957"),
    (f"/lxc.payload.c1-lxc/{POD}/cri-containerd-{ID}.scope", "lxc c1-lxc pod eded8c65 container 00748bf4e957"),
    ("/qemu.slice/703.scope", "qemu 703"),
    # nspawn, machined, libvirt
    ("/machine.slice/systemd-nspawn@deb.service/payload/system.slice/ssh.service", "nspawn deb ssh.service"),
    ("/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator", "machine qemu-1-vm/libvirt/emulator"),
    ("/machine.slice/machine-qemu\\x5cx2d1\\x5cx2dvm.scope", "machine qemu-1-vm"),
    ("/machine.slice/machine-a\\x1b\\x0ab.scope", "machine a\\x1b\\nb"),
    ("/machine/qemu-1-vm.libvirt-qemu", "machine qemu-1-vm"),
    # Nomad, ECS, Slurm
    (f"/nomad.slice/share.slice/{UID}.web.scope", "nomad eded8c65 web"),
    (f"/ecs/{TASK}/{ID}", "ecs task 01234567 container 00748bf4e957"),
    (f"/ecs/{TASK}/{TASK}-265927825", "ecs task 01234567 container 265927825"),
    (f"/ecstasks.slice/ecstasks-{TASK}.slice/docker-{ID}.scope", "ecs task 01234567 docker 00748bf4e957"),
    ("/slurm/uid_1000/job_12/step_0/task_1", "slurm job 12 step 0/task_1"),
    ("/system.slice/slurmstepd.scope/job_12/step_batch/user/task_0", "slurm job 12 step batch/user/task_0"),
]
UNKNOWN = [
    ("/", "/"),
    ("/1/2", "/1/2"),
    ("/leaker", "/leaker"),
    ("/nomad/task1", "/nomad/task1"),
    ("/job_1/step_2", "/job_1/step_2"),
    ("/a/lxc/703", "/a/lxc/703"),
    ("/lxc.payload....-lxc", "/lxc.payload....-lxc"),
    ("/system.slice/docker-CONTAINERID.scope", "docker-CONTAINERID.scope"),
    (f"/docker/{ID[:40]}", "/docker/00748bf4e957…"),
    (f"/docker/{ID.upper()}", f"/docker/{ID.upper()}"),
    (f"/kubepods/burstable/pod{UID[:20]}", f"/kubepods/burstable/pod{UID[:20]}"),
    (f"/kubepods.slice/kubepods-pod{UID_[:-1]}.slice", f"kubepods-pod{UID_[:-1]}.slice"),
    (f"/x.slice/newengine-{ID}.scope", "newengine-00748bf4e957….scope"),
    ("/garden/0000/system.slice/ssh.service", "/garden/0000/system.slice/ssh.service"),
    ("/a\x1b[2Jb", "/a\\x1b[2Jb"),
    ("", ""),
]
PARTS = st.sampled_from(
    [part for path, _ in NAMES + UNKNOWN for part in path.split("/")] + ["lxc", "ecs", "a\x1b", ".slice", ":", "x:y:z"]
)


@pytest.mark.parametrize(("path", "name"), NAMES)
def test_a_path_of_a_known_shape_has_the_name_that_people_use(path: str, name: str) -> None:
    assert short_name(path) == name


@pytest.mark.parametrize(("path", "name"), UNKNOWN)
def test_what_has_no_known_shape_claims_nothing(path: str, name: str) -> None:
    assert short_name(path) == name
    assert container(path) is None


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        (f"/{POD}/cri-containerd-{ID}.scope", ID),
        (f"/lxc/39004/ns/system.slice/docker-{ID}.scope", ID),
        ("/lxc/703/ns/system.slice/pulse.service", "703"),
        (f"/{POD}", None),
        (f"/{POD}/crio-conmon-{ID}.scope", None),
        ("/system.slice/mysql.service", None),
    ],
)
def test_the_innermost_container_is_named_whole_for_scripts(path: str, whole: str | None) -> None:
    assert container(path) == whole


@pytest.mark.parametrize(
    ("path", "room", "name"),
    [
        (f"/lxc.payload.c1-lxc/{POD}", 24, "lxc c1-lxc pod eded8c65"),
        (f"/lxc.payload.c1-lxc/{POD}", 14, "pod eded8c65"),
        (f"/{POD}/cri-containerd-{ID}.scope", 24, "container 00748bf4e957"),
        (f"/{POD}/cri-containerd-{ID}.scope", 18, "container 00748bf…"),
        ("/lxc/703/ns/system.slice/pulse.service", 15, "…pulse.service"),
        ("/very/long/path/of/some/unknown/software", 24, "/very/…/unknown/software"),
        ("/very/long/path/of/some/unknown/software", 14, "/…/software"),
        ("/docker/" + ID + "/child/x", 24, "docker 00748bf4e957/…/x"),
        ("/docker/" + ID + "/child/x", 21, "docker 00748bf4e957/…"),
        ("/system.slice/a-very-long-name-of-a-unit.service", 15, "a-very-…service"),
    ],
)
def test_a_name_is_shortened_between_its_words_while_that_can_be(path: str, room: int, name: str) -> None:
    assert short_name_within(path, room) == name


def test_little_room_has_only_the_unit() -> None:
    assert innermost("/user.slice/user-1000.slice/user@1000.service/tmux.scope") == "tmux.scope"
    assert innermost(f"/{POD}") == "pod eded8c65"
    assert innermost("/leaker") == "cgroup /leaker"


def test_a_path_is_told_as_a_cgroup_and_a_name_as_itself() -> None:
    assert told("/leaker") == "cgroup /leaker"
    assert told("/system.slice/mysql.service") == "mysql.service"
    assert told_within("/very/long/path/of/some/unknown/software", 24) == "cgroup /…/software"


@given(st.lists(PARTS, max_size=7).map(lambda parts: "/" + "/".join(parts)), st.integers(0, 100))
def test_a_name_fits_its_room_and_is_harmless(path: str, room: int) -> None:
    assert len(short_name_within(path, room)) <= room
    assert len(told_within(path, max(room, 8))) <= max(room, 8)
    assert short_name(path).isprintable()


@given(st.sampled_from([path for path, _ in NAMES if ID in path]), st.data())
def test_a_path_that_is_cut_off_names_no_container_by_half_an_id(path: str, data: st.DataObject) -> None:
    cut = path[: data.draw(st.integers(0, path.index(ID) + len(ID) - 1))]
    assert not any(ID.startswith(place.name) for place in places(cut) if place.kind not in ("path", "unit", "lxc"))


@pytest.mark.parametrize(
    ("path", "room", "name"),
    [
        (f"/{POD}/cri-containerd-{ID}.scope", 40, "pod shop/cart-7d9f container app"),
        (f"/docker/{INNER}/kubelet/kubepods/pod{UID}/{ID}", 40, "pod shop/cart-7d9f container app"),
        (f"/{POD}/cri-containerd-{ID}.scope", 20, "shop/cart-7d9f app"),
        (f"/{POD}/cri-containerd-{ID}.scope", 14, "shop/cart-7d9f"),
        (f"/{POD}/cri-containerd-{ID}.scope", 9, "cart-7d9f"),
        (f"/{POD}/cri-containerd-{ID}.scope", 8, "car…7d9f"),
        (f"/{POD}/cri-containerd-{INNER}.scope", 41, "pod shop/cart-7d9f container ec9ee26695de"),
        (f"/{POD}/cri-containerd-{INNER}.scope", 16, "shop/cart-7d9f"),
        (f"/{POD}/cri-containerd-{ID}.scope/init.scope", 50, "pod shop/cart-7d9f container app init.scope"),
        (f"/{POD}/crio-conmon-{ID}.scope", 50, "pod shop/cart-7d9f conmon of 00748bf4e957"),
        (f"/{POD}", 20, "pod shop/cart-7d9f"),
    ],
)
def test_of_a_pod_with_a_name_the_name_stays_longest(named_pod: None, path: str, room: int, name: str) -> None:
    assert short_name_within(path, room) == name


@pytest.mark.parametrize("around", ["/user.slice/user-1000.slice", "/a/container/user.slice/user-1000.slice"])
@pytest.mark.parametrize("room", [60, 44, 20])
def test_a_cgroup_that_a_user_named_after_a_pod_does_not_get_its_name(named_pod: None, around: str, room: int) -> None:
    name = short_name_within(f"{around}/user@1000.service/{POD}/cri-containerd-{ID}.scope", room)
    assert "cart" not in name
    assert "shop" not in name


@pytest.fixture
def named_pod() -> None:
    podnames.ask(lambda uid, container_id: Named("shop", "cart-7d9f", "app" if container_id == ID else None))
