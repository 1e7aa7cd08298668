"""Records as a run would make them, of samples encoded here, so that tests know every value."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from images.editions import digest_of
from images.record import FORMAT, Asked, Flow, PartnerRecord, Record, Travelled
from schemas.telegrams import PartnerSpec, Role, Value, load_partner

TEST_PAN = "4111111111111111"
REAL_PAN = "4111111111111129"  # in order by its check digit, and published by nobody
SALE, REPORT = Role.SALE_REQUEST, Role.SALE_REPORT


class Recording:
    """One partner's record on its way."""

    def __init__(
        self, partner: str = "cafis", *, pan: str = TEST_PAN, layout: str | Path | None = None, on: str | None = None
    ) -> None:
        self.layout = str(layout or partner)
        self.spec: PartnerSpec = load_partner(layout or partner, on)
        self.pan = pan
        self.flows: list[Flow] = []
        self._at_ms = 1_764_312_000_000

    def data(self, role: Role, **given: Value) -> bytes:
        """The bytes of a sample with these values."""
        values = {**self.spec.telegrams[role].sample(optional=False), "pan": self.pan, **given}
        names = self.spec.telegrams[role].names
        return self.spec.encode(role, {name: value for name, value in values.items() if name in names})

    def flow(self, name: str, *telegrams: tuple[str, Role, Mapping[str, Value]], asks: Sequence[Asked] = ()) -> None:
        """One more flow."""
        travelled = []
        for way, role, given in telegrams:
            self._at_ms += 100
            data = self.data(role, **given).hex()
            travelled.append(Travelled(way=way, role=role, line="line-1", at_ms=self._at_ms, data=data))
        self.flows.append(Flow(name=name, asks=tuple(asks), telegrams=tuple(travelled)))

    def part(self, **carries: str) -> PartnerRecord:
        return PartnerRecord(
            partner=self.spec.name, layout=self.layout, digest=digest_of(self.layout), report_timeout_ms=800,
            cancel_timeout_ms=700, flows=tuple(self.flows), carries=carries,
        )  # fmt: skip


def asked(told: str | None, ended: str, request: Role = SALE) -> Asked:
    return Asked(request=request, amount=1_000, told=told, ended=ended)


def usual(partner: str = "cafis", *, pan: str = TEST_PAN) -> Recording:
    """A sale, one without a report, one whose report could not be returned, and an opening."""
    made = Recording(partner, pan=pan)
    done = {"result_code": made.spec.result_code_for(made.spec.result(_ok(made.spec)).outcome)}
    sale = {"amount": 1_000, "trace_number": 1, "route_number": 3}
    cancel = {"amount": 1_000, "trace_number": 2, "route_number": 3, "original_trace_number": 1}
    made.flow(
        "approved",
        ("→", SALE, {**sale, "security_code": "737"}), ("←", REPORT, {**sale, **done}),
        asks=[asked("approved", "approved")],
    )  # fmt: skip
    made.flow(
        "silence",
        ("→", SALE, sale), ("→", Role.FAULT_CONFIRM, cancel), ("←", Role.FAULT_CONFIRM_REPORT, {**cancel, **done}),
        asks=[asked("being_cancelled", "cancelled")],
    )  # fmt: skip
    made.flow(
        "client_gone",
        ("→", SALE, sale), ("←", REPORT, {**sale, **done}),
        ("→", Role.FAULT_CANCEL, cancel), ("←", Role.FAULT_CANCEL_REPORT, {**cancel, **done}),
        asks=[asked(None, "cancelled")],
    )  # fmt: skip
    made.flow("opening", ("→", Role.OPENING_REQUEST, {}), ("←", Role.OPENING_ANSWER, {**done}))
    return made


def _ok(spec: PartnerSpec) -> str:
    return next(iter(spec.result_codes))


def record_of(*parts: PartnerRecord) -> Record:
    return Record(
        format=FORMAT, made_at="2026-11-28T16:30:00+09:00", version="0.1.0", commit="0123456789ab", partners=parts
    )  # fmt: skip


def carrying(*, pan: str = TEST_PAN) -> PartnerRecord:
    """CAFIS' line with a sale of CARDNET's in an envelope, and its report."""
    inner, outer = Recording("cardnet", pan=pan), Recording("cafis", pan=pan)
    for way, role, envelope in (("→", SALE, Role.ENVELOPE_REQUEST), ("←", REPORT, Role.ENVELOPE_REPORT)):
        given = {"carried_code": "CAR1", "carried_telegram": inner.data(role, amount=1_000).hex()}
        outer.flow("carried_approved" if way == "→" else "carried_silence", (way, envelope, given))
    return outer.part(CAR1="cardnet")
