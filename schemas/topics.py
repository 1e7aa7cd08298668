"""The topic table: every topic, its key, its records, who writes and who reads it, partitions and retention.

The topics are created from this table and the documentation's table is printed from it (``python -m schemas.topics``).
A *family* has one topic per line: ``dispatch`` stands for ``dispatch.<line>``. `Topics` gives the full names under the
installation's prefix.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from schemas import records as r
from schemas.records import Record
from schemas.topic_config import DAY_MS as _DAY_MS
from schemas.topic_config import config_of

_AUDIT_MS = 400 * _DAY_MS  # who decided what about money: more than the twelve months of PCI DSS 10.5.1


class Spread(Enum):
    """How a topic is divided."""

    BY_TRANSACTION = "as requests"  # same key, same count: the partitions of these topics belong together
    ONE = "1"
    BY_SLOT = "one per ingress slot"


@dataclass(frozen=True, slots=True)
class Topic:
    """One row. `keep_ms` is the retention; None stands for a compacted topic."""

    name: str
    key: str
    spread: Spread
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    holds: tuple[type[Record], ...]
    keep_ms: int | None
    says: str
    per_line: bool = False


_TX = "transaction key"
_TX_ID = "transaction id"

TABLE: tuple[Topic, ...] = (
    Topic(
        "requests",
        _TX,
        Spread.BY_TRANSACTION,
        ("ingress",),
        ("router",),
        (r.RequestAccepted, r.InquiryAsked),
        7 * _DAY_MS,
        "a client asked for this",
    ),
    Topic(
        "dispatch",
        _TX,
        Spread.ONE,
        ("router", "faults", "denbun"),
        ("egress",),
        (r.SendRequest, r.SendCancel, r.ReleaseRoute, r.RouteOrdered),
        7 * _DAY_MS,
        "put this on that line, not after this deadline",
        per_line=True,
    ),
    Topic(
        "reports",
        _TX,
        Spread.BY_TRANSACTION,
        ("egress", "router"),
        ("router",),
        (r.ReportReceived, r.ReportMissing, r.NeverSent, r.DeadlinePassed),
        7 * _DAY_MS,
        "the partner answered, did not answer in time, the line broke, or it was never sent",
    ),
    Topic(
        "replies",
        "none (explicit partition)",
        Spread.BY_SLOT,
        ("router",),
        ("ingress",),
        (r.ReplyReady,),
        _DAY_MS,
        "tell the client this",
    ),
    Topic(
        "deliveries",
        _TX,
        Spread.BY_TRANSACTION,
        ("ingress", "router"),
        ("router",),
        (r.ReplyDelivered, r.ReplyUndeliverable, r.DeadlinePassed, r.RequestAccepted),
        7 * _DAY_MS,
        "the client has it, or could not be given it; a request that waits for that about its original",
    ),
    Topic(
        "timeouts",
        _TX,
        Spread.BY_TRANSACTION,
        ("router",),
        ("faults",),
        (r.RequestInDoubt,),
        7 * _DAY_MS,
        "the partner did not answer this one: confirm-cancel it",
    ),
    Topic(
        "undelivered",
        _TX,
        Spread.BY_TRANSACTION,
        ("router",),
        ("faults",),
        (r.ReplyLost,),
        7 * _DAY_MS,
        "the partner answered, the client could not be given it: cancel it",
    ),
    Topic(
        "cancel-reports",
        _TX,
        Spread.BY_TRANSACTION,
        ("egress", "faults"),
        ("faults",),
        (r.CancelReported, r.CancelSilent, r.CancelNotSent, r.DeadlinePassed),
        7 * _DAY_MS,
        "8950, 8960, 異常報告, silence, or not sent, for a cancel telegram",
    ),
    Topic(
        "operator-commands",
        _TX,
        Spread.BY_TRANSACTION,
        ("denbun",),
        ("faults",),
        (r.OperatorOrdered,),
        _AUDIT_MS,
        "an operator orders a re-command of this cancel, or closes the case by hand",
    ),
    Topic(
        "operator-answers",
        _TX,
        Spread.BY_TRANSACTION,
        ("faults",),
        ("denbun", "console"),
        (r.OrderAnswered, r.CaseClosed),
        _AUDIT_MS,
        "what became of an operator's order, and of the case",
    ),
    Topic(
        "settlements",
        _TX,
        Spread.BY_TRANSACTION,
        ("faults",),
        ("router",),
        (r.CancelSettled,),
        7 * _DAY_MS,
        "the cancel of this transaction has ended",
    ),
    Topic(
        "transactions",
        _TX_ID,
        Spread.BY_TRANSACTION,
        ("router",),
        ("router", "console"),
        (r.TransactionState,),
        None,
        "the transaction's state now",
    ),
    Topic(
        "cancels",
        _TX_ID,
        Spread.BY_TRANSACTION,
        ("faults",),
        ("faults", "console"),
        (r.CancelState,),
        None,
        "the cancel's state now",
    ),
    Topic(
        "attention",
        _TX_ID,
        Spread.BY_TRANSACTION,
        ("faults",),
        ("denbun", "console"),
        (r.AttentionRaised,),
        None,
        "a person must look at this transaction",
    ),
    Topic(
        "sent",
        _TX,
        Spread.ONE,
        ("egress",),
        ("egress", "journal"),
        (r.TelegramSent, r.TelegramWithheld, r.LineTaken),
        7 * _DAY_MS,
        "this goes onto the line now, with this trace number; or: it never will",
        per_line=True,
    ),
    Topic(
        "lines",
        "line",
        Spread.ONE,
        ("egress",),
        ("router", "denbun", "console"),
        (r.LineState,),
        None,
        "the line's state now",
    ),
    Topic(
        "line-orders",
        "line",
        Spread.ONE,
        ("denbun",),
        ("egress", "denbun", "console"),
        (r.LineOrdered,),
        None,
        "what an operator has ordered this line to be",
    ),
    Topic(
        "line-answers",
        "line",
        Spread.ONE,
        ("egress",),
        ("egress", "denbun", "console"),
        (r.LineOrderAnswered, r.RouteOrderAnswered),
        _AUDIT_MS,
        "what became of an operator's order about a line or a route",
    ),
    Topic(
        "holds",
        "line/route",
        Spread.ONE,
        ("egress",),
        ("egress", "console"),
        (r.RouteHeld,),
        None,
        "this route carries a cancel and nothing else",
    ),
    Topic(
        "trace-numbers",
        "line",
        Spread.ONE,
        ("egress",),
        ("egress",),
        (r.NumbersReserved,),
        None,
        "these places of the line's reserve of trace numbers are taken: nobody else uses them",
    ),
    Topic(
        "strays",
        "line",
        Spread.ONE,
        ("egress",),
        ("console",),
        (r.StrayTelegram,),
        30 * _DAY_MS,
        "a telegram that matches nothing sent, masked",
    ),
    Topic(
        "clocks",
        "service-node",
        Spread.ONE,
        ("services",),
        ("denbun", "console"),
        (r.ClockTold,),
        None,
        "this process runs, and so far its machine's clock is off",
    ),
    Topic(
        "schemas",
        "fingerprint",
        Spread.ONE,
        ("services",),
        ("services", "denbun"),
        (),
        None,
        "the Avro schema with this fingerprint, as JSON: another version's records are read with it",
    ),
)

BY_NAME: Mapping[str, Topic] = {topic.name: topic for topic in TABLE}
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]*"


@dataclass(frozen=True, slots=True)
class Creation:
    """A topic to create: its full name, its partitions and its configuration entries."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Topics:
    """The full topic names of one installation. `prefix` keeps several installations apart on one broker."""

    prefix: str = ""

    def __call__(self, name: str, line: str | None = None) -> str:
        """The full name of a topic; `line` is needed for a family and refused elsewhere."""
        assert BY_NAME[name].per_line == (line is not None), name
        return f"{self.prefix}{name}" if line is None else f"{self.prefix}{name}.{line}"

    def base(self, full_name: str) -> str:
        """The row's name of a full topic name, as `__call__` gave it."""
        return full_name.removeprefix(self.prefix).split(".", 1)[0]

    def creations(self, lines: Iterable[str], partitions: int, slots: int, replication: int = 1) -> list[Creation]:
        """Every topic of an installation with these lines, this many transaction partitions and ingress slots."""
        return [each for _, each in self._wanted(lines, partitions, slots, replication)]

    def used_by(
        self, service: str, lines: Iterable[str], partitions: int, slots: int, replication: int
    ) -> list[Creation]:  # fmt: skip
        """The topics that a service reads or writes, as `creations` has them."""
        everybody = {service, "services"}
        wanted = self._wanted(lines, partitions, slots, replication)
        return [each for topic, each in wanted if everybody & {*topic.writers, *topic.readers}]

    def _wanted(
        self, lines: Iterable[str], partitions: int, slots: int, replication: int
    ) -> Iterable[tuple[Topic, Creation]]:  # fmt: skip
        every_line = list(lines)
        count = {Spread.BY_TRANSACTION: partitions, Spread.ONE: 1, Spread.BY_SLOT: slots}
        for topic in TABLE:
            for name in [self(topic.name, line) for line in every_line] if topic.per_line else [self(topic.name)]:
                yield topic, Creation(name, count[topic.spread], config_of(topic.keep_ms, replication))


def markdown() -> str:
    """The table as it stands in the documentation."""
    lines = [
        "| topic | key | partitions | writer → reader | records | kept | what a record says |",
        "|---|---|---|---|---|---|---|",
    ]
    for topic in TABLE:
        name = f"{topic.name}.&lt;line&gt;" if topic.per_line else topic.name
        kept = "compacted" if topic.keep_ms is None else f"{topic.keep_ms // _DAY_MS} d"
        held = ", ".join(record.__name__ for record in topic.holds)
        ways = f"{', '.join(topic.writers)} → {', '.join(topic.readers)}"
        lines.append(f"| {name} | {topic.key} | {topic.spread.value} | {ways} | {held} | {kept} | {topic.says} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201  the module's command
