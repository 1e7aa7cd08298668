"""A rig whose cancel services all end with the test."""

from collections.abc import Iterator

import pytest
from cancel_rig import Rig


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    rig = Rig(monkeypatch)
    yield rig
    rig.stop_all()
