"""A rig whose routers all end with the test."""

from collections.abc import Iterator

import pytest
from router_rig import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    rig.line("cafis-1")
    yield rig
    rig.stop_all()
