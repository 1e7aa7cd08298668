"""Processes on the real Kafka, two nodes: CAFIS' lines carry CARDNET's telegrams too, and their owners are killed."""

from functools import partial
from pathlib import Path

import pytest
from deaths_under_load import pay_while_dying

from ops.evidence import collect, drain
from ops.installations import QUICK, LinePlan
from ops.mixture import Mixture, teach
from ops.money import report
from ops.stage import playing
from schemas import wire
from schemas.records import TelegramSent

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

LINES = (
    LinePlan("cafis-1", "cafis", "dial", carries=("cardnet",)),
    LinePlan("cafis-2", "cafis", "listen", carries=("cardnet",)),
    LinePlan("cardnet-1", "cardnet", "dial"),
)


def test_the_owners_of_lines_that_carry_are_killed_under_load_and_the_money_is_right(
    kafka_servers: str, tmp_path: Path
) -> None:
    prefix = f"{tmp_path.name}-"
    with playing(tmp_path, servers=kafka_servers, prefix=prefix, nodes=2, lines=LINES, waits=QUICK) as stage:
        assert {name: stage.keepers(name) for name in ("cafis", "cardnet")} == {
            "cafis": ["cafis"], "cardnet": ["cafis", "cardnet"],
        }  # fmt: skip
        mixtures = []
        for partner, customer in stage.plan.customers.items():
            for keeper in stage.keepers(partner):
                with stage.control(partner, keeper) as control:
                    teach(control)
            door, token = stage.plan.doors[0], stage.plan.tokens[customer]
            mixtures.append(Mixture(door, customer, token, count=150, at_once=8, seed=11))

        def death(name: str) -> None:
            stage.services[name].kill()
            stage.services[name].start()

        made = pay_while_dying(mixtures, 80, [partial(death, name) for name in ("egress-0", "egress-1")])
        assert made == 300
        assert drain(stage, 90) == set()
        for process in stage.services.values():
            process.wait_ready()
        evidence = collect(stage, [each for mixture in mixtures for each in mixture.records])
        assert {finding.english: finding.offenders for finding in report(evidence) if not finding.holds} == {}
        stations = {row["station"] for row in evidence.ledgers["cardnet"]}
        assert stations == set(evidence.stations.values()), "directly, and in envelopes on both lines"
        for line in ("cafis-1", "cafis-2"):
            sent = [wire.decode(message) for message in evidence.topics[f"sent.{line}"]]
            assert {each.partner for each in sent if isinstance(each, TelegramSent)} == {"cafis", "cardnet"}
