"""What Prometheus' own checker says of the metrics of every service, and what the health pages say."""

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from ops.ports import Address, format_address
from ops.stage import Stage, playing

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def stage(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("pages")
    with playing(folder, servers=kafka_servers, prefix=f"{folder.name}-") as found:
        yield found


def page(address: Address, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://{format_address(address)}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("name", ["ingress-0", "router-0", "egress-0", "faults-0"])
def test_promtool_finds_nothing_to_say_about_the_metrics(stage: Stage, name: str) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    status, metrics = page(stage.plan.metrics[name], "/metrics")
    assert status == 200
    assert f"denbun_{name.removesuffix('-0')}_".encode() in metrics
    checked = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, check=False)
    said = [line for line in checked.stderr.decode().splitlines() if line.startswith("denbun")]
    assert said == []


@pytest.mark.parametrize("name", ["ingress-0", "router-0", "egress-0", "faults-0"])
@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_service_that_does_its_work_says_so(stage: Stage, name: str, path: str) -> None:
    status, body = page(stage.plan.metrics[name], path)
    assert (status, json.loads(body)) == (200, {"ok": True, "troubles": {}})
