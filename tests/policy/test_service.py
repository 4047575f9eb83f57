"""The service on this machine: new processes get their value, whatever happens to the file or the kernel's events."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from oomctl.errors import ImpossibleHere
from oomctl.policy.events import ProcessEvents
from tests.commands.invoke import OOMCTL, ROOT
from tests.policy.rules import rule
from tests.privileges import NOBODY, needs_root
from tests.processes import Sleeper, adj_of

pytestmark = pytest.mark.live
PATIENCE_SECONDS = 60


class Service:
    """``oomctl policy watch`` as systemd starts it: told where to notify, its lines collected."""

    def __init__(
        self,
        directory: Path,
        policy: str,
        *options: str,
        before: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.file = directory / "policy.toml"
        self.file.write_text(policy)
        address = str(directory / "notify")
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(address)
        os.chmod(address, 0o777)  # noqa: S103 - for a service without root
        self._notified.settimeout(PATIENCE_SECONDS)
        whole = {**os.environ, "PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": address, **(env or {})}
        command = [*before, *OOMCTL, "policy", "watch", "-f", str(self.file), *options]
        self.process = subprocess.Popen(command, env=whole, text=True, stderr=subprocess.PIPE)
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()

    def states(self) -> list[str]:
        """The next notification, line by line."""
        return self._notified.recv(4096).decode().splitlines()

    def line(self, beginning: str) -> str:
        """Wait for a line that begins so."""

        def find() -> str | None:
            return next((line for line in self.lines if line.startswith(beginning)), None)

        with self._news:
            assert self._news.wait_for(find, PATIENCE_SECONDS), self.lines
        found = find()
        assert found is not None
        return found

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)
        assert [self.states()[0], self.states()[0]] == ["RELOADING=1", "READY=1"]

    def limit(self, resource_: int, soft: int) -> None:
        """Set a limit of the running service; what it was is put back by ``unlimit``."""
        self._before = resource.prlimit(self.process.pid, resource_)
        resource.prlimit(self.process.pid, resource_, (soft, self._before[1]))

    def unlimit(self, resource_: int) -> None:
        resource.prlimit(self.process.pid, resource_, self._before)

    def set(self, process: subprocess.Popen[bytes]) -> str:
        return self.line(f"event=set pid={process.pid} ")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE_SECONDS)
        self._reader.join()
        return status

    def quiet(self) -> None:
        """See that nothing is said to systemd for two seconds, but for what is said already."""
        time.sleep(0.5)
        self._notified.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._notified.recv(4096)
        self._notified.settimeout(2)
        with pytest.raises(socket.timeout):
            self._notified.recv(4096)
        self._notified.settimeout(PATIENCE_SECONDS)

    def clean_up(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self._notified.close()


Start = Callable[..., Service]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Start]:
    services: list[Service] = []

    def start(policy: str, *options: str, **how: Any) -> Service:
        services.append(Service(tmp_path, policy, *options, **how))
        assert services[-1].states()[0] == "READY=1", services[-1].lines
        return services[-1]

    yield start
    for started in services:
        started.clean_up()


@pytest.fixture
def needs_events() -> None:
    try:
        ProcessEvents().close()
    except ImpossibleHere as error:
        pytest.skip(str(error))


NOT_TAKEN = 1_999_999_973
"""The number of a user whom nobody has: the service writes to all processes that a rule matches."""
SLEEP = rule("cmd:^sleep 62", 500)
BOTH = pytest.mark.parametrize("options", [("--interval", "0.2"), ("--poll", "--interval", "0.2")], ids=" ".join)


@BOTH
def test_a_process_that_runs_and_one_that_starts_later_get_their_value(
    service: Start, sleeper: Sleeper, options: list[str]
) -> None:
    first = sleeper("sleep", "62.1")
    watch = service(SLEEP, *options)
    assert watch.set(first) == f"event=set pid={first.pid} comm=sleep before=0 after=500 rule={watch.file}:1"
    second = sleeper("sleep", "62.2")
    watch.set(second)
    assert (adj_of(first.pid), adj_of(second.pid)) == (500, 500)


@BOTH
def test_exec_makes_another_process_of_it(service: Start, sleeper: Sleeper, options: list[str]) -> None:
    watch = service(SLEEP, *options)
    shell = sleeper("sh", "-c", "sleep 0.5; exec sleep 62.3")
    assert "comm=sleep" in watch.set(shell)


@needs_root
@BOTH
def test_a_change_of_user_is_noticed(service: Start, sleeper: Sleeper, options: list[str]) -> None:
    watch = service(rule(f"user:{NOT_TAKEN}", 500), *options)
    changing = sleeper(
        sys.executable, "-c", f"import os, time; time.sleep(0.5); os.setuid({NOT_TAKEN}); time.sleep(60)"
    )
    watch.set(changing)
    assert adj_of(changing.pid) == 500


@pytest.mark.usefixtures("needs_events")
def test_a_new_name_is_noticed(service: Start, sleeper: Sleeper) -> None:
    watch = service(rule("oomctl-renamed", 500))
    naming = "import time; open('/proc/self/comm', 'w').write('oomctl-renamed'); time.sleep(60)"
    watch.set(sleeper(sys.executable, "-c", naming))


@pytest.mark.usefixtures("needs_events")
def test_it_says_that_it_uses_events(service: Start) -> None:
    assert service(SLEEP).line("event=started mode=events rules=1 pid=")


def test_it_says_that_it_was_asked_to_poll(service: Start) -> None:
    assert service(SLEEP, "--poll").line("event=started mode=polling").endswith('reason="asked for by --poll"')


@needs_root
@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (("unshare", "--user", "--map-root-user"), "no answer; it takes the initial user and PID namespace"),
        (("unshare", "--net"), ""),
    ],
    ids=["user namespace", "network namespace"],
)
def test_without_events_it_polls_and_says_why(
    service: Start, sleeper: Sleeper, before: tuple[str, ...], reason: str
) -> None:
    watch = service(SLEEP, "--interval", "0.2", before=before)
    line = watch.line("event=started mode=polling")
    assert f'reason="no process events from the kernel: {reason}' in line
    watch.set(sleeper("sleep", "62.4"))


@pytest.mark.unprivileged
@needs_root
def test_what_it_may_not_write_is_said_once(service: Start, sleeper: Sleeper, tmp_path: Path) -> None:
    for directory in (tmp_path, *list(tmp_path.parents)[:3]):
        directory.chmod(directory.stat().st_mode | 0o055)
    sleeping = sleeper("sleep", "62.5")
    watch = service(SLEEP, "--poll", "--interval", "0.1", before=NOBODY)
    line = watch.line("event=denied")
    assert line.startswith(f"event=denied pid={sleeping.pid} comm=sleep before=0 after=0 wanted=500 rule=")
    watch.file.write_text(rule("cmd:^sleep 62", 400))
    assert watch.end() == 0
    assert [other for other in watch.lines if other.startswith("event=denied")] == [line]


@BOTH
def test_sighup_reads_the_file_again(service: Start, sleeper: Sleeper, options: list[str]) -> None:
    watch = service(SLEEP, *options)
    sleeping = sleeper("sleep", "62.6")
    watch.set(sleeping)
    watch.file.write_text(rule("cmd:^sleep 62", 600))
    watch.process.send_signal(signal.SIGHUP)
    assert watch.states()[0] == "RELOADING=1"
    assert watch.states()[0] == "READY=1"
    assert watch.line("event=reloaded") == "event=reloaded rules=1"
    watch.line(f"event=set pid={sleeping.pid} comm=sleep before=500 after=600")
    assert adj_of(sleeping.pid) == 600


def test_a_broken_new_file_keeps_the_old_rules_and_says_so(service: Start, sleeper: Sleeper) -> None:
    watch = service(SLEEP, "--interval", "0.2")
    watch.file.write_text(rule("cmd:^sleep 62", 5000))
    watch.process.send_signal(signal.SIGHUP)
    assert watch.states()[0] == "RELOADING=1"
    assert watch.states()[0] == "READY=1"
    line = watch.line("event=reload-refused")
    assert f"{watch.file}:3: adj: expected a whole number from -1000 to 1000, got 5000" in line
    assert line.endswith('rules=1 kept="the old rules"')
    watch.set(sleeper("sleep", "62.7"))


@pytest.mark.parametrize("wrong", ["FIFO", "device", "writable", "directory writable"])
def test_neither_what_is_no_file_nor_what_others_could_change_is_waited_for_or_followed(
    service: Start, sleeper: Sleeper, wrong: str
) -> None:
    watch = service(SLEEP, "--interval", "0.2")
    if wrong.endswith("writable"):
        watch.file.write_text(rule("cmd:^sleep 62", 900))
        (watch.file if wrong == "writable" else watch.file.parent).chmod(0o777)
    else:
        watch.file.unlink()
        os.mkfifo(watch.file) if wrong == "FIFO" else watch.file.symlink_to("/dev/zero")
    watch.reload()
    watch.line("event=reload-refused")
    watch.set(sleeper("sleep", "62.71"))
    assert watch.line("event=set").endswith("after=500 rule=" + str(watch.file) + ":1")


def test_a_broken_file_at_the_start_ends_it(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("[[rule]")
    command = [*OOMCTL, "policy", "watch", "-f", str(tmp_path / "p.toml")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"oomctl: {tmp_path}/p.toml:1: not TOML")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_also_in_a_burst(service: Start, sleeper: Sleeper, number: signal.Signals) -> None:
    watch = service(SLEEP)
    sleeper("sh", "-c", "while :; do (:); done")
    watch.set(sleeper("sleep", "62.8"))
    assert watch.end(number) == 0
    assert watch.states()[0] == "STOPPING=1"
    assert watch.lines[-1].startswith("event=stopped events=")


@pytest.mark.usefixtures("needs_events")
def test_lost_events_lead_to_a_look_at_everything(service: Start, sleeper: Sleeper) -> None:
    watch = service(SLEEP)
    watch.process.send_signal(signal.SIGSTOP)
    subprocess.run(["sh", "-c", "i=0; while [ $i -lt 7000 ]; do (:); i=$((i+1)); done"], check=True)
    unheard = sleeper("sleep", "62.9")
    watch.process.send_signal(signal.SIGCONT)
    watch.line("event=events-lost")
    watch.set(unheard)
    assert watch.end() == 0
    assert "losses=0" not in watch.lines[-1]


def test_it_is_offered_to_the_killer_after_the_others_as_far_as_permitted(service: Start) -> None:
    before = ("sh", "-c", 'echo 300 > /proc/self/oom_score_adj; exec "$@"', "sh")
    watch = service(SLEEP, before=before)
    assert adj_of(watch.process.pid) <= 0 or watch.line("event=own-risk").startswith("event=own-risk adj=300")


TREE = """
import os, sys, time
print(os.getpid(), flush=True)
for level in range(5):
    if os.fork():
        break
    print(os.getpid(), flush=True)
