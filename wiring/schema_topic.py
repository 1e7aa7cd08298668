"""The topic of schemas: what each version writes with, so that another one that runs beside it can read that.

What lies there and is no such schema ends nobody, and hides nothing: it is told of, what was learned under its
fingerprint stays, and a version whose own schema it has come upon writes that one again.
"""

import logging

from pipeline.log import Log, Outgoing, TopicPartition
from pipeline.spans import read_span
from schemas import wire
from schemas.topics import Topics

_log = logging.getLogger(__name__)


class SchemaTopic:
    """Follows the topic when it is asked to. `share` before anything is written."""

    def __init__(self, log: Log, topics: Topics) -> None:
        self._log = log
        self._place = TopicPartition(topics("schemas"), 0)
        self._next = 0
        self._there: set[bytes] = set()

    def share(self) -> None:
        """Learn every schema that lies there, add those of this version, and learn of others when one is met.

        Raises `LogError`.
        """
        self._log.partition_count(self._place.topic)  # says so where there is no such topic
        self.follow()
        missing = {print_: text for print_, text in wire.current_schemas().items() if print_ not in self._there}
        if missing:
            writer = self._log.writer("schemas")
            writer.write([Outgoing(self._place.topic, print_, text, (), 0) for print_, text in missing.items()])
            writer.close()
        wire.ask(self.follow)

    def follow(self) -> None:
        """Learn what has come since. Raises `LogError`."""
        first, end = self._log.span(self._place)
        for message in read_span(self._log, "schemas", self._place, max(first, self._next), end):
            print_ = message.key or b""
            try:
                wire.learn(print_, message.value or b"")
                self._there.add(print_)
            except ValueError as error:
                self._there.discard(print_)  # compaction keeps the newest of a key, which is this one
                place = f"{message.topic}/{message.partition}@{message.offset}"
                _log.error("not a schema", extra={"place": place, "reason": str(error)})
        self._next = end
