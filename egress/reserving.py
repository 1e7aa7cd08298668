"""Takes trace numbers out of a line's reserve, so that nobody else uses them. Waits for the broker: not for the loop.

What an owner takes, it writes to `trace-numbers` before it uses the first. Two owners cannot take the same:

* Each writes its `LineTaken` to `sent`, then reads what was taken before, then takes, then looks into `sent` whether
  somebody has taken the line since.
* If the later owner does not read what the earlier one takes, then that was written after the later one's `LineTaken`,
  and the earlier one finds this and gives up.
"""

from egress.numbers import BATCH, FIRST_TIME, Reserved
from egress.takeover import Places
from pipeline.log import Log, LogError, Outgoing, Writer
from pipeline.spans import read_span
from schemas import wire
from schemas.japan_time import business_date
from schemas.records import LineTaken, NumbersReserved


class NotTheOwner(LogError):  # noqa: N818  it tells what happened
    """Another process has taken the line meanwhile: nothing may be used."""


def reserve(log: Log, writer: Writer, places: Places, taken: int, count: int, now_ms: int) -> Reserved:
    """The next `count` places of a line's reserve, for the owner whose `LineTaken` is at `taken`. Raises `LogError`."""
    before, today = _before(log, places), business_date(now_ms)
    # Of a new day nobody knows the first place better than this: past midnight the last owner may have used its own,
    # and what it had left of those before.
    began_at = before.day_began_at if before.day == today else max(0, before.start - BATCH)
    found = Reserved(before.end, before.end + count, today, began_at)
    record = NumbersReserved(
        line=places.line,
        start=found.start,
        end=found.end,
        business_date=found.day,
        day_from=found.day_began_at,
        reserved_ms=now_ms,
    )
    value, headers = wire.encode(record)
    place = places.numbers
    # The key names the owner: what one writes late, frozen since, must not push out what later ones have taken.
    writer.write([Outgoing(place.topic, f"{places.line}/{taken}".encode(), value, headers, place.partition)])
    _, end = log.span(places.sent)
    if any(isinstance(wire.decode(each), LineTaken) for each in read_span(log, "numbers", places.sent, taken + 1, end)):
        raise NotTheOwner(f"line {places.line} was taken by another process: join its group anew")
    return found


def _before(log: Log, places: Places) -> Reserved:
    """What was reserved last."""
    last = FIRST_TIME
    for message in read_span(log, "numbers", places.numbers, *log.span(places.numbers)):
        if message.key is not None and message.key.startswith(f"{places.line}/".encode()):
            record = wire.decode_as(NumbersReserved, message)
            if record.end > last.end:
                last = Reserved(record.start, record.end, record.business_date, record.day_from)
    return last
