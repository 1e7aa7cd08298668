"""The help of a service says what a person needs: every service by its name, its arguments, examples that are right."""

import importlib
import shlex

import pytest
from rich.cells import cell_len

from ops.installations import DEVELOPMENT
from wiring.about import SERVICES, epilog, overview


def test_every_service_is_told_with_an_example() -> None:
    told = overview()
    assert set(SERVICES) == {"ingress", "router", "egress", "faults"}
    for name in (*SERVICES, "simulator"):
        assert f"  {name} " in told
        assert f"denbun run {name} --" in told
    assert all(cell_len(line) <= 80 for text in (told, *map(epilog, SERVICES)) for line in text.splitlines())


@pytest.mark.parametrize("service", SERVICES)
def test_the_help_of_a_service_says_what_it_needs(service: str, capsys: pytest.CaptureFixture[str]) -> None:
    main = importlib.import_module(f"{service}.__main__").main
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    for text in (
        SERVICES[service].what[:20],
        "必要なもの",
        "denbun topics create",
        "DENBUN_CONFIG",
        "/readyz",
        "例  examples",
    ):
        assert text in told


EXAMPLES = [example for about in SERVICES.values() for example in about.examples]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_can_be_typed(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, service, *arguments = shlex.split(example.replace("denbun.toml", str(DEVELOPMENT)))
    main = importlib.import_module(f"{service}.__main__").main
    assert main([*dict.fromkeys([*arguments, "--check"])]) == 0
    assert f"ok for {service}" in capsys.readouterr().out
