"""A rig whose cancel services all end with the test."""

from collections.abc import Iterator

import pytest
from cancel_rig import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.stop_all()
