"""Writes single records for the tools: an operator's orders."""

from pipeline.log import Log, Outgoing
from schemas import wire
from schemas.records import Record


def write_record(log: Log, name: str, topic: str, key: str, record: Record) -> None:
    """Have a record stored under this key, in the name of a tool. Raises `LogError`."""
    value, headers = wire.encode(record)
    writer = log.writer(name)
    try:
        writer.write([Outgoing(topic, key.encode(), value, headers)])
    finally:
        writer.close()
