"""The jars of Kafka: nothing is said where they are there; else what is fetched, and nothing is left by half."""

import os
from pathlib import Path
from typing import Any

import pytest
from jgo.maven import MavenContext, PythonResolver

from ops.broker import Broker, BrokerError
from ops.interrupts import Interrupted
from ops.kafka_jars import FetchError, class_path

JARS = ("org.apache.kafka:kafka_2.13:4.1.1", "org.slf4j:slf4j-simple:2.0.17")
CAME = b"0123456789"


class Central:
    """Maven Central without a network: every artifact is the same bytes, and needs no other one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
        self.asked: list[str] = []
        self.breaks: BaseException | None = None
        monkeypatch.setenv("M2_REPO", str(repository))
        repository.mkdir()
        monkeypatch.setattr(PythonResolver, "resolve", lambda _, given, **__: (given, []))
        monkeypatch.setattr(PythonResolver, "download", lambda *given: self._download(*given))  # noqa: PLW0108  it is to be bound

    def _download(self, resolver: Any, artifact: Any) -> Path:
        self.asked.append(artifact.filename)
        place: Path = artifact.cached_path
        place.parent.mkdir(parents=True)
        with resolver.progress_callback(artifact.filename, len(CAME)) as came, place.open("wb") as file:
            for byte in CAME:
                file.write(bytes([byte]))
                came(1)
                if self.breaks is not None:
                    raise self.breaks
        return place


@pytest.fixture
def central(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Central:
    return Central(monkeypatch, tmp_path / "repository")


def files(folder: Path) -> list[str]:
    return [each.name for each in folder.rglob("*") if each.is_file()]


def test_what_is_fetched_is_told_once_and_what_is_there_is_not(
    central: Central, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.kafka_jars._TELL_S", 0.0)
    said: list[str] = []
    jars = class_path(said.append).split(os.pathsep)
    assert [Path(jar).name for jar in jars] == central.asked == ["kafka_2.13-4.1.1.jar", "slf4j-simple-2.0.17.jar"]
    assert [Path(jar).read_bytes() for jar in jars] == [CAME, CAME]
    assert "fetching it from repo.maven.apache.org, about 44 MB, this once" in said[0]
    assert said.count("  0 / 44 MB") == 2 * len(CAME)
    assert said[-1].endswith(f"fetched, and kept in {tmp_path / 'repository'}")
    said.clear()
    assert class_path(said.append).split(os.pathsep) == jars
    assert (said, len(central.asked)) == ([], 2)


@pytest.mark.parametrize("error", [Interrupted(2), ConnectionError("gone")])
def test_what_breaks_off_leaves_nothing_that_would_be_taken_for_whole(
    central: Central, tmp_path: Path, error: BaseException
) -> None:
    central.breaks = error
    with pytest.raises((Interrupted, FetchError)):
        class_path(lambda _: None)
    assert files(tmp_path) == []
    assert list((tmp_path / "repository").glob(".denbun-*")) == []
    central.breaks = None
    assert len(class_path(lambda _: None).split(os.pathsep)) == 2


class ProxyError(ConnectionError):
    pass


class Timeout(OSError):  # noqa: N818  the library's name
    pass


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ConnectionError("HTTPSConnectionPool(host=…): Max retries exceeded"), "no connection to it"),
        (ProxyError("HTTPSConnectionPool"), "the proxy does not let it through"),
        (Timeout("HTTPSConnectionPool"), "it does not answer in time"),
        (OSError(28, "No space left on device", "/there/x.jar"), "/there/x.jar: No space left on device"),
        (RuntimeError("Artifact x not found\nin remote repositories"), "Artifact x not found in remote repositories"),
    ],
)  # fmt: skip
def test_why_it_cannot_be_had_is_told_in_words_with_the_remedy(
    central: Central, tmp_path: Path, error: Exception, why: str
) -> None:
    central.breaks = error
    with pytest.raises(BrokerError) as told:
        Broker(tmp_path / "kafka").start()
    said = str(told.value)
    assert said.startswith("Apache Kafka 4.1.1 を取得できません  cannot be fetched from repo.maven.apache.org: " + why)
    assert "connect this machine to it for a moment" in said
    assert "HTTPSConnectionPool" not in said


def test_the_context_is_one_that_names_maven_central_alone() -> None:
    assert list(MavenContext().remote_repos.values()) == ["https://repo.maven.apache.org/maven2"]
