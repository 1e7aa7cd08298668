"""A rig whose routers all end with the test."""

from collections.abc import Iterator

import pytest
from router_rig import Rig


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    rig = Rig(monkeypatch)
    rig.line("cafis-1")
    yield rig
    rig.stop_all()
