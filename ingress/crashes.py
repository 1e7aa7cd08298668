"""Where an ingress can be made to die (`schemas.crash_points`): after each kind of record it writes."""

from pipeline import crash
from schemas.crash_points import Point


def stored(record: str) -> None:
    """The broker has acknowledged a record of this name; its client is not told anything yet."""
    if not crash.armed:
        return
    match record:
        case "RequestAccepted":
            crash.here(Point.REQUEST_STORED)
        case "ReplyDelivered":
            crash.here(Point.CONFIRMATION_STORED)
        case "ReplyUndeliverable":
            crash.here(Point.UNDELIVERABLE_STORED)
