"""compose.yaml, as far as it can be proven without a container engine.

`compose-spec.json` is the schema of the Compose Specification, as its project publishes it under the Apache licence 2.0
(github.com/compose-spec/compose-spec, schema/compose-spec.json).
"""

import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from compose_rig import (
    CENTRES,
    COMPOSE,
    GATEWAY,
    INSTALLATION,
    OURS,
    PYPROJECT,
    ROOT,
    RUNNING,
    SERVICES,
    option,
    run_by,
    seconds,
)

from ops.broker import KAFKA_VERSION, Broker, Seat
from pipeline.config import load
from schemas.installation import Installation

each_service = pytest.mark.parametrize("name", SERVICES)

# --- the file itself


def test_it_is_what_the_compose_specification_allows() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text("utf-8"))
    faults = [
        f"{fault.json_path}: {fault.message}" for fault in jsonschema.Draft202012Validator(schema).iter_errors(COMPOSE)
    ]
    assert faults == []


@pytest.mark.parametrize("kind", ["networks", "volumes", "configs"])
def test_what_is_declared_is_used_and_what_is_used_is_declared(kind: str) -> None:
    used: set[str] = set()
    for service in SERVICES.values():
        for each in service.get(kind, ()):
            used.add(each["source"] if isinstance(each, dict) else each.split(":")[0])
    assert used == set(COMPOSE[kind])


