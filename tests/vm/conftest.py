"""Boots are shared: one guest runs many kinds of kills, and each kind is a test of its own."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import pytest

from tests.vm import foreign, kernels, qemu
from tests.vm.agreement import NONE, Agreement, agreement, table
from tests.vm.forecasts import Trial, summary, trials_of
from tests.vm.kernels import NotHere, Release

_COUNTS = pytest.StashKey[dict[tuple[str, str], Agreement]]()
_LEVELS = pytest.StashKey[dict[tuple[str, str], Agreement]]()
_BOOTS = pytest.StashKey[list[str]]()
_TRIALS = pytest.StashKey[dict[str, list[Trial]]]()
_TAIL = 60
SCRIPT_SECONDS = 180
"""What a guest script may take besides its kills."""
KILL_SECONDS = 12


class Guests:
    """Boots guests when their results are first asked for."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._kills = int(config.getoption("--kills"))
        self._cpus = int(config.getoption("--cpus"))
        self._seed = int(config.getoption("--seed"))
        self._done: dict[tuple[str, str, tuple[tuple[str, int], ...]], qemu.Boot] = {}
        self._not_here: dict[str, NotHere] = {}

    def run(self, release: Release, script: str, nodes: int = 1, **settings: int) -> qemu.Boot:
        """Return what the guest script ``script`` said under this kernel; skips where no guest can run."""
        key = (release.label, script, tuple(settings.items()))
        if key not in self._done:
            if release.label in self._not_here:
                _skip(release, self._not_here[release.label])
            kinds = LIFE_KINDS if script in OF_LIFE else KINDS
            rounds = -(-self._kills // kinds)
            deadline = SCRIPT_SECONDS + KILL_SECONDS * kinds * rounds
            settings = {"rounds": rounds, "seed": self._seed, "deadline": deadline, **settings}
            machine = OF_LIFE.get(script, qemu.Machine(nodes=nodes))._replace(cpus=self._cpus)
            try:
                found = qemu.boot(kernels.kernel(release), script, machine, **settings)
            except NotHere as reason:
                self._not_here[release.label] = reason
                _skip(release, reason)
            self._done[key] = found
            remember(self._config, found)
        return self._done[key]

    def kills(self, release: Release, script: str, kind: str, nodes: int = 1) -> list[dict[str, Any]]:
        """Return the kills of one kind; fails when the guest did not get to its end."""
        return kills_of(self._config, self.run(release, script, nodes), kind)

    def trials(self, release: Release) -> list[Trial]:
        """Return the leaks of which the guest script ``forecast`` was asked and that ended in a kill."""
        rounds = max(self._kills // FORECAST_KINDS, 1)
        seconds = SCRIPT_SECONDS + KILL_SECONDS * FORECAST_KINDS * rounds
        boot = self.run(release, "forecast", rounds=rounds, deadline=seconds, all=int(rounds > 1))
        finished(boot)
        alive = [event["kind"] for event in boot.of("forecast") if "victim" not in event]
        if alive:
            pytest.fail(f"nobody was killed: {alive}\n{told(boot)}", pytrace=False)
        self._config.stash[_TRIALS][boot.kernel] = trials_of(boot.of("forecast"))
        return self._config.stash[_TRIALS][boot.kernel]


class ForeignGuests:
    """Boots the chosen guests of other architectures; whatever they lack is a failure, for they were asked for."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._rounds = -(-int(config.getoption("--kills")) // FOREIGN_KINDS)
        self._seed = int(config.getoption("--seed"))
        self._done: dict[str, qemu.Boot] = {}

    def run(self, architecture: foreign.Architecture) -> qemu.Boot:
        if architecture.label not in self._done:
            deadline = SCRIPT_SECONDS + KILL_SECONDS * FOREIGN_KINDS * self._rounds
            try:
                found = foreign.boot(architecture, deadline, rounds=self._rounds, seed=self._seed)
            except NotHere as reason:
                pytest.fail(f"no guest of {architecture.label}: {reason}", pytrace=False)
            self._done[architecture.label] = found
            remember(self._config, found)
        return self._done[architecture.label]

    def kills(self, architecture: foreign.Architecture, kind: str) -> list[dict[str, Any]]:
        """Return the kills of one kind; fails when the guest did not get to its end."""
        return kills_of(self._config, self.run(architecture), kind)


def kills_of(config: pytest.Config, boot: qemu.Boot, kind: str) -> list[dict[str, Any]]:
    kills = [kill for kill in boot.of("kill") if kill["kind"] == kind]
    if kills:
        config.stash[_COUNTS][boot.kernel, kind] = agreement(kills)
        levels = config.stash[_LEVELS]
        for level in sorted({kill["level"] for kill in kills if kill.get("level")}):
            found = agreement(kill for kill in kills if kill.get("level") == level)
            levels[boot.kernel, level] = levels.get((boot.kernel, level), NONE) + found
    finished(boot)
    return kills


def remember(config: pytest.Config, boot: qemu.Boot) -> None:
    """Have the end of the output say how long this guest took."""
    started = boot.boot_seconds or math.nan
    times = f"started after {started:.0f} s, ended after {boot.seconds:.0f} s"
    config.stash[_BOOTS].append(f"{boot.kernel} {boot.script}: {times}")


def _skip(release: Release, reason: NotHere) -> NoReturn:
    pytest.skip(f"no guest with Linux {release.label}: {reason}")


FOREIGN_KINDS = 6
KINDS = 21
"""Kinds of kills over all scripts: --kills is shared out among them."""
FORECAST_KINDS = 25
"""Kinds of leaks that are forecast; with fewer --kills than two of each, one of those that matter most."""
LIFE_KINDS = 37
"""Kinds of kills over the scripts below, which get as many kills again."""
OF_LIFE = {
    "life": qemu.Machine(memory_mib=448, files_mib=512),
    "container": qemu.Machine(memory_mib=448),
    "v1": qemu.Machine(memory_mib=448, cgroup_v1=True),
    "forecast": qemu.Machine(memory_mib=1024, files_mib=512),
}
"""Guests of their own size."""
_ASKED_FOR_BY = {
    "foreign_guests": "--architectures",
    "v1_kind": "--all-kernels",
    "guest_of_programs": "--all-kernels",
}
"""Fixtures of guests that are booted only with an option."""


V1_KINDS = {"5.10": ("v1, flat", "v1, hierarchical"), "6.1": ("v1, hierarchical",)}
"""Of the kernels that still have the memory controller of cgroup v1; Debian's later ones leave it out."""


def finished(boot: qemu.Boot) -> None:
    """Fail unless the guest script came to its end."""
    if boot.boot_seconds is None:
        pytest.fail(f"{boot.kernel} did not start, twice\n{told(boot)}", pytrace=False)
    if not boot.of("finished") or boot.of("error"):
        said = "\n".join(str(event.get("text")) for event in boot.of("error")) or "nothing"
        pytest.fail(f"{boot.script} under {boot.kernel} did not finish; it said {said}\n{told(boot)}", pytrace=False)


def told(boot: qemu.Boot) -> str:
    return f"--- end of the console ({boot.log}) ---\n{boot.console_tail(_TAIL)}"


@pytest.fixture(scope="session")
def guests(pytestconfig: pytest.Config) -> Guests:
    reason = qemu.why_not()
    if reason is not None:
        pytest.skip(f"real kernels were not asked: {reason}")
    return Guests(pytestconfig)


@pytest.fixture(scope="session")
def foreign_guests(pytestconfig: pytest.Config) -> ForeignGuests:
    return ForeignGuests(pytestconfig)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_COUNTS] = {}
    config.stash[_LEVELS] = {}
    config.stash[_BOOTS] = []
    config.stash[_TRIALS] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, instead of skipping, what has to be asked for."""
    unasked_fixtures = {fixture for fixture, option in _ASKED_FOR_BY.items() if not config.getoption(option)}
    unasked = [
        item
        for item in items
        if unasked_fixtures & {*getattr(item, "fixturenames", ())}
        or (item.get_closest_marker("lab") and not config.getoption("--lab"))
    ]
    if unasked:
        items[:] = [item for item in items if item not in unasked]
        config.hook.pytest_deselected(items=unasked)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "architecture" in metafunc.fixturenames:
        architectures = foreign.chosen(metafunc.config.getoption("--architectures"))
        labels = [one.label for one in architectures]
        metafunc.parametrize("architecture", architectures, ids=labels, scope="session")
    chosen = kernels.RELEASES if metafunc.config.getoption("--all-kernels") else (kernels.DEFAULT,)
    if "v1_kind" in metafunc.fixturenames:
        pairs = [(release, kind) for release in chosen for kind in V1_KINDS.get(release.label, ())]
        ids = [f"{release.label}-{kind}" for release, kind in pairs]
        metafunc.parametrize(("v1_release", "v1_kind"), pairs, ids=ids, scope="session")
    if "release" in metafunc.fixturenames:
        metafunc.parametrize("release", chosen, ids=[release.label for release in chosen], scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash.get(_COUNTS, {})
    if counts:
        terminalreporter.section("right predictions by kind and kernel")
        levels = dict(sorted(config.stash[_LEVELS].items(), key=lambda item: _emptiness(item[0][1])))
        by_level = ["", *table(levels, "left when asked")] if levels else []
        for line in (*config.stash[_BOOTS], "", *table(counts), *by_level):
            terminalreporter.line(line)
    for kernel, trials in config.stash.get(_TRIALS, {}).items():
        terminalreporter.section(f"forecasts under {kernel}")
        for line in summary(trials):
            terminalreporter.line(line)


def _emptiness(level: str) -> tuple[bool, int]:
    """Sort ``50 %`` before ``10 %``, and that before ``30 MB``."""
    number, unit = level.split()
    return unit != "%", -int(number)
