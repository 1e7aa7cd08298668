"""Records what travels: plays every flow of `images.catalogue` on a stage, and keeps the telegrams of each as bytes."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import msgspec

from acceptance.words import REQUESTS
from images.catalogue import CATALOGUE, Group
from images.editions import digest_of
from images.record import Asked, Flow, PartnerRecord, Travelled
from ops.courses import COURSES
from ops.player import Played, Player
from ops.stage import Say, Stage
from schemas.telegrams import REPORT_OF, STATION_REQUESTS, Role, load_partner
from simulator.control import Control

_COURSES = {course.name: course for course in COURSES}
_STATION_ROLES = {*STATION_REQUESTS, *(REPORT_OF[role] for role in STATION_REQUESTS)}
_WITH_STATION = {"line_dropped"}  # where the line's own telegrams are part of what happens
CARRIED = "carried_"
_CLOSING = "closing_by_gateway"  # ends the lines, so it comes last
LINE_FLOWS = (
    "opening",
    "keepalive_from_centre",
    "keepalive_from_gateway",
    "closing_by_centre",
    _CLOSING,
)
_LIMIT_S = 30.0
AMOUNT = 1_000  # yen, in every flow: so each is what becomes of the same sale
Row = dict[str, Any]


class RecordingError(Exception):
    """A flow did not go as it should, so nothing may be shown of it."""


def record_partners(
    stage: Stage, partners: Sequence[str], names: Sequence[str], say: Say
) -> list[PartnerRecord]:  # fmt: skip
    """Play these flows with these partners, in the order of the catalogue; closing the lines ends it.

    Raises `RecordingError`, `ControlError`, `OSError`.
    """
    with ExitStack() as stack:
        recorders = {each: stack.enter_context(_recorder(stage, each, each)) for each in partners}
        with ThreadPoolExecutor(len(recorders)) as pool:

            def play(partner: str) -> list[Flow]:
                return _played(recorders[partner], partner, names, say, Group.CARRIED)

            flows = dict(zip(recorders, pool.map(play, recorders), strict=True))
        if _CLOSING in names:
            since = {partner: each.next() for partner, each in recorders.items()}
            for full in stage.services:
                if full.startswith("egress-"):
                    stage.end(full)
            for partner, each in recorders.items():
                flows[partner].append(each.closing(since[partner]))
    return [_record_of(stage, partner, flows[partner]) for partner in recorders]


def record_carried(stage: Stage, record: PartnerRecord, names: Sequence[str], say: Say) -> PartnerRecord:
    """The record with flows of another partner's telegrams, which come in envelopes over this partner's line.

    Raises as `record_partners`.
    """
    codes = {each.code: each.partner for line in stage.installation.line for each in line.carries}
    layouts = {each.name: each.telegrams for each in stage.installation.partner}
    carried = next(iter(codes.values()))
    with _recorder(stage, record.partner, carried) as recorder:
        others = [group for group in Group if group is not Group.CARRIED]
        flows = _played(recorder, record.partner, names, say, *others)
    return msgspec.structs.replace(
        record,
        flows=(*record.flows, *flows),
        carries={code: layouts[partner] for code, partner in codes.items()},
    )


def _played(recorder: "_Recorder", partner: str, names: Sequence[str], say: Say, *without: Group) -> list[Flow]:
    flows = []
    recorder.warm_up()
    for entry in CATALOGUE:
        if entry.name in names and entry.name != _CLOSING and entry.group not in without:
            flows.append(recorder.flow(entry.name))
            say(f"{partner:8} {entry.japanese}  {entry.english}")
    return flows


def _record_of(stage: Stage, partner: str, flows: Sequence[Flow]) -> PartnerRecord:
    configured = next(each for each in stage.installation.partner if each.name == partner)
    return PartnerRecord(
        partner=partner,
        layout=configured.telegrams,
        digest=digest_of(configured.telegrams),
        report_timeout_ms=configured.report_timeout_ms,
        cancel_timeout_ms=configured.cancel.report_timeout_ms,
        flows=tuple(flows),
    )


@contextmanager
def _recorder(stage: Stage, owner: str, payer: str) -> Iterator["_Recorder"]:
    customer = stage.plan.customers[payer]
    with stage.control(owner) as line, stage.control(payer, owner) as books:
        door, token = stage.plan.doors[0], stage.plan.tokens[customer]
        lines = sum(each.partner == owner for each in stage.installation.line)
        player = Player(load_partner(payer), books, door, customer, token, lines)
        try:
            yield _Recorder(stage, line, player)
        finally:
            player.close()


class _Recorder:
    """Plays flows over one partner's line. `line`: the control of the centre at its end."""

    def __init__(self, stage: Stage, line: Control, player: Player) -> None:
        self._stage = stage
        self._line = line
        self._player = player
        self._lines: dict[str, str] = {each.station_id: each.name for each in stage.installation.line}
        self._special: dict[str, Callable[[], list[Row]]] = {
            "opening": self._opening,
            "keepalive_from_centre": self._keepalive_from_centre,
            "keepalive_from_gateway": self._keepalive_from_gateway,
            "closing_by_centre": self._closing_by_centre,
        }

    def warm_up(self) -> None:
        """One payment that is not recorded: the first on new processes may take longer than a report is awaited."""
        self._player.play(replace(_COURSES["authorised"], name="warm_up"), AMOUNT)

    def flow(self, name: str) -> Flow:
        """Play one. Raises `RecordingError`."""
        if name in self._special:
            return Flow(name=name, asks=(), telegrams=tuple(map(self._travelled, self._special[name]())))
        since = self.next()
        course = replace(_COURSES[name.removeprefix(CARRIED)], name=name)
        played = self._player.play(course, AMOUNT)
        if not played.as_expected:
            raise RecordingError(f"{name} did not go as it should: {'; '.join(played.problems)}: see `denbun demo`")
        rows = self._line.story(since)
        kept = [row for row in rows if name in _WITH_STATION or Role(row["role"]) not in _STATION_ROLES]
        return Flow(name=name, asks=_asked(played), telegrams=tuple(map(self._travelled, kept)))

    def _travelled(self, row: Row) -> Travelled:
        if row["data"] is None:
            raise RecordingError("the centre keeps no bytes: start it with --record")
        return Travelled(
            way=row["way"],
            role=Role(row["role"]),
            line=self._lines[row["station"]],
            at_ms=row["at_ms"],
            data=row["data"],
        )

    def closing(self, since: int) -> Flow:
        """The gateway's closing, of which the telegrams come from this number on. Raises `RecordingError`."""
        rows = self._until(since, ("→", Role.CLOSING_REQUEST), ("←", Role.CLOSING_ANSWER))
        return Flow(name=_CLOSING, asks=(), telegrams=tuple(map(self._travelled, rows)))

    def next(self) -> int:
        """The number that the line's next telegram will have."""
        return 1 + max((row["number"] for row in self._line.story()), default=0)

    # --- the line's own flows

    def _until(self, since: int, *wanted: tuple[str, Role]) -> list[Row]:
        """The line's own telegrams from this number on, up to the first ones of this kind, in this order."""
        until = time.monotonic() + _LIMIT_S
        while True:
            kept: list[Row] = []
            left = list(wanted)
            for row in self._line.story(since):
                if left and (row["way"], Role(row["role"])) == left[0]:
                    kept.append(row)
                    left.pop(0)
            if not left:
                return kept
            if time.monotonic() > until:
                way, role = left[0]
                raise RecordingError(f"no {way} {role.value} within {_LIMIT_S:g} s: see the logs")
            time.sleep(0.05)

    def _opening(self) -> list[Row]:
        return self._until(1, ("→", Role.OPENING_REQUEST), ("←", Role.OPENING_ANSWER))

    def _keepalive_from_centre(self) -> list[Row]:
        since = self.next()
        self._line.keepalive()
        return self._until(since, ("←", Role.KEEPALIVE_REQUEST), ("→", Role.KEEPALIVE_ANSWER))

    def _keepalive_from_gateway(self) -> list[Row]:
        return self._until(self.next(), ("→", Role.KEEPALIVE_REQUEST), ("←", Role.KEEPALIVE_ANSWER))

    def _closing_by_centre(self) -> list[Row]:
        since = self.next()
        self._line.close_stations()
        return self._until(
            since,
            ("←", Role.CLOSING_REQUEST),
            ("→", Role.CLOSING_ANSWER),
            ("→", Role.OPENING_REQUEST),
            ("←", Role.OPENING_ANSWER),
        )


def _asked(played: Played) -> tuple[Asked, ...]:
    return tuple(
        Asked(request=REQUESTS[ask.kind][0], amount=played.amount + ask.more, told=told.at_once, ended=told.at_last)
        for ask, told in zip(played.course.asks, played.told, strict=True)
    )
