"""Whatever a test does, no secret is in a log line."""

from collections.abc import Iterator

import pytest
from gateway_rig import SECRETS


@pytest.fixture(autouse=True)
def no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level("DEBUG")
    yield
    for when in ("setup", "call"):
        for record in caplog.get_records(when):
            line = f"{record.getMessage()} {record.__dict__}"
            assert not any(secret in line for secret in SECRETS), record.name
