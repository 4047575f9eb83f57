"""Each shell in its turn, where it is installed."""

from __future__ import annotations

import pytest

from tests.shells import home


@pytest.fixture(params=home.SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    home.require(name)
    return name
