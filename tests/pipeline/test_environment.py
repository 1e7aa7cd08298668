"""A variable `DENBUN_*` that nobody reads is told; what the platform sets by itself is not ours."""

import re
from pathlib import Path

import pytest

from pipeline.environment import VARIABLES, strange

ROOT = Path(__file__).parents[2]
FILE = ["DENBUN_LOG_LEVEL", "DENBUN_KAFKA__PARTITIONS", "DENBUN_INGRESS__PORT", "DENBUN_INGRESS__METRICS_PORT"]
PACKAGES = ("acceptance", "client", "egress", "faults", "images", "ingress", "ops", "pipeline", "router", "schemas",
            "simulation", "simulator", "wiring")  # fmt: skip


def test_the_variables_are_those_that_the_code_reads() -> None:
    text = [path.read_text("utf-8") for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    text.append((ROOT / "compose.yaml").read_text("utf-8"))
    named = {found for each in text for found in re.findall(r"DENBUN_[A-Z_]*[A-Z]", each) if "__" not in found}
    assert named - {"DENBUN_LOG_LEVEL", "DENBUN_METRICS_HOST"} == set(VARIABLES)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("DENBUN_CONFG", "did you mean DENBUN_CONFIG?"),
        ("DENBUN_LOGLEVEL", "did you mean DENBUN_LOG_LEVEL?"),
        ("DENBUN_KAFKA_PARTITIONS", "did you mean DENBUN_KAFKA__PARTITIONS?"),
        ("DENBUN_INGRESS_PORT", "did you mean DENBUN_INGRESS__PORT or DENBUN_INGRESS__METRICS_PORT?"),
        ("DENBUN_HAT", "remove it: docs/configuration.md has them all"),
        ("DENBUN_", "remove it: docs/configuration.md has them all"),
    ],
)
def test_one_that_nobody_reads_is_told_with_the_nearest(name: str, remedy: str) -> None:
    assert list(strange({name: "7010"}, FILE)) == [f"environment {name}: unknown name: {remedy}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "x") for name in VARIABLES),
        *((name, "x") for name in FILE),
        ("DENBUN_KAFKA__WHATEVER", "the file's reader knows"),
        ("OTHER_CONFG", "x"),
        ("DENBUN_SERVICE_HOST", "10.0.0.1"),
        ("DENBUN_INGRESS_SERVICE_PORT_TLS", "7010"),
        ("DENBUN_INGRESS_PORT", "tcp://10.0.0.1:7010"),
        ("DENBUN_INGRESS_PORT_7010_TCP_ADDR", "10.0.0.1"),
    ],
)
def test_one_that_is_read_or_comes_from_the_platform_is_not(name: str, value: str) -> None:
    assert list(strange({name: value}, FILE)) == []
