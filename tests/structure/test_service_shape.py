"""Every service has the same shape, so that who knows one finds his way in all."""

import ast
import importlib
import inspect
import re
from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path

import pytest
from source_rig import PYPROJECT, ROOT, TOP, imports, module_file, modules, tree

from schemas.topics import TABLE

PARTS = ("__main__", "config", "core", "metrics", "shell")
CARD = ("In:", "Out:", "Owns:", "If it is killed here:")
# What decides has no hands and no clock: files, sockets, threads, time, chance, log, metrics, Kafka.
IMPURE = {
    "aiokafka", "asyncio", "confluent_kafka", "logging", "multiprocessing", "os", "pathlib", "prometheus_client",
    "random", "secrets", "select", "selectors", "signal", "socket", "ssl", "subprocess", "sys", "threading", "time",
    "uuid",
    "pipeline.bridge", "pipeline.kafka", "pipeline.log", "pipeline.logs", "pipeline.memory", "pipeline.owned",
    "pipeline.service", "pipeline.telemetry", "wiring",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter"}


def services() -> list[str]:
    """The packages that `wiring.run` makes a process of."""
    found = []
    for top in TOP:
        main = Path(top, "__main__.py")
        if (ROOT / main).is_file() and "wiring.run" in {
            ast.unparse(node.func) for node in ast.walk(tree(main)) if isinstance(node, ast.Call)
        }:
            found.append(top)
    return found


SERVICES = services()
each_service = pytest.mark.parametrize("service", SERVICES)


def test_the_services_are_found() -> None:
    assert {"ingress", "router", "egress", "faults"} <= set(SERVICES)


@each_service
def test_a_service_has_every_part(service: str) -> None:
    assert [part for part in PARTS if not (ROOT / service / f"{part}.py").is_file()] == []


# --- the card


def card(service: str) -> dict[str, str]:
    """The sections of a service's card, by their headings."""
    text = ast.get_docstring(tree(Path(service, "__init__.py"))) or ""
    parts = re.split(rf"^({'|'.join(CARD)})", text, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


@each_service
def test_it_opens_with_its_card(service: str) -> None:
    sections = card(service)
    assert tuple(sections) == ("", *CARD)
    assert re.match(rf"{service}: \S.+", sections[""])
    assert all(text.strip() for text in sections.values())


@each_service
def test_the_card_and_nothing_but_the_card_stands_in_the_package_itself(service: str) -> None:
    assert len(tree(Path(service, "__init__.py")).body) == 1


def topics_in(text: str) -> set[str]:
    words = set(re.findall(r"[a-z]+(?:-[a-z]+)*", text))
    return {topic.name for topic in TABLE if topic.name in words}


@each_service
def test_the_card_names_the_topics_of_the_topic_table(service: str) -> None:
    sections = card(service)
    reads = {topic.name for topic in TABLE if service in topic.readers}
    writes = {topic.name for topic in TABLE if service in topic.writers}
    told_in, told_out = topics_in(sections["In:"]), topics_in(sections["Out:"])
    assert reads - writes <= told_in <= reads
    assert writes - reads <= told_out <= writes
    assert told_in | told_out == reads | writes


# --- its parts


@each_service
def test_it_is_started_by_main_with_its_arguments(service: str) -> None:
    module = importlib.import_module(f"{service}.__main__")
    signature = inspect.signature(module.main)
    assert [each.annotation for each in signature.parameters.values()] == [Sequence[str]]
    assert signature.return_annotation is int
    last = tree(Path(service, "__main__.py")).body[-1]
    assert ast.unparse(last) == "if __name__ == '__main__':\n    sys.exit(main(sys.argv[1:]))"


@each_service
def test_it_takes_its_own_frozen_settings_from_the_installation(service: str) -> None:
    settings = importlib.import_module(f"{service}.config").Settings
    assert is_dataclass(settings)
    assert settings.__dataclass_params__.frozen
    assert inspect.ismethod(settings.from_installation)
    first = next(iter(inspect.signature(settings.from_installation).parameters.values()))
    assert first.annotation.__name__ == "Installation"


@each_service
def test_its_metrics_are_made_for_a_registry(service: str) -> None:
    metrics = importlib.import_module(f"{service}.metrics").Metrics
    assert [*inspect.signature(metrics).parameters] == ["registry"]


# --- the core


def reached_from(start: Path) -> dict[Path, set[str]]:
    """The modules of a service and of `pipeline` that this one needs, itself first, with what each imports.

    `schemas` is not followed: it imports nothing of ours, and what it reads it reads while it is loaded.
    """
    found: dict[Path, set[str]] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = imports(path)
        files = (module_file(name) for name in found[path] if name.split(".")[0] != "schemas")
        waiting += [file for file in files if file is not None and file.name != "__init__.py"]
    return found


@each_service
def test_the_core_and_all_it_needs_is_pure(service: str) -> None:
    for path, named in reached_from(Path(service, "core.py")).items():
        assert named & IMPURE == set(), path
        called = {
            node.func.attr for node in ast.walk(tree(path))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }  # fmt: skip
        assert called & CLOCKS == set(), path


@each_service
def test_the_core_is_among_the_modules_that_the_import_linter_keeps_pure(service: str) -> None:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    (pure,) = (each["source_modules"] for each in contracts if each["name"].startswith("The pure modules"))
    assert f"{service}.core" in pure


@each_service
def test_services_stand_apart_by_a_contract_of_the_import_linter(service: str) -> None:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    (apart,) = (each["modules"] for each in contracts if each["type"] == "independence")
    assert service in apart


# --- acts


def performing(path: Path) -> list[ast.Match]:
    """Where a module tells acts from one another."""
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.Match) and ast.unparse(node.subject) == "act"]


def last_words(match: ast.Match) -> str:
    last = match.cases[-1]
    return f"{ast.unparse(last.pattern)}: {'; '.join(map(ast.unparse, last.body))}"


@each_service
def test_an_act_that_nobody_performs_is_found_by_the_type_checker(service: str) -> None:
    found = {path: performing(path) for path in modules(service)}
    assert [
        f"{path}:{match.lineno}"
        for path, matches in found.items()
        for match in matches
        if last_words(match) != "_: assert_never(act)"
    ] == []
    # A service that has no acts of its own has a table whose rows say what is done.
    assert any(found.values()) is (ROOT / service / "acts.py").is_file()