def test_every_file_it_names_exists() -> None:
    assert all((ROOT / config["file"]).is_file() for config in COMPOSE["configs"].values())
    for service in OURS.values():
        assert (ROOT / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


@each_service
def test_what_a_service_waits_for_exists_and_can_tell_that_it_is_there(name: str) -> None:
    for awaited, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_completed_successfully":
            assert SERVICES[awaited]["restart"] == "no"
        else:
            assert how["condition"] == "service_healthy"
            assert "test" in SERVICES[awaited]["healthcheck"]
        assert "profiles" not in SERVICES[awaited]


def test_nothing_of_the_gateway_starts_before_its_topics_exist() -> None:
    assert option(SERVICES["topics"]["command"], "--config") != []
    assert SERVICES["topics"]["command"][:2] == ["topics", "create"]
    for service in GATEWAY.values():
        assert service["depends_on"]["topics"] == {"condition": "service_completed_successfully"}


# --- commands


def on_this_machine(name: str) -> list[str]:
    """A service's command with the paths of its container turned into those of this checkout."""
    mounted = {each["target"]: ROOT / COMPOSE["configs"][each["source"]]["file"] for each in OURS[name]["configs"]}
    return [str(mounted.get(word, word)) for word in OURS[name]["command"]]


def denbun(command: list[str]) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DENBUN_")}
    return subprocess.run(
        [sys.executable, "-m", "ops", *command],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("name", RUNNING)
def test_the_command_of_every_service_passes_its_check(name: str) -> None:
    done = denbun([*on_this_machine(name), "--check"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f": ok for {RUNNING[name]['command'][1]}\n")


def test_the_command_that_creates_the_topics_has_the_options_it_is_given() -> None:
    done = denbun([*on_this_machine("topics"), "--help"])
    assert (done.returncode, done.stderr) == (0, "")


def test_every_service_of_the_gateway_runs_on_both_nodes() -> None:
    running = Counter((each["command"][1], *option(each["command"], "--node")) for each in GATEWAY.values())
    wanted = itertools.product(("ingress", "router", "egress", "faults"), "ab")
    assert running == Counter(wanted)
    for name, service in GATEWAY.items():
        assert [name] == [f"{service['command'][1]}-{node}" for node in option(service["command"], "--node")]


def test_every_slot_of_replies_has_its_ingress_and_every_egress_its_rank() -> None:
    slots = [int(slot) for each in run_by("ingress").values() for slot in option(each["command"], "--slot")]
    assert sorted(slots) == list(range(INSTALLATION.ingress.slots))
    ranks = [int(rank) for each in run_by("egress").values() for rank in option(each["command"], "--rank")]
    assert sorted(ranks) == list(range(len(run_by("egress"))))


# --- the environment


def test_its_environment_is_the_developments_but_for_where_things_are() -> None:
    """So what is tried in containers is what development has tried; drift is a fault."""
    development = load(Installation, ROOT / "deploy/environments/development/denbun.toml", {})
    places = {"metrics_host": "-", "kafka": INSTALLATION.kafka, "keys": INSTALLATION.keys}

    def placeless(installation: Installation) -> Installation:
        lines = tuple(line.model_copy(update={"host": "-", "peers": ()}) for line in installation.line)
        door = installation.ingress.model_copy(update={"host": "-"})
        return installation.model_copy(update=places | {"line": lines, "ingress": door})

    assert placeless(INSTALLATION) == placeless(development)


# --- addresses


def networks(name: str) -> set[str]:
    return set(SERVICES[name]["networks"])


def test_everyone_reaches_kafka_under_the_address_it_gives() -> None:
    settings = SERVICES["kafka"]["environment"]
    assert settings["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{INSTALLATION.kafka.bootstrap_servers}"
    host, port = INSTALLATION.kafka.bootstrap_servers.split(":")
    assert host == "kafka"
    assert f"PLAINTEXT://:{port}" in settings["KAFKA_LISTENERS"].split(",")
    for name in (*GATEWAY, "topics"):
        assert networks(name) & networks("kafka")


def test_every_line_finds_its_centre() -> None:
    for line in INSTALLATION.line:
        name = f"{line.partner}-centre"
        command = CENTRES[name]["command"]
        assert option(command, "--partner") == [INSTALLATION.partner_named(line.partner).telegrams]
        if line.mode == "dial":
            assert line.host == name
            assert f"0.0.0.0:{line.port}" in option(command, "--listen")
        else:
            assert line.host == "0.0.0.0"
            assert {f"{egress}:{line.port}" for egress in run_by("egress")} <= set(option(command, "--dial"))
        assert all(networks(egress) & networks(name) for egress in run_by("egress"))


def test_the_door_of_every_node_is_published_on_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == run_by("ingress").keys()
    doors = [re.fullmatch(r"127\.0\.0\.1:(\d+):(\d+)", port) for ports in published.values() for port in ports]
    assert [int(door[2]) for door in doors if door] == [INSTALLATION.ingress.port] * len(published)
    assert len({door[1] for door in doors if door}) == len(published)


def test_the_segments_are_separated() -> None:
    inside = {kind: set(run_by(kind)) for kind in ("ingress", "router", "egress", "faults")}
    members = {network: {name for name in SERVICES if network in networks(name)} for network in COMPOSE["networks"]}
    assert members == {
        "clients": inside["ingress"],
        "core": {"kafka", "topics", *GATEWAY},
        "lines": {*inside["egress"], *CENTRES},
    }
    assert COMPOSE["networks"]["core"] == {"internal": True}


def test_metrics_and_health_are_for_the_core_alone() -> None:
    for name in GATEWAY:
        host = SERVICES[name].get("environment", {}).get("DENBUN_METRICS_HOST")
        if networks(name) == {"core"}:
            assert host is None, "all of its addresses are the core's"
        else:
            assert SERVICES[name]["networks"]["core"] == {"aliases": [host]}
            assert host not in {"", "0.0.0.0", name}
            assert all(not SERVICES[name]["networks"][other] for other in networks(name) - {"core"})


def test_no_container_is_a_way_from_one_network_into_another() -> None:
    for name in SERVICES:
        if len(networks(name)) > 1:
            assert SERVICES[name]["sysctls"] == {"net.ipv4.ip_forward": "0"}


def test_the_partners_are_simulated_only_where_that_is_asked_for() -> None:
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["simulated"]} == set(CENTRES)
    assert not any("profiles" in SERVICES[name] for name in SERVICES.keys() - CENTRES.keys())


# --- what a container may, and may not


@each_service
def test_a_container_has_no_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].split(":")[0] not in {"", "0", "root"}
    unneeded = {"privileged", "cap_add", "devices", "device_cgroup_rules", "network_mode", "pid", "ipc", "userns_mode"}
    assert service.keys() & unneeded == set()
    # Volumes are named ones: nothing of the host is inside but the configuration.
    assert all(re.fullmatch(r"[a-z]+:/[a-z/]+", volume) for volume in service.get("volumes", ()))


@each_service
def test_a_container_is_limited(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert SERVICES[name]["logging"]["options"].keys() == {"max-size", "max-file"}
    assert all("size=" in place for place in SERVICES[name].get("tmpfs", ()))


@each_service
def test_an_image_is_pinned(name: str) -> None:
    version = PYPROJECT["project"]["version"]
    ours = f"denbun:${{DENBUN_VERSION:-{version}}}"
    assert SERVICES[name]["image"] == (ours if name in OURS else f"apache/kafka:{KAFKA_VERSION}")


def test_only_who_seals_or_opens_card_data_has_the_key_ring() -> None:
    folder = INSTALLATION.keys.ring.parent
    holders = {name for name, service in SERVICES.items() if f"keys:{folder}" in service.get("volumes", ())}
    assert holders == {*run_by("ingress"), *run_by("egress")}


def test_a_container_is_given_the_time_to_stop_in_order() -> None:
    ingress, egress = INSTALLATION.ingress, INSTALLATION.egress
    needed_ms = max(ingress.drain_ms, egress.drain_ms + egress.closing_timeout_ms)
    for service in GATEWAY.values():
        assert seconds(service["stop_grace_period"]) * 1000 >= needed_ms + 5_000  # and leave group and log


# --- Kafka


def test_kafka_is_set_as_the_embedded_one_is_but_for_its_place(tmp_path: Path) -> None:
    text = Broker(tmp_path)._write_properties(9092, Seat(1, "here", [9093])).read_text("utf-8")
    embedded = dict(line.split("=", 1) for line in text.splitlines())
    here = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in SERVICES["kafka"]["environment"].items()
    }
    places = {"listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs"}
    # The image is told these because it has other defaults; the embedded broker's serve short runs of a test.
    of_the_image = {
        "cluster.id", "heap.opts", "listener.security.protocol.map", "inter.broker.listener.name",
    }  # fmt: skip
    of_a_test = {"offsets.topic.num.partitions", "log.segment.delete.delay.ms"}
    assert here.keys() - of_the_image == embedded.keys() - of_a_test
    assert {key: here[key] for key in here.keys() - of_the_image - places} == {
        key: embedded[key] for key in embedded.keys() - of_a_test - places
    }


def test_kafka_accepts_the_session_of_the_services_and_makes_no_topic_by_itself() -> None:
    settings = SERVICES["kafka"]["environment"]
    assert int(settings["KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS"]) <= INSTALLATION.kafka.session_timeout_ms
    assert settings["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert settings["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert f"log:{settings['KAFKA_LOG_DIRS']}" in SERVICES["kafka"]["volumes"]
