"""The embedded broker: what it says when it cannot be had, and that what was written is there after a restart."""

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from ops import broker
from ops.broker import Broker, BrokerError, running
from ops.folder_lock import NAME, FolderLock, FolderTakenError
from ops.ports import HOST, free_port
from pipeline.kafka import KafkaLog
from pipeline.log import Message, NewTopic, Outgoing, TopicPartition
from pipeline.spans import read_span


def refused(folder: Path, port: int | None = None) -> str:
    """What a broker says that does not start."""
    embedded = Broker(folder, port)
    with pytest.raises(BrokerError) as told:
        embedded.start()
    return str(told.value)


# --- before anything is started


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(tmp_path, port) == (f"port {port} is taken: end what listens there, or ask for another one")
    assert not any(tmp_path.iterdir())


def test_too_little_room_on_the_disk_is_told_in_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=499_999_999)
    monkeypatch.setattr(broker.shutil, "disk_usage", lambda _: full)
    folder = tmp_path / "kafka"
    assert refused(folder) == (f"{folder}: 499 MB free where Kafka needs 500: make room, or name another folder")


def test_stopping_what_was_never_started_is_nothing(tmp_path: Path) -> None:
    Broker(tmp_path).stop()


# --- with the real one


@pytest.mark.stack
def test_a_folder_that_cannot_be_formatted_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder is needed")
    said = refused(tmp_path)
    assert said.startswith(f"{tmp_path} cannot be formatted for Kafka: remove it and try again:\n")
    assert str(tmp_path / "data") in said.partition("\n")[2]


@pytest.mark.stack
def test_a_damaged_folder_is_told_with_the_brokers_last_words(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\ncluster.id=damaged\n")
    said = refused(tmp_path)
    assert said.startswith(f"kafka ended with status 1 (all of it in {tmp_path / 'kafka.log'}):\n")
    assert "meta.properties" in said


def everything(log: KafkaLog, topic: str) -> list[Message]:
    place = TopicPartition(topic, 0)
    return list(read_span(log, "test", place, *log.span(place)))


@pytest.mark.stack
@pytest.mark.timeout(240)
def test_what_was_written_is_there_after_a_stop_and_a_start_in_the_same_folder(tmp_path: Path) -> None:
    said: list[str] = []
    port = free_port()
    settings: dict[str, Any] = {"session_timeout_ms": 3_000, "write_timeout_ms": 10_000}
    with running(tmp_path, port, said.append) as embedded:
        assert embedded.servers == f"{HOST}:{port}"
        first = embedded.process.pid
        log = KafkaLog(embedded.servers, **settings)
        assert log.create([NewTopic("kept", 1, {})]) == ["kept"]
        writer = log.writer("test")
        writer.write([Outgoing("kept", b"k", f"record {number}".encode()) for number in range(3)])
        writer.close()
    assert said[-2:] == ["formatting its folder", "starting Kafka"]
    said.clear()
    with running(tmp_path, say=said.append) as embedded:
        assert embedded.process.pid != first
        log = KafkaLog(embedded.servers, **settings)
        assert log.create([NewTopic("kept", 1, {})]) == []
        assert [message.value for message in everything(log, "kept")] == [b"record 0", b"record 1", b"record 2"]
    assert said == ["starting Kafka"], "what is there is not fetched, nor formatted"


@pytest.mark.stack
def test_a_second_broker_in_the_same_folder_is_refused_and_the_folder_is_free_after_the_first(
    tmp_path: Path, kafka_servers: str
) -> None:
    assert kafka_servers  # so that the jars are there
    lock = FolderLock(tmp_path)
    with pytest.raises(FolderTakenError):
        Broker(tmp_path).start()
    assert [each.name for each in tmp_path.iterdir()] == [NAME]
    lock.release()
    with running(tmp_path), pytest.raises(FolderTakenError):
        Broker(tmp_path).start()
    FolderLock(tmp_path).release()
