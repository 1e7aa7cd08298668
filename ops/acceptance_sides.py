"""The partner's side of an acceptance: a simulated centre, or the partner's operator whom the tester asks.

Both are told the same steps. A simulated centre that records shows every telegram with its bytes, and its books; of a
real one the gateway's own topics tell, and a person.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from acceptance.cases import After, Case, EventStep, PartnerStep
from acceptance.deeds import Words
from acceptance.record import Done, FieldSeen, Side, Telegram
from acceptance.telling import told_step
from acceptance.words import IN, WORDS, code_for
from images.annotated import Row, annotate
from images.dump import dump_text
from ops.acceptance_client import DONE, Outcome
from ops.acceptance_people import Answer, Person, Said
from schemas.installation import Installation
from schemas.telegrams import REPORT_OF, STATION_REQUESTS, PartnerSpec, Role
from simulator.control import Control

_STATION = {*STATION_REQUESTS, *(REPORT_OF[role] for role in STATION_REQUESTS)}
_KEEPALIVE = (Role.KEEPALIVE_REQUEST, Role.KEEPALIVE_ANSWER)
_DONE: Mapping[Answer, Done] = {Answer.YES: Done.DONE, Answer.NO: Done.FAILED, Answer.CANNOT: Done.NOT_DONE}


class OperatorSide:
    """A real partner: the tester asks its operator, and says when that is done."""

    side = Side.GATEWAY

    def __init__(self, partner: PartnerSpec, person: Person) -> None:
        self._partner = partner
        self._person = person

    def behave(self, case: Case, terminal: str, step: PartnerStep) -> Outcome:
        """Ask, and hear whether it is prepared."""
        words = told_step(step, self._partner)
        amounts = "・".join(f"¥{ask.amount:,}" for ask in case.asks)
        return self._asked(
            Words(
                f"{case.id} 相手先へ依頼してください（端末識別番号 {terminal}、{amounts}）：{words.ja}",
                f"{case.id}: ask the partner (terminal {terminal}, {amounts}): {words.en}",
            )
        )

    def happen(self, step: EventStep) -> Outcome:
        """Ask, and hear whether it has happened."""
        words = told_step(step, self._partner)
        return self._asked(Words(f"相手先へ依頼してください：{words.ja}", f"ask the partner: {words.en}"))

    def restore(self, case: Case, terminal: str) -> None:
        """Ask for the usual behaviour again."""
        if case.of_partner:
            self._person.ask(
                Words(
                    f"{case.id} 相手先の動作を通常に戻してください（端末識別番号 {terminal}）",
                    f"{case.id}: have the partner behave as ever again (terminal {terminal})",
                )
            )

    def _asked(self, words: Words) -> Outcome:
        said: Said = self._person.ask(words)
        return Outcome(_DONE[said.answer], said.remark, self._person.name)


class SimulatedSide:
    """A simulated centre, by its control port. With bytes in its story the evidence is from its side."""

    def __init__(self, partner: PartnerSpec, control: Control, installation: Installation) -> None:
        self._partner = partner
        self._control = control
        settings = installation.partner_named(partner.name)
        self._after_ms = {
            After.IN_TIME: min(500, settings.report_timeout_ms // 2),
            After.TOO_LATE: 2 * settings.report_timeout_ms,
        }
        self._lines = {line.station_id: line.name for line in installation.line if partner.name in line.partners}
        self._lock = threading.Lock()
        self._rows: list[dict[str, Any]] = []
        self.refresh()
        self.side = Side.PARTNER if self._rows and self._rows[0].get("data") else Side.GATEWAY

    # --- what it shall do

    def behave(self, case: Case, terminal: str, step: PartnerStep) -> Outcome:
        """A rule for the telegrams of this case's terminal; those about a line have none."""
        assert case.steps
        roles = [WORDS[word] for word in step.telegrams]
        rule: dict[str, Any] = {"role": [str(role) for role in roles], "do": step.deed}
        if not _STATION & set(roles):
            rule["terminal_id"] = terminal
        if step.times is not None:
            rule["times"] = step.times
        if step.code is not None:
            rule["code"] = code_for(self._partner, step.code)
        if step.after is not None:
            rule["after_ms"] = self._after_ms[step.after]
        self._control.behave(**rule)
        return DONE

    def happen(self, step: EventStep) -> Outcome:
        """The centre does it at once."""
        match step.event:
            case "keepalive":
                self._control.keepalive()
            case "close_stations":
                self._control.close_stations()
            case "drop_lines":
                self._control.drop_lines()
            case "refuse_opening" | "accept_opening":
                self._control.refuse_opening(step.event == "refuse_opening")
        return DONE

    def restore(self, case: Case, terminal: str) -> None:
        """Rules go by terminal, so those of a payment hurt nobody else; those of a line are taken back."""
        assert terminal
        if case.alone:
            self._control.refuse_opening(False)
            self._control.clear()

    # --- what it saw

    def refresh(self) -> int:
        """Take in what has passed; gives the number of the last telegram."""
        with self._lock:
            last = int(self._rows[-1]["number"]) if self._rows else 0
            for row in self._control.story(last + 1):
                data = row.get("data")  # None where the centre does not record
                values = {} if data is None else self._partner.read(bytes.fromhex(data)).values
                self._rows.append({**row, "terminal": values.get("terminal_id")})
            return int(self._rows[-1]["number"]) if self._rows else 0

    def rows_of(self, case: Case, terminal: str, since: int) -> list[dict[str, Any]]:
        """The rows of the story that belong to a case: by its terminal, and by the numbers of what came from there.

        A case about the lines has those telegrams, too; keep-alives only where it names them.
        """
        self.refresh()
        named = {(each.way, each.role) for each in case.telegrams}
        mine: set[tuple[str, int]] = set()
        found = []
        for row in self._rows:
            role = Role(row["role"])
            if int(row["number"]) <= since:
                continue
            if role in _STATION:
                wanted = (row["way"], role) in named if role in _KEEPALIVE else True
                if case.alone and wanted:
                    found.append(row)
                continue
            numbers = (str(row["station"]), int(row["trace_number"]))
            if row["terminal"] == terminal or (row["terminal"] is None and numbers in mine):
                found.append(row)
                if row["way"] != IN:
                    mine.add(numbers)
        return found

    def telegrams(self, rows: Sequence[Mapping[str, Any]]) -> list[Telegram]:
        """The rows with their bytes, annotated and masked."""
        return [telegram_of(self._partner, row, self._lines) for row in rows]

    def books(self, terminal: str) -> tuple[list[tuple[str, int]], int]:
        """What counts in the books of what came from this terminal, as kind and yen; and its balance in yen."""
        rows = self._control.ledger(terminal_id=terminal)
        stands = [(str(row["role"]).removesuffix("_request"), int(row["amount"])) for row in rows if row["in_force"]]
        return stands, sum(int(row["balance"]) for row in rows)

    def violations(self) -> list[str]:
        """Every broken rule of the line until now, as text."""
        return [f"{row['broken']} {row['station']}: {row['text']}" for row in self._control.violations()]


def telegram_of(partner: PartnerSpec, row: Mapping[str, Any], lines: Mapping[str, str]) -> Telegram:
    """A row of a recorded story as it is kept in the evidence: masked."""
    data = bytes.fromhex(row["data"])
    message = partner.read(data)
    annotated = annotate(partner.dated(message.values), data)
    station = str(message.values.get("station_id", row["station"]))
    return Telegram(
        way=row["way"], role=message.role, line=lines.get(station, station), trace_number=int(row["trace_number"]),
        route_number=int(row["route_number"]), business_date=str(message.values["business_date"]),
        values=partner.masked(message.values), at_ms=row["at_ms"], size=len(data),
        fields=tuple(_field(each) for each in annotated.rows), dump=tuple(dump_text(annotated).splitlines()),
    )  # fmt: skip


def _field(row: Row) -> FieldSeen:
    meaning = row.meaning
    return FieldSeen(
        offset=row.offset, size=row.size, name=row.name, ja=row.japanese, en=row.english, hex=row.hex,
        value="" if row.value is None else f"{row.value}", meaning_ja="" if meaning is None else meaning.japanese,
        meaning_en="" if meaning is None else meaning.english, hidden=row.hidden,
    )  # fmt: skip
