"""Where an egress can be made to die with what it tells (`schemas.crash_points`); those of `sent` are in `tenure`."""

from pipeline import crash
from schemas.crash_points import Point
from schemas.records import Record, ReportMissing, ReportReceived


def telling(record: Record | None) -> None:
    """This is about to be written."""
    if crash.armed and isinstance(record, ReportReceived):
        crash.here(Point.REPORT_READ)


def told(record: Record | None) -> None:
    """The broker has acknowledged this."""
    if not crash.armed:
        return
    match record:
        case ReportReceived():
            crash.here(Point.REPORT_STORED)
        case ReportMissing():
            crash.here(Point.MISSING_STORED)