if level == 0:
    sys.stdin.readline()
    open("/proc/self/comm", "w").write("oomctl-treetop")
    sys.stdin.readline()
    if not os.fork():
        print(os.getpid(), flush=True)
time.sleep(60)
"""


@pytest.mark.usefixtures("needs_events")
def test_who_is_far_below_gets_the_value_as_soon_as_a_root_takes_its_name(service: Start) -> None:
    watch = service(rule("oomctl-treetop", 500, scope="tree"))
    command = [sys.executable, "-c", TREE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as tree:
        assert tree.stdin is not None
        assert tree.stdout is not None
        pids = [int(tree.stdout.readline()) for _ in range(6)]
        tree.stdin.write("\n")
        tree.stdin.flush()
        for pid in pids:
            watch.line(f"event=set pid={pid} ")
        os.killpg(tree.pid, signal.SIGKILL)


ATTACK = str(ROOT / "benchmarks" / "nested_attack.py")
DEPTH = 400


@needs_root
@pytest.mark.usefixtures("needs_events")
def test_a_user_with_many_nested_processes_delays_nobody_else(service: Start, sleeper: Sleeper, tmp_path: Path) -> None:
    """Each look walked all ancestors: a new process waited for seconds, and so did SIGTERM."""
    name = f"zz-{os.getpid()}"
    watch = service(rule(name, 500, scope="tree"))
    program = shutil.copy(shutil.which("sleep") or "", tmp_path / name)
    command = [sys.executable, ATTACK, str(DEPTH), name, "65534"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as chain:
        assert chain.stdout is not None
        assert chain.stdout.readline() == "up\n"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        watch.set(sleeper(str(program), "60"))
        assert watch.end() == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # with all that the service has taken, and nobody else
        # Some 0.5 s from its start on, whoever else has the CPU meanwhile; it was 20 s and more.
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5
        chain.kill()


@needs_root
@pytest.mark.usefixtures("needs_events")
def test_a_user_cannot_keep_the_service_from_getting_ready(service: Start) -> None:
    """systemd ends a service that is not ready in time: somebody was always in line."""
    name = f"zz-{os.getpid()}"
    command = [sys.executable, ATTACK, str(DEPTH), name, "65534", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as chain:
        assert chain.stdout is not None
        assert chain.stdout.readline() == "up\n"
        try:
            watch = service(rule(name, 500, scope="tree"))  # waits until it is ready
            assert watch.end() == 0
        finally:
            chain.kill()


def test_a_service_without_standard_files_keeps_the_policy(service: Start, sleeper: Sleeper, tmp_path: Path) -> None:
    closed = ("sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh")
    watch = service(SLEEP, "--interval", "0.2", before=closed)
    sleeping = sleeper("sleep", "62.72")
    wait_until(lambda: adj_of(sleeping.pid) == 500)
    assert watch.end() == 0


@BOTH
def test_without_descriptors_it_goes_on_when_there_are_some(
    service: Start, sleeper: Sleeper, options: list[str]
) -> None:
    watch = service(SLEEP, *options)
    watch.limit(resource.RLIMIT_NOFILE, 3)
    sleeping = sleeper("sleep", "62.73")
    assert watch.line("event=short").startswith('event=short reason="Too many open files"')
    assert adj_of(sleeping.pid) == 0
    watch.unlimit(resource.RLIMIT_NOFILE)
    watch.set(sleeping)
    watch.line("event=recovered")
    assert watch.end() == 0
    assert len([line for line in watch.lines if line.startswith("event=short")]) == 1


def test_systemd_hears_that_it_gets_on_and_only_then(service: Start, sleeper: Sleeper) -> None:
    watch = service(SLEEP, env={"WATCHDOG_USEC": "400000"})
    assert [watch.states() for _ in range(3)] == [["WATCHDOG=1"]] * 3
    watch.limit(resource.RLIMIT_NOFILE, 3)
    sleeper("sleep", "62.74")
    watch.line("event=short")
    watch.quiet()
    watch.unlimit(resource.RLIMIT_NOFILE)
    assert watch.states() == ["WATCHDOG=1"]


def test_another_process_s_watchdog_is_not_fed(service: Start) -> None:
    watch = service(SLEEP, env={"WATCHDOG_USEC": "40000", "WATCHDOG_PID": "1"})
    watch.quiet()


def test_without_memory_it_goes_on_when_there_is_some(service: Start, sleeper: Sleeper, tmp_path: Path) -> None:
    """Nothing can be allocated that the interpreter does not have already: megabytes of rules are too much for it."""
    directory = tmp_path / "policy.d"
    directory.mkdir()
    watch = service(SLEEP, "--interval", "0.2", "-f", str(directory))
    many = "".join(rule(f"zzpw{number}*", 500, reason="x" * 400) for number in range(100))
    for number in range(60):
        (directory / f"{number}.toml").write_text(many)
    watch.limit(resource.RLIMIT_AS, 1)
    watch.process.send_signal(signal.SIGHUP)
    wait_until(lambda: any("not enough memory" in line for line in watch.lines))
    watch.unlimit(resource.RLIMIT_AS)
    watch.set(sleeper("sleep", "62.75"))
    watch.process.send_signal(signal.SIGHUP)
    watch.line("event=reloaded rules=6001")
    assert watch.end() == 0


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
