"""By which rules a scenario's kernel chooses, by which its numbers were read, and whether those are only guessed."""

from __future__ import annotations

from oomctl.kernel.rules import Rules, known, rules_for
from oomctl.model.kernel import Doubt, Doubtful, Scenario


def rules_of(scenario: Scenario) -> Rules:
    """Return the rules by which the kernel of ``scenario`` chooses."""
    return rules_for(scenario.kernel, () if scenario.read_from else scenario.probed)


def rules_of_reading(scenario: Scenario) -> Rules:
    """Return the rules of the kernel on which the numbers of ``scenario`` were read."""
    return rules_for(scenario.read_from or scenario.kernel, scenario.probed)


def guessed_rules(scenario: Scenario) -> tuple[Doubt, ...]:
    """Return the doubts that come of rules which nobody has verified, neither by their source nor by a probe."""
    kernels = {scenario.kernel: () if scenario.read_from else scenario.probed}
    if scenario.read_from:
        kernels[scenario.read_from] = scenario.probed
    return tuple(
        Doubt(Doubtful.GUESSED_RULES, detail=kernel)
        for kernel, probed in kernels.items()
        if known(kernel, probed).guessed
    )
