"""A loop that hangs shows; one that has not begun, or has ended, does not."""

import pytest

from pipeline.pulse import Pulse


def test_a_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr("pipeline.pulse.time.monotonic", lambda: now_s[0])
    pulse = Pulse("the loop", 10)
    rows = [
        # tick  what happens  what is said
        (0, None, None),
        (99, None, None),
        (100, pulse.beat, None),
        (109.9, None, None),
        (110, None, "the loop has not turned for 10 s"),
        (130, None, "the loop has not turned for 30 s"),
        (130, pulse.beat, None),
        (150, None, "the loop has not turned for 20 s"),
        (150, pulse.rest, None),
    ]
    for tick, happens, said in rows:
        now_s[0] = tick
        if happens is not None:
            happens()
        assert pulse.stalled() == said, tick
