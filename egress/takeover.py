"""Taking a line over: say so in `sent`, then read what its last owner left. Waits for the broker: not for the loop."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from egress.jobs import Takeover
from pipeline.log import Log, Message, Outgoing, TopicPartition, Writer
from pipeline.owned import EPOCH
from pipeline.spans import read_span
from schemas import wire
from schemas.installation import Egress
from schemas.japan_time import midnight_ms
from schemas.records import LineTaken, RouteHeld, RouteOrderAnswered, TelegramSent, TelegramWithheld
from schemas.topics import Topics

_LOOK = 500  # records, again and again


@dataclass(frozen=True, slots=True)
class Places:
    """Where one line lies in the log."""

    line: str
    group: str
    dispatch: TopicPartition
    sent: TopicPartition
    holds: TopicPartition
    numbers: TopicPartition
    answers: TopicPartition

    @classmethod
    def of(cls, topics: Topics, line: str) -> "Places":
        """The places of this line."""
        return cls(
            line=line,
            group=f"{topics.prefix}egress.{line}",
            dispatch=TopicPartition(topics("dispatch", line), 0),
            sent=TopicPartition(topics("sent", line), 0),
            holds=TopicPartition(topics("holds"), 0),
            numbers=TopicPartition(topics("trace-numbers"), 0),
            answers=TopicPartition(topics("line-answers"), 0),
        )


def take_over(
    log: Log, writer: Writer, places: Places, times: Egress, node: str, now_ms: int
) -> tuple[Takeover, int]:  # fmt: skip
    """Own the line from here on: what there is to know, and the offset of our `LineTaken`. Raises `LogError`.

    How far back `sent` is read goes by the broker's stamps: that of our own `LineTaken`, and that of the first order
    without an outcome; and further, where what was written says that it is younger. `now_ms` is only told.
    """
    value, headers = wire.encode(LineTaken(line=places.line, node=node, taken_ms=now_ms))
    (taken,) = writer.write([Outgoing(places.sent.topic, places.line.encode(), value, headers, places.sent.partition)])
    (own,) = read_span(log, "takeover", places.sent, taken, taken + 1)
    taken_ms = own.timestamp_ms
    first, end = log.span(places.dispatch)
    committed = log.committed(places.group, places.dispatch)
    position = first if committed is None else max(first, committed)
    since_ms = min(taken_ms, _oldest_open_ms(log, places, position, end, taken_ms)) - times.look_back_ms
    written = read_span(log, "takeover", places.sent, _start(log, places, since_ms), taken)
    holds, last_words = _holds(log, places)
    found = Takeover(
        sent=list(_by_owners(written)),
        known_since_ms=since_ms,
        position=position,
        holds=holds,
        last_words=last_words,
        not_done=list(_not_done(log, places, since_ms)),
        day_began_at=log.offset_at(places.dispatch, midnight_ms(taken_ms) - times.look_back_ms),
    )
    return found, taken


def _start(log: Log, places: Places, since_ms: int) -> int:
    """Where in `sent` that begins which was written since then, by its stamps or by what it says itself.

    The stamps are of whichever broker led the topic, and of one that led it until now the clock may have been wrong.
    """
    start, (first, _) = log.offset_at(places.sent, since_ms), log.span(places.sent)
    while start > first:
        earlier = max(first, start - _LOOK)
        if all(_written_ms(each) < since_ms for each in read_span(log, "takeover", places.sent, earlier, start)):
            break
        start = earlier
    return start


def _written_ms(message: Message) -> int:
    """When its writer wrote it, by the broker's time as it knew it; what cannot be read is as old as its stamp says."""
    try:
        record = wire.decode(message)
    except wire.RecordError:
        return 0
    match record:
        case TelegramSent(sent_ms=at_ms) | TelegramWithheld(noticed_ms=at_ms) | LineTaken(taken_ms=at_ms):
            return at_ms
        case _:
            return 0


def _by_owners(messages: Iterable[Message]) -> Iterator[TelegramSent | TelegramWithheld]:
    """What the line's owners wrote, each until the next.

    What a former one wrote afterwards, frozen or on its way for long, was neither done nor told: of what its successor
    has sent it may say that it never will be.
    """
    newest = -1
    for message in messages:
        record = wire.decode(message)
        if isinstance(record, LineTaken):
            newest = message.offset
        elif isinstance(record, (TelegramSent, TelegramWithheld)):
            epoch = _epoch(message, newest)
            if epoch >= newest:
                newest = epoch
                yield record


def _epoch(message: Message, newest: int) -> int:
    """The `LineTaken` of the owner that wrote this; the newest that is known, where it names none."""
    return next((int(value) for name, value in message.headers if name == EPOCH), newest)


def _oldest_open_ms(log: Log, places: Places, position: int, end: int, taken_ms: int) -> int:
    """When the broker stored the first order without an outcome; `taken_ms` where there is none."""
    for message in read_span(log, "takeover", places.dispatch, position, min(position + 1, end)):
        return message.timestamp_ms
    return taken_ms


def _not_done(log: Log, places: Places, since_ms: int) -> Iterator[str]:
    """The operators' orders about routes that were answered so. What was done may be read again: it stays as it is."""
    start, (_, end) = log.offset_at(places.answers, since_ms), log.span(places.answers)
    for message in read_span(log, "takeover", places.answers, start, end):
        record = wire.decode(message)
        if isinstance(record, RouteOrderAnswered) and record.line == places.line and not record.done:
            yield record.order_id


def _holds(log: Log, places: Places) -> tuple[Iterable[RouteHeld], Collection[int]]:
    """The holds of the line, and the routes about which a former owner wrote after a later one, which is no hold."""
    held: dict[bytes, RouteHeld] = {}
    last_words: dict[int, None] = {}
    newest = -1
    prefix = f"{places.line}/".encode()
    for message in read_span(log, "takeover", places.holds, *log.span(places.holds)):
        assert message.key is not None
        if not message.key.startswith(prefix):
            continue
        route = int(message.key.removeprefix(prefix))
        epoch = _epoch(message, newest)
        if epoch < newest:
            last_words[route] = None
            continue
        newest = epoch
        last_words.pop(route, None)
        if message.value is None:
            held.pop(message.key, None)
        else:
            held[message.key] = wire.decode_as(RouteHeld, message)
    return list(held.values()), list(last_words)
