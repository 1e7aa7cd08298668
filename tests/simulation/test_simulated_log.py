"""The simulated broker stamps what it stores with its own clock, whatever the clock of the writer's node says."""

import pytest
from simulated import quiet_plan, whole_world

HOUR_US = 3_600_000_000


@pytest.mark.parametrize("broker_us", [0, -HOUR_US])
def test_a_message_has_the_brokers_time_and_never_its_writers(broker_us: int) -> None:
    with whole_world(quiet_plan()) as whole:
        world, broker = whole.world, whole.broker
        for node in whole.machines.nodes.values():
            node.offset_us = HOUR_US
        broker.node.offset_us = broker_us
        began = len(broker.journal)
        world.run(5_000_000)
        stored = broker.journal[began:]
        assert stored, "nothing was written"
        for at_us, _, message in stored:
            assert message.timestamp_ms == world.epoch_ms + (at_us + broker_us) // 1_000
