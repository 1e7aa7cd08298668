"""What we have sent comes back: all or some of it, at once or late. The line does not open by it, and hangs up."""

from typing import Any

import pytest
from test_egress_core import MIDNIGHT, Rig, steps

from egress.acts import Act, Hang, Tell, Transmit
from egress.looped import LOOPED
from schemas.records import LineState, StrayTelegram
from schemas.telegrams import Role


class LoopRig(Rig):
    """Keeps everything that it transmits, to send it back."""

    def __init__(self, **more: Any) -> None:
        self.out: list[bytes] = []
        super().__init__(times={"closing_timeout_ms": 1_000, "probe_idle_ms": 3_000}, **more)

    def seen(self, acts: list[Act]) -> str:
        for act in acts:
            if isinstance(act, Transmit):
                self.out += self.partner.framing.deframer().feed(act.data)
        return super().seen(acts)

    def do_connected(self, now: int) -> list[Act]:
        return self.core.connected(now + MIDNIGHT)

    def do_loop(self, now: int, role: str) -> list[Act]:
        """The last telegram of this role comes back, byte by byte the same."""
        payload = next(each for each in reversed(self.out) if self.partner.decode(each).role == role)
        return self.core.received(payload, now + MIDNIGHT)

    def do_crossing(self, now: int, role: str) -> list[Act]:
        """The partner asks the same at the same time, under its own number."""
        values = {**self.last[role].values, "trace_number": 1}
        return self.core.received(self.partner.encode(Role(role), values), now + MIDNIGHT)

    def do_answers(self, now: int, role: str, **more: Any) -> list[Act]:
        asked = self.last[role.replace("answer", "request")]
        names = self.partner.telegrams[Role(role)].names
        values = {name: value for name, value in {**asked.values, "result_code": "000"}.items() if name in names}
        return self.core.received(self.partner.encode(Role(role), {**values, **more}), now + MIDNIGHT)


SCENARIOS = {
    "the opening": """
            0 connected                  -> line opening, transmit opening_request
            1 loop opening_request       -> line failed, hang looped, stray
            2 loop opening_request       -> stray
            9 broken                     -> line failed
         9000 connected                  -> line opening, transmit opening_request
         9001 loop opening_request       -> line failed, hang looped, stray
    """,
    "the opening, after the connection over which it went": """
            0 connected                  -> line opening, transmit opening_request
            1 broken                     -> line failed
            2 sought                     ->
            3 loop opening_request       -> line failed, stray
         1000 connected                  -> line opening, transmit opening_request
         1001 loop opening_request       -> line failed, hang looped, stray
    """,
    "our answer to the partner's own opening": """
            0 connected                  -> line opening, transmit opening_request
            1 crossing opening_request   -> transmit opening_answer
            2 loop opening_answer        -> line failed, hang looped, stray
    """,
    "both sides open at once": """
            0 connected                  -> line opening, transmit opening_request
            1 crossing opening_request   -> transmit opening_answer
            2 answers opening_answer     -> line open
            3 crossing opening_request   -> transmit opening_answer
            4 ask a                      -> sent a#0 t1 r1
    """,
    "our keep-alive": """
            0 opened                     -> line opening, transmit opening_request, line open
         3000 due                        -> transmit keepalive_request
         3001 loop keepalive_request     -> line failed, hang looped, stray
    """,
    "our answer to the partner's keep-alive": """
            0 opened                     -> line opening, transmit opening_request, line open
            1 keepalive                  -> transmit keepalive_answer
            2 loop keepalive_answer      -> line failed, hang looped, stray
    """,
    "both sides ask for a sign of life at once": """
            0 opened                     -> line opening, transmit opening_request, line open
         3000 due                        -> transmit keepalive_request
         3001 crossing keepalive_request -> transmit keepalive_answer
         3002 alive                      ->
    """,
    "our closing": """
            0 opened                     -> line opening, transmit opening_request, line open
            1 order close                -> line draining, ordered close by Sato
            2 due                        -> line closing, transmit closing_request
            3 loop closing_request       -> line closed, hang looped, rest, stray
    """,
    "a cancel": """
            0 opened                     -> line opening, transmit opening_request, line open
            1 8930 z 1                   -> sent z#1 t1 r1
            2 stored                     -> hold r1 z, transmit fault_confirm t1 r1
            3 loop fault_confirm         -> line failed, hang looped, stray
            4 broken                     -> silent z#1 line_broke, line failed
    """,
    "a request": """
            0 opened                     -> line opening, transmit opening_request, line open
            1 ask a                      -> sent a#0 t1 r1
            2 stored                     -> transmit sale_request t1 r1
            3 loop sale_request          -> line failed, hang looped, stray
            4 broken                     -> hold r1 a, missing a line_broke, line failed
    """,
    "another station's telegrams, by a wrong patch": """
            0 connected                          -> line opening, transmit opening_request
            1 partner opening_request DNB00002   -> stray
            2 answers opening_answer             -> line open
            3 partner keepalive_request DNB00002 -> stray
            4 partner closing_request DNB00002   -> stray
            5 ask a                              -> sent a#0 t1 r1
    """,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_loop(name: str) -> None:
    rig = LoopRig()
    for at, event, told in steps(SCENARIOS[name]):
        assert rig.play(event, at) == told, f"{at} {event}"


@pytest.mark.parametrize("changed", [{"station_id": "DNB00002"}, {"company_code": "100002"}, {"route_number": 9}])
def test_an_opening_answer_that_is_another_ones_opens_nothing(changed: dict[str, Any]) -> None:
    rig = LoopRig()
    rig.play("connected", 0)
    assert rig.seen(rig.do_answers(1, "opening_answer", **changed)) == "stray"
    assert rig.play("answers opening_answer", 2) == "line open"


def test_the_board_and_the_log_say_that_the_line_is_looped() -> None:
    rig = LoopRig()
    rig.play("connected", 0)
    acts = rig.do_loop(1, "opening_request")
    (state,) = [act.record for act in acts if isinstance(act, Tell) and isinstance(act.record, LineState)]
    assert state.reason == LOOPED
    assert [act for act in acts if isinstance(act, Hang)] == [Hang(LOOPED, warn=True)]


def test_what_has_come_back_is_told_as_a_stray_field_by_field() -> None:
    rig = LoopRig()
    rig.play("connected", 0)
    acts = rig.do_loop(1, Role.OPENING_REQUEST)
    (stray,) = (act.record for act in acts if isinstance(act, Tell) and isinstance(act.record, StrayTelegram))
    told, *fields = stray.description.splitlines()
    assert (stray.role, told) == (Role.OPENING_REQUEST, LOOPED)
    assert any("station_id" in field and "DNB00001" in field for field in fields), fields
