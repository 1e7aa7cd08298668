"""The life of orders on a line, as tables: time, what happens, and what the line wants done."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from egress.acts import Act, Hang, Rest, Seek, Store, Tell, Transmit
from egress.core import LineCore
from egress.jobs import Takeover
from egress.looped import LOOPED
from egress.sparing import Sparing
from egress.telegrams import CardData, CardDataUnreadable
from schemas.installation import Egress, Line
from schemas.japan_time import business_date
from schemas.records import (
    CancelNotSent,
    CancelReported,
    CancelSilent,
    Command,
    Kind,
    LineOrder,
    LineOrderAnswered,
    LineOrdered,
    LineState,
    NeverSent,
    Original,
    Outcome,
    ReleaseRoute,
    ReportMissing,
    ReportReceived,
    RouteHeld,
    RouteOrderAnswered,
    RouteOrdered,
    Sealed,
    SendCancel,
    SendRequest,
    StrayTelegram,
    TelegramSent,
    TelegramWithheld,
)
from schemas.telegrams import REPORT_OF, Deframer, Message, PartnerSpec, Role, load_partner

MIDNIGHT = 1_775_000_000_000 - (1_775_000_000_000 + 9 * 3_600_000) % 86_400_000
PAN = "4111111111111111"
SEALED = Sealed(key_id="card-1", nonce=b"n" * 12, ciphertext=b"c")
CARDNET = load_partner("cardnet")
TIMES = Egress(metrics_port=0, look_back_ms=60_000, probe_idle_ms=30_000, probe_timeout_ms=2_000)
COMMANDS = {
    "8910": Command.CANCEL,
    "8920": Command.CANCEL_AGAIN,
    "8930": Command.CONFIRM,
    "8940": Command.CONFIRM_AGAIN,
}

SCENARIOS = {
    "approved": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 approved a       -> report a approved
    """,
    "declined, then the second one's turn": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
           50 declined b       -> report b declined
           60 approved a       -> report a approved
    """,
    "turned round by the network": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 turned_round a   -> report a turned_round
    """,
    "the telegram itself was in error": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 error a          -> report a in_error
    """,
    "silence: the route is held, 8930 goes out on it, and 8960 sets it free": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1002 due              -> hold r1 a, missing a silence
         1010 8930 a 1         -> sent a#1 t2 r1
         1011 stored           -> transmit fault_confirm t2 r1
         1050 done a           -> cancel a#1 done
         1051 release a        -> free r1
    """,
    "silence again: 8940 on the same route": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1002 due              -> hold r1 a, missing a silence
         1010 8930 a 1         -> sent a#1 t2 r1
         1011 stored           -> transmit fault_confirm t2 r1
         2012 due              -> silent a#1 silence
         2020 8940 a 2         -> sent a#2 t3 r1
         2021 stored           -> transmit fault_confirm_again t3 r1
         2050 done a           -> cancel a#2 done
         2051 release a        -> free r1
    """,
    "a held route carries nothing else": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1002 due              -> hold r1 a, missing a silence
         1100 ask b            -> sent b#0 t2 r2
         1100 ask c            -> sent c#0 t3 r3
         1100 ask d            ->
         1101 stored           -> transmit sale_request t2 r2, transmit sale_request t3 r3
         1150 approved b       -> report b approved, sent d#0 t4 r2
         1151 stored           -> transmit sale_request t4 r2
    """,
    "undeliverable: 8910 on its original's route, which is held": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 approved a       -> report a approved
          900 8910 a 1         -> sent a#1 t2 r1
          901 stored           -> hold r1 a, transmit fault_cancel t2 r1
         1902 due              -> silent a#1 silence
         2000 8920 a 2         -> sent a#2 t3 r1
         2001 stored           -> transmit fault_cancel_again t3 r1
         2050 done a           -> cancel a#2 done
         2051 release a        -> free r1
    """,
    "undeliverable, and its original's route carries another by now: 8910 on a free one": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 approved a       -> report a approved
           60 ask b            -> sent b#0 t2 r2
           60 ask c            -> sent c#0 t3 r3
           60 ask d            -> sent d#0 t4 r1
           61 stored           -> transmit sale_request t2 r2, transmit sale_request t3 r3, transmit sale_request t4 r1
           70 approved b       -> report b approved
          900 8910 a 1         -> sent a#1 t5 r2
          901 stored           -> hold r2 a, transmit fault_cancel t5 r2
    """,
    "C13: the route stays held for the re-command": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1002 due              -> hold r1 a, missing a silence
         1010 8930 a 1         -> sent a#1 t2 r1
         1011 stored           -> transmit fault_confirm t2 r1
         1050 trouble a        -> cancel a#1 C13
         1060 ask b            -> sent b#0 t3 r2
         1070 8940 a 2         -> sent a#2 t4 r1
    """,
    "a person has it: the route is released": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1002 due              -> hold r1 a, missing a silence
         1010 8930 a 1         -> sent a#1 t2 r1
         1011 stored           -> transmit fault_confirm t2 r1
         1050 error a          -> cancel a#1 error
         1060 release a        -> free r1
    """,
    "a late report is told as late, and the route stays held": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1002 due              -> hold r1 a, missing a silence
         1010 approved a       -> late a approved
         1020 approved a       -> stray
         1030 8930 a 1         -> sent a#1 t2 r1
    """,
    "a late report does not free its route, which carries another's telegram by now": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1002 due              -> hold r1 a, missing a silence
         1010 release a        -> free r1
         1020 ask b            -> sent b#0 t3 r2
         1020 ask c            -> sent c#0 t4 r3
         1020 ask d            -> sent d#0 t5 r1
         1021 stored           -> transmit sale_request t3 r2, transmit sale_request t4 r3, transmit sale_request t5 r1
         1030 approved a       -> late a approved
         1040 ask e            ->
         1050 approved d       -> report d approved, sent e#0 t6 r1
    """,
    "answered twice: the second is a stray": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 approved a       -> report a approved
           51 declined a       -> stray
    """,
    "a report of another amount answers nothing": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 approved a less  -> stray
         1002 due              -> hold r1 a, missing a silence
    """,
    "an answered telegram is answered: an error report about it is for nobody": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
           50 approved a       -> report a approved
           51 error a          -> stray
           52 error b          -> report b in_error
           53 error b          -> stray
    """,
    "a late report is known as one while the line looks back, and is for nobody afterwards": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            0 ask c            -> sent c#0 t3 r3
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2, transmit sale_request t3 r3
         1002 due              -> hold r1 a, missing a silence, hold r2 b, missing b silence, \
hold r3 c, missing c silence
         1003 due              ->
         1004 approved a       -> late a approved
        61001 due              -> line open, transmit keepalive_request
        61001 approved b       -> late b approved
        61002 due              ->
        61003 approved c       -> stray
    """,
    "the line breaks with requests in flight": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored 1         -> transmit sale_request t1 r1
            5 broken           -> hold r1 a, missing a line_broke, line failed
            6 stored           -> never b line_not_open
           10 8930 a 1         ->
           20 opened           -> line opening, transmit opening_request, line open, sent a#1 t3 r1
    """,
    "copies are known": """
            0 ask a            -> sent a#0 t1 r1
            1 ask a            ->
            2 stored           -> transmit sale_request t1 r1
            3 ask a            ->
           50 approved a       -> report a approved
           60 ask a            ->
    """,
    "too late when it comes, or when it is stored": """
         9000 ask a            -> withheld a#0 not_sent_in_time
         9001 stored           -> never a not_sent_in_time
         9001 ask b by 9500    -> sent b#0 t2 r1
         9501 stored           -> never b not_sent_in_time
         9502 ask c by 9900    -> sent c#0 t3 r2
    """,
    "too late when it is stored: its route is another's": """
            0 ask a by 500     -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            0 ask c            -> sent c#0 t3 r3
            1 ask d            ->
          501 stored           -> never a not_sent_in_time, sent d#0 t4 r1, transmit sale_request t2 r2, \
transmit sale_request t3 r3
    """,
    "stored at the last moment of its time: it goes out": """
            0 ask a by 500     -> sent a#0 t1 r1
          500 stored           -> transmit sale_request t1 r1
          501 ask b by 501     -> sent b#0 t2 r2
    """,
    "no free route until its time is over": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            0 ask c            -> sent c#0 t3 r3
            1 ask d by 500     ->
            1 stored 2         -> transmit sale_request t1 r1, transmit sale_request t2 r2
          501 due              -> withheld d#0 no_free_route
          502 stored           -> transmit sale_request t3 r3, never d no_free_route
    """,
    "it does not fit, or its card cannot be opened": """
            0 ask huge         -> withheld huge#0 does_not_fit_telegram
            0 ask unreadable   -> withheld unreadable#0 card_data_unreadable
            1 stored           -> never huge does_not_fit_telegram, never unreadable card_data_unreadable
            2 ask a            -> sent a#0 t3 r3
            3 ask b            -> sent b#0 t4 r1
            4 ask c            -> sent c#0 t5 r2
    """,
    "nobody knows the numbers: the line does": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
          500 8930 a 1 unknown -> sent a#1 t2 r1
          501 stored           -> hold r1 a, transmit fault_confirm t2 r1
    """,
    "nobody knows the numbers: it was never sent": """
            0 ask a            -> sent a#0 t1 r1
           10 8930 z 1 unknown -> withheld z#1 original_never_sent
           11 stored           -> transmit sale_request t1 r1, unsent z#1 original_never_sent
    """,
    "nobody knows the numbers, for the request still waits: the cancel has to be ordered again": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            0 ask c            -> sent c#0 t3 r3
            1 ask d            ->
            2 8930 d 1 unknown -> withheld d#1 not_sent_in_time
            3 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2, \
transmit sale_request t3 r3, unsent d#1 not_sent_in_time
           50 approved a       -> report a approved, sent d#0 t4 r1
           51 stored           -> transmit sale_request t4 r1
           60 8930 d 2 unknown -> sent d#2 t6 r1
    """,
    "nobody knows the numbers: it is older than the line's memory": """
            0 8930 old 1 unknown -> withheld old#1 original_not_found
    """,
    "the wanted route carries another telegram: it is waited for": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
            2 8940 z 7         ->
           50 approved a       -> report a approved, sent z#7 t2 r1
           51 stored           -> hold r1 z, transmit fault_confirm_again t2 r1
    """,
    "8910 may go on any route: it waits while none is free": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            0 ask c            -> sent c#0 t3 r3
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2, transmit sale_request t3 r3
            2 8910 z 1         ->
           50 approved b       -> report b approved, sent z#1 t4 r2
           51 stored           -> hold r2 z, transmit fault_cancel t4 r2
    """,
    "8920 has the route that is held for it, though no other is free": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 approved a       -> report a approved
          900 8910 a 1         -> sent a#1 t2 r1
          901 stored           -> hold r1 a, transmit fault_cancel t2 r1
         1902 due              -> silent a#1 silence
         1903 ask b            -> sent b#0 t3 r2
         1903 ask c            -> sent c#0 t4 r3
         2000 8920 a 2         -> sent a#2 t5 r1
    """,
    "the wanted route is held for another's cancel until its time is over": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1002 due              -> hold r1 a, missing a silence
         1100 8940 z 7         ->
         6100 due              -> withheld z#7 no_free_route, line open
         6101 stored           -> unsent z#7 no_free_route
    """,
    "a cancel that waits for its route delays neither another cancel nor a request": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
         1002 due              -> hold r1 a, missing a silence, hold r2 b, missing b silence
         1100 8940 z 7         ->
         1101 8930 b 1 unknown -> sent b#1 t4 r2
         1102 ask c            -> sent c#0 t5 r3
         1103 stored           -> transmit fault_confirm t4 r2, transmit sale_request t5 r3
         1104 8930 a 1         -> sent a#1 t6 r1
         1105 stored           -> transmit fault_confirm t6 r1
         1150 done b           -> cancel b#1 done
         1151 release b        -> free r2
         1160 done a           -> cancel a#1 done
         1161 release a        -> free r1, sent z#7 t3 r1
         1162 stored           -> hold r1 z, transmit fault_confirm_again t3 r1
    """,
    "a cancel whose time is over before the partner takes it delays none that comes after it": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
         1002 due              -> hold r1 a, missing a silence, hold r2 b, missing b silence
         1003 blocked          ->
         1010 8930 a 1 by 1500 ->
         1011 8930 b 1 unknown ->
         1501 due              -> withheld a#1 line_not_open
         1502 unblocked        -> sent b#1 t4 r2
    """,
    "a command in error, and one without an answer, delay no other cancel": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
         1002 due              -> hold r1 a, missing a silence, hold r2 b, missing b silence
         1010 8930 a 1         -> sent a#1 t3 r1
         1011 stored           -> transmit fault_confirm t3 r1
         1012 error a          -> cancel a#1 error
         1013 8930 b 1 unknown -> sent b#1 t4 r2
         1014 stored           -> transmit fault_confirm t4 r2
         1015 ask c            -> sent c#0 t5 r3
         1016 stored           -> transmit sale_request t5 r3
         2014 due              -> silent b#1 silence
         2016 due              -> hold r3 c, missing c silence
         2017 8930 c 1 unknown -> sent c#1 t6 r3
         2018 stored           -> transmit fault_confirm t6 r3
         2050 done c           -> cancel c#1 done
         2051 release c        -> free r3
    """,
    "the partner does not take what is transmitted": """
            0 blocked          ->
            1 ask a by 300     ->
            2 ask b            ->
          301 due              -> withheld a#0 line_not_open
          302 unblocked        -> sent b#0 t2 r1
    """,
    "keep-alive is answered, and asked when the line is quiet": """
            0 keepalive        -> transmit keepalive_answer
        30000 due              -> line open, transmit keepalive_request
        32000 due              -> line failed, hang keep-alive not answered
        32001 broken           -> line failed
    """,
    "a second call: whether the first connection lives is asked at once, and once": """
            0 called_again     -> transmit keepalive_request
           10 called_again     ->
           20 alive            ->
           30 called_again     -> transmit keepalive_request
         2030 due              -> line failed, hang keep-alive not answered
         2031 broken           -> line failed
         2032 called_again     ->
    """,
    "the line's state is told again, for a former owner may have told another since": """
         4998 due              ->
         5001 due              -> line open
         9999 due              ->
        10001 due              -> line open
    """,
    "8910 could not go out on the route it was to hold: the next one tells that it is held": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 approved a       -> report a approved
          900 8910 a 1         -> sent a#1 t2 r1
          901 broken           -> line failed
          902 stored           -> unsent a#1 line_not_open
          903 opened           -> line opening, transmit opening_request, line open
          910 8910 a 2         -> sent a#2 t3 r1
          911 stored           -> hold r1 a, transmit fault_cancel t3 r1
    """,
    "8940 is ordered, but no 8930 has gone out: 8930 goes out": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1002 due              -> hold r1 a, missing a silence
         1003 blocked          ->
         1010 8930 a 1 by 1500 ->
         1501 due              -> withheld a#1 line_not_open
         1502 unblocked        ->
         1503 stored           -> unsent a#1 line_not_open
         3000 8940 a 2         -> sent a#2 t3 r1
         3001 stored           -> transmit fault_confirm t3 r1
         4002 due              -> silent a#2 silence
         4100 8940 a 3         -> sent a#3 t4 r1
         4101 stored           -> transmit fault_confirm_again t4 r1
         4150 done a           -> cancel a#3 done
    """,
    "8920 is ordered, but 8910 was stored too late: 8910 goes out": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 approved a       -> report a approved
          900 8910 a 1 by 1000 -> sent a#1 t2 r1
          910 8920 a 2         ->
         1001 stored           -> unsent a#1 not_sent_in_time, sent a#2 t3 r1
         1002 stored           -> hold r1 a, transmit fault_cancel t3 r1
         1050 done a           -> cancel a#2 done
    """,
    "a re-command waits until its command is stored": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 approved a       -> report a approved
          900 8910 a 1         -> sent a#1 t2 r1
          910 8920 a 2         ->
          920 stored           -> hold r1 a, transmit fault_cancel t2 r1, sent a#2 t3 r1
          921 stored           -> transmit fault_cancel_again t3 r1
    """,
    "a re-command does not wait for its request: what is stored after it goes out after it": """
            0 ask a            -> sent a#0 t1 r1
            1 8940 a 2         -> sent a#2 t2 r1
            2 stored           -> transmit sale_request t1 r1, hold r1 a, transmit fault_confirm_again t2 r1
    """,
    "a hold that the line knows nothing of, told by a former owner, ends too": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
           50 approved a       -> report a approved
           60 release a        -> free r1
           70 ask b            -> sent b#0 t3 r2
           70 ask c            -> sent c#0 t4 r3
           70 ask d            -> sent d#0 t5 r1
           71 release a        ->
    """,
    "stored when the connection is another one: it never goes out, for its cancel may have": """
            0 ask a            -> sent a#0 t1 r1
            1 broken           -> line failed
            2 opened           -> line opening, transmit opening_request, line open
            3 stored           -> never a line_not_open
            4 ask b            -> sent b#0 t2 r2
    """,
    "closing: what waits is left to the next owner": """
            0 ask a            -> sent a#0 t1 r1
            1 drain            -> line draining
            2 stored           -> transmit sale_request t1 r1
            3 ask b            ->
          900 approved a       -> report a approved
          901 close            -> line closing, transmit closing_request
          902 closed           -> line closed, hang closed, rest
         9999 due              ->
    """,
    "the partner refuses to open": """
            0 broken           -> line failed
            1 refused          -> line opening, transmit opening_request, line failed, hang refused: D01
            2 ask a by 500     ->
          501 due              -> withheld a#0 line_not_open
    """,
    "our own telegram comes back: the line is looped, and hangs up": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
            2 echo a           -> line failed, hang looped, stray
            3 broken           -> hold r1 a, missing a line_broke, line failed
    """,
    "not a telegram": """
            0 garbage          -> stray
            1 ask a            -> sent a#0 t1 r1
    """,
}


class Rig:
    """A CAFIS line with three routes whose partner is this table."""

    def __init__(
        self, found: Takeover | None = None, now: int = 0, *, order: LineOrdered | None = None,
        times: Mapping[str, Any] | None = None, partner: PartnerSpec | None = None, sparing: Sparing | None = None,
        **more: Any,
    ) -> None:  # fmt: skip
        self.partner = load_partner("cafis") if partner is None else partner
        line = Line.model_validate(
            {
                "name": "cafis-1", "partner": "cafis", "mode": "dial", "host": "127.0.0.1", "port": 1,
                "station_id": "DNB00001", "company_code": "100001", "routes": [1, 3],
                **more,
            }
        )  # fmt: skip
        settings = Egress.model_validate(TIMES.model_dump() | dict(times or {}))
        self.core = LineCore(line, self.partner, settings, "node-a", self.open_card, {"cardnet": CARDNET},
                             sparing or Sparing({}))  # fmt: skip
        self.offset = 0
        self.stores: list[int] = []
        self.tells: list[int] = []
        self.values: dict[str, tuple[Role, dict[str, Any]]] = {}
        self.deframer: Deframer = self.partner.framing.deframer()
        self.last: dict[str, Message] = {}
        self.of_who: dict[str, int] = {}
        empty = Takeover(sent=(), known_since_ms=MIDNIGHT - 60_000, position=0, holds=(), day_began_at=0)
        self.acts_of_taking = self.core.take(found or empty, MIDNIGHT + now, order)
        self.taken = self.seen(self.acts_of_taking)

    @staticmethod
    def open_card(record: SendRequest) -> CardData:
        if record.reference == "unreadable":
            raise CardDataUnreadable
        return CardData(PAN, "2812", None, None)

    def whose(self, who: str) -> str | None:  # noqa: ARG002  a line that carries others' asks
        """Whose telegram it is."""
        return None

    # --- what happens

    def play(self, event: str, now: int) -> str:
        name, *words = event.split()
        act = getattr(self, f"do_{name}", None)
        if act is not None:
            return self.seen(act(now, *words))
        if name in COMMANDS:
            return self.seen(self.command(name, now, *words))
        return self.seen(self.answer(name, now, *words))

    def dispatched(self, record: SendRequest | SendCancel | ReleaseRoute | RouteOrdered, now: int) -> list[Act]:
        acts = self.core.dispatched(self.offset, b"AP02:first", record, now + MIDNIGHT)
        self.offset += 1
        return acts

    def do_ask(self, now: int, who: str, *by: str) -> list[Act]:
        request = SendRequest(
            transaction_id=f"AP02:{who}", customer="AP02", reference=who, kind=Kind.SALE,
            terminal_id="4980123456789", amount=999_999_999_999 if who == "huge" else 1_200, payment_method="10",
            card=SEALED, sensitive=None, original=None,
            send_by_ms=MIDNIGHT + (int(by[1]) if by else 5_000), report_timeout_ms=1_000, partner=self.whose(who),
        )  # fmt: skip
        return self.dispatched(request, now)

    def command(self, code: str, now: int, who: str, attempt: str, *more: str) -> list[Act]:
        unknown = "unknown" in more
        by = int(more[1]) if "by" in more else now + 5_000
        trace, route = {"z": (9, 1)}.get(who, (1, 1))
        original = Original(
            kind=Kind.SALE, line="cafis-1", trace_number=None if unknown else trace,
            route_number=None if unknown else route, business_date=None if unknown else business_date(MIDNIGHT),
            approval_code=None, terminal_id="4980123456789", amount=1_200,
            accepted_ms=MIDNIGHT - (99_000 if who == "old" else 0),
        )  # fmt: skip
        order = SendCancel(
            transaction_id=f"AP02:{who}", command=COMMANDS[code], attempt=int(attempt), original=original,
            send_by_ms=MIDNIGHT + by, report_timeout_ms=1_000, partner=self.whose(who),
        )  # fmt: skip
        return self.dispatched(order, now)

    def do_release(self, now: int, who: str) -> list[Act]:
        return self.dispatched(ReleaseRoute(transaction_id=f"AP02:{who}", reason="attention"), now)

    def do_stored(self, now: int, count: str = "99") -> list[Act]:
        acts = []
        for _ in range(min(int(count), len(self.stores))):
            acts += self.core.stored(self.stores.pop(0), now + MIDNIGHT)
        return acts

    def all_told(self) -> None:
        """The log holds everything that was told so far."""
        while self.tells:
            self.core.told(self.tells.pop(0))

    def do_due(self, now: int) -> list[Act]:
        return self.core.due(now + MIDNIGHT)

    def do_broken(self, now: int) -> list[Act]:
        return self.core.disconnected(now + MIDNIGHT, "reset")

    def do_blocked(self, now: int) -> list[Act]:
        return self.core.writable(False, now + MIDNIGHT)

    def do_unblocked(self, now: int) -> list[Act]:
        return self.core.writable(True, now + MIDNIGHT)

    def do_drain(self, now: int) -> list[Act]:
        return self.core.drain(now + MIDNIGHT)

    def do_order(self, now: int, what: str) -> list[Act]:
        order = LineOrdered(
            order_id=f"o-{now}", line="cafis-1", order=LineOrder(what), operator="Sato", reason="maintenance",
            ordered_ms=MIDNIGHT + now,
        )  # fmt: skip
        return self.core.ordered(order, MIDNIGHT + now)

    def do_route(self, now: int, what: str, number: str) -> list[Act]:
        order = RouteOrdered(
            order_id=f"o-{now}", route_number=int(number), hold=what == "hold", operator="Sato", reason="asked for",
            ordered_ms=MIDNIGHT + now, seen=None,
        )  # fmt: skip
        return self.dispatched(order, now)

    def do_sought(self, now: int, *trouble: str) -> list[Act]:
        return self.core.sought(" ".join(trouble) or None, MIDNIGHT + now)

    def do_partner_closes(self, now: int) -> list[Act]:
        return self.do_partner(now, Role.CLOSING_REQUEST)

    def do_alive(self, now: int) -> list[Act]:
        values = dict(self.last[Role.KEEPALIVE_REQUEST].values)
        return self.core.received(self.partner.encode(Role.KEEPALIVE_ANSWER, values), now + MIDNIGHT)

    def do_close(self, now: int) -> list[Act]:
        return self.core.close(now + MIDNIGHT)

    def do_garbage(self, now: int) -> list[Act]:
        return self.core.received(b"\x00 what", now + MIDNIGHT)

    def do_echo(self, now: int, who: str) -> list[Act]:
        request = self.last[who]
        return self.core.received(self.partner.encode(request.role, request.values), now + MIDNIGHT)

    def do_opened(self, now: int, code: str = "000") -> list[Act]:
        acts = self.core.connected(now + MIDNIGHT)
        self.note(acts)
        return [*acts, *self.station_answer(Role.OPENING_ANSWER, Role.OPENING_REQUEST, now, code)]

    def do_refused(self, now: int) -> list[Act]:
        return self.do_opened(now, "D01")

    def do_closed(self, now: int) -> list[Act]:
        return self.station_answer(Role.CLOSING_ANSWER, Role.CLOSING_REQUEST, now, "000")

    def do_called_again(self, now: int) -> list[Act]:
        return self.core.called_again(now + MIDNIGHT)

    def do_keepalive(self, now: int) -> list[Act]:
        return self.do_partner(now, Role.KEEPALIVE_REQUEST)

    def do_partner(self, now: int, role: str, station: str = "DNB00001") -> list[Act]:
        """The partner sends a station telegram of its own."""
        values = self.partner.telegrams[Role(role)].sample() | {"station_id": station, "route_number": 0}
        return self.core.received(self.partner.encode(Role(role), values), now + MIDNIGHT)

    def station_answer(self, role: Role, asked: Role, now: int, code: str) -> list[Act]:
        values = dict(self.last[asked].values) | {"result_code": code}
        return self.core.received(self.partner.dated(values).encode(role, values), now + MIDNIGHT)

    def answer(self, what: str, now: int, who: str, *less: str) -> list[Act]:
        request = self.last[who]
        values = {**request.values}
        partner = self.partner.dated(values)
        names = partner.telegrams[Role.ERROR_REPORT if what == "error" else REPORT_OF[request.role]].names
        role = Role.ERROR_REPORT if what == "error" else REPORT_OF[request.role]
        if what == "error":
            values |= {"error_code": "C01", "original_type_code": partner.type_code(request.role)}
        elif what == "trouble":
            values |= {"result_code": partner.result_code_for(Outcome.DECLINED), "error_code": "C13"}
        else:
            outcome = Outcome.APPROVED if what == "done" else Outcome(what)
            values |= {"result_code": partner.result_code_for(outcome)}
        if less:
            values["amount"] = 1
        told = {name: value for name, value in values.items() if name in names}
        return self.core.received(partner.encode(role, told), now + MIDNIGHT)

    # --- what is seen

    def note(self, acts: list[Act]) -> None:
        for act in acts:
            if isinstance(act, Transmit):
                for payload in self.deframer.feed(act.data):
                    message = self.partner.read(payload)
                    self.last[message.role] = message

    def seen(self, acts: list[Act]) -> str:
        told = []
        for act in acts:
            match act:
                case Store():
                    self.stores.append(act.offset)
                    told.append(self.named(act.record))
                case Tell():
                    if act.offset is not None:
                        self.tells.append(act.offset)
                    told.append(self.named(act.record, act.key.decode()))
                case Transmit():
                    told.append(self.transmitted(act.data))
                case Hang():
                    reason = "looped" if act.reason == LOOPED else act.reason
                    told.append("hang " + reason.replace("the partner refuses to open the station", "refused"))
                case Seek() | Rest():
                    told.append(type(act).__name__.lower())
        return ", ".join(told)

    def transmitted(self, data: bytes) -> str:
        (payload,) = self.deframer.feed(data)
        message = self.partner.read(payload)
        self.last[message.role] = message
        if message.values["route_number"] == 0:
            return f"transmit {message.role}"
        trace, route = message.values["trace_number"], message.values["route_number"]
        for who, numbers in self.of_who.items():
            if numbers == trace:
                self.last[who] = message
        return f"transmit {message.role} t{trace} r{route}"

    def named(self, record: Any, key: str = "") -> str:  # noqa: PLR0912  a name for each
        who = getattr(record, "transaction_id", "").removeprefix("AP02:")
        match record:
            case TelegramSent():
                self.of_who[who] = record.trace_number
                return f"sent {who}#{record.attempt} t{record.trace_number} r{record.route_number}"
            case TelegramWithheld():
                return f"withheld {who}#{record.attempt} {record.reason}"
            case ReportReceived():
                return f"{'late' if record.late else 'report'} {who} {record.outcome}"
            case ReportMissing():
                return f"missing {who} {record.doubt}"
            case NeverSent():
                return f"never {who} {record.refusal}"
            case CancelReported():
                said = "error" if record.in_error else record.error_code or "done"
                return f"cancel {who}#{record.attempt} {said}"
            case CancelSilent():
                return f"silent {who}#{record.attempt} {record.doubt}"
            case CancelNotSent():
                return f"unsent {who}#{record.attempt} {record.reason}"
            case RouteHeld():
                return f"hold r{record.route_number} {who}"
            case None:
                return f"free r{key.rpartition('/')[2]}"
            case LineState():
                return f"line {record.stage}"
            case LineOrderAnswered():
                return f"ordered {record.order} by {record.operator}"
            case RouteOrderAnswered():
                done = "done" if record.done else "not done"
                return f"route {record.route_number} {done}" + (f" for {record.released}" if record.released else "")
            case StrayTelegram():
                assert PAN not in record.description
                return "stray"
        raise AssertionError(record)


def steps(table: str) -> list[tuple[int, str, str]]:
    found = []
    for row in table.strip().splitlines():
        event, _, told = row.partition("->")
        at, _, what = event.strip().partition(" ")
        found.append((int(at), what.strip(), told.strip()))
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    rig = Rig()
    assert rig.play("opened", 0) == "line opening, transmit opening_request, line open"
    for at, event, told in steps(SCENARIOS[name]):
        assert rig.play(event, at) == told, f"{at} {event}"


def test_only_what_is_told_is_done_with() -> None:
    rig = Rig()
    rig.play("opened", 0)
    for who in "abc":
        rig.play(f"ask {who}", 0)
    rig.play("stored", 1)
    assert rig.core.position == 0
    rig.play("approved b", 2)
    rig.core.told(1)
    assert rig.core.position == 0, "the first one has no outcome yet"
    rig.play("approved a", 3)
    assert rig.core.position == 0, "its outcome is not stored yet"
    rig.core.told(0)
    assert rig.core.position == 2
    rig.play("due", 1_002)  # c is in doubt: its hold and its report must both be stored
    rig.core.told(2)
    assert rig.core.position == 2
    rig.core.told(2)
    assert rig.core.position == 3
    assert rig.core.idle


def sent_record(
    who: str, offset: int, trace: int, route: int, attempt: int = 0, role: Role = Role.SALE_REQUEST,
    partner: str | None = None,
) -> TelegramSent:  # fmt: skip
    return TelegramSent(
        transaction_id=f"AP02:{who}", transaction_key="AP02:first", attempt=attempt, role=role,
        dispatch_offset=offset, trace_number=trace, route_number=route, business_date=business_date(MIDNIGHT),
        sent_ms=MIDNIGHT, report_by_ms=MIDNIGHT + 1_000, node="node-b", partner=partner, original=None,
    )  # fmt: skip


def test_a_new_owner_doubts_what_was_on_the_line_and_sends_what_was_not() -> None:
    found = Takeover(
        sent=[sent_record("done", 3, 4, 1), sent_record("flying", 5, 6, 2)],
        known_since_ms=MIDNIGHT - 60_000,
        position=5,
        holds=(),
        day_began_at=0,
    )
    rig = Rig(found, now=100)
    assert rig.taken == "hold r2 flying, missing flying line_broke, line connecting, seek"
    assert rig.core.position == 5
    rig.offset = 5
    assert rig.play("ask flying", 101) == ""
    assert rig.play("ask fresh", 102) == ""
    assert rig.play("ask done", 103) == "", "a copy of what is below the position"
    assert rig.core.position == 5, "the inherited one's outcome is not stored yet"
    rig.core.told(5)
    rig.core.told(5)
    assert rig.core.position == 6
    opened = rig.play("opened", 110)
    assert opened == "line opening, transmit opening_request, line open, sent fresh#0 t7 r1"
    assert rig.play("8930 flying 1 unknown", 111) == "sent flying#1 t9 r2"


def test_a_new_owner_says_again_what_was_withheld() -> None:
    withheld = TelegramWithheld(
        transaction_id="AP02:a", transaction_key="AP02:first", attempt=0, role=Role.SALE_REQUEST, dispatch_offset=2,
        reason="no_free_route", noticed_ms=MIDNIGHT, node="node-b",
    )  # fmt: skip
    cancel = TelegramWithheld(
        transaction_id="AP02:b", transaction_key="AP02:first", attempt=3, role=Role.FAULT_CONFIRM, dispatch_offset=3,
        reason="line_not_open", noticed_ms=MIDNIGHT, node="node-b",
    )  # fmt: skip
    found = Takeover(sent=[withheld, cancel], known_since_ms=MIDNIGHT, position=2, holds=(), day_began_at=0)
    assert Rig(found).taken == "never a no_free_route, unsent b#3 line_not_open, line connecting, seek"


def test_a_new_owner_takes_back_what_a_former_one_said_last_of_a_route_unless_it_is_held() -> None:
    held = RouteHeld(
        line="cafis-1", route_number=2, transaction_id="AP02:a", trace_number=42,
        business_date=business_date(MIDNIGHT), reason="cancel", since_ms=MIDNIGHT, expires_ms=None,
    )  # fmt: skip
    found = Takeover(
        sent=[], known_since_ms=MIDNIGHT, position=6, holds=[held], day_began_at=0, last_words=[2, 3]
    )  # fmt: skip
    assert Rig(found).taken == "hold r2 a, silent a#0 nobody_said, free r3, line connecting, seek"


def held_in_doubt(who: str, trace_number: int) -> RouteHeld:
    """Route 2, held for this request, of which nobody knows what became of it."""
    return RouteHeld(
        line="cafis-1", route_number=2, transaction_id=f"AP02:{who}", trace_number=trace_number,
        business_date=business_date(MIDNIGHT), reason="in_doubt", since_ms=MIDNIGHT, expires_ms=None,
    )  # fmt: skip


def test_an_operators_release_that_is_read_again_ends_no_hold_that_came_after_it() -> None:
    held = held_in_doubt("d", 7)
    sent_later = sent_record("d", 6, 7, 2)
    found = Takeover(sent=[sent_later], known_since_ms=MIDNIGHT - 60_000, position=5, holds=[held], day_began_at=0)
    rig = Rig(found)
    rig.offset = 5
    assert rig.play("route release 2", 1) == "route 2 not done"
    assert rig.core.routes.holder(2) == "AP02:d"
    rig.offset = 7
    assert rig.play("route release 2", 2) == "free r2, route 2 done for AP02:d"


@pytest.mark.parametrize(
    ("seen", "told"),
    [("AP02:b", "route 1 not done"), ("AP02:a", "free r1, route 1 done for AP02:a"),
     (None, "free r1, route 1 done for AP02:a")],
)  # fmt: skip
def test_an_operators_release_ends_the_hold_that_he_has_seen_and_no_other(seen: str | None, told: str) -> None:
    rig = Rig()
    rig.play("opened", 0)
    rig.play("ask a", 0)
    rig.play("stored", 1)
    assert "hold r1 a" in rig.play("due", 1_001)
    order = RouteOrdered(
        order_id="o", route_number=1, hold=False, operator="Sato", reason="asked for", ordered_ms=MIDNIGHT, seen=seen
    )
    assert rig.seen(rig.dispatched(order, 1_100)) == told


def test_an_order_to_hold_a_route_that_was_answered_not_done_is_not_done_when_it_is_read_again() -> None:
    found = Takeover(
        sent=[], known_since_ms=MIDNIGHT - 60_000, position=1, holds=(), day_began_at=0, not_done=["o-1"]
    )  # fmt: skip
    rig = Rig(found)
    rig.offset = 1
    assert rig.play("route hold 1", 1) == "", "o-1: a request had the route then, which has been answered since"
    assert rig.core.position == 2
    assert rig.play("route hold 1", 2) == "hold r1 operator:o-2, route 1 done"


def test_the_hold_of_an_inherited_recommand_names_its_original_however_long_ago_that_went_out() -> None:
    original = Original(
        kind=Kind.SALE, line="cafis-1", trace_number=40, route_number=2, business_date="20260331", approval_code=None,
        terminal_id="4980123456789", amount=1_200, accepted_ms=MIDNIGHT - 3_600_000,
    )  # fmt: skip
    again = sent_record("a", 900, 901, 2, attempt=5, role=Role.FAULT_CONFIRM_AGAIN)
    again = msgspec.structs.replace(again, original=original)
    rig = Rig(Takeover(sent=[again], known_since_ms=MIDNIGHT - 60_000, position=900, holds=(), day_began_at=0))
    (held,) = [act.record for act in rig.acts_of_taking if isinstance(act, Tell) and isinstance(act.record, RouteHeld)]
    assert (held.route_number, held.trace_number, held.business_date) == (2, 40, "20260331")


def on_the_line_with_a_cancel() -> Rig:
    """A request was answered and told; now its 8910 is on the line, and the broker has acknowledged its hold."""
    rig = Rig()
    for now, event in enumerate(("opened", "ask a", "stored", "approved a")):
        rig.play(event, now)
    rig.all_told()
    assert (rig.core.position, rig.core.idle) == (1, True)
    assert rig.play("8910 a 1", 900) == "sent a#1 t2 r1"
    assert rig.play("stored", 901) == "hold r1 a, transmit fault_cancel t2 r1"
    rig.all_told()
    return rig


def test_a_cancel_on_the_line_is_not_done_with_when_only_its_hold_is_told() -> None:
    rig = on_the_line_with_a_cancel()
    assert (rig.core.in_flight, rig.core.position, rig.core.idle) == (1, 1, False), "so the next owner finds it, too"
    assert rig.play("done a", 1_000) == "cancel a#1 done"
    rig.all_told()
    assert (rig.core.in_flight, rig.core.position, rig.core.idle) == (0, 2, True)


def test_nor_is_one_that_is_not_answered_before_that_is_told() -> None:
    rig = on_the_line_with_a_cancel()
    assert rig.play("due", 901 + 1_000) == "silent a#1 silence"
    rig.all_told()
    assert (rig.core.in_flight, rig.core.position, rig.core.idle) == (0, 2, True)


def test_a_release_that_is_read_again_ends_no_hold_that_came_after_it() -> None:
    held = RouteHeld(
        line="cafis-1", route_number=2, transaction_id="AP02:a", trace_number=42,
        business_date=business_date(MIDNIGHT), reason="cancel", since_ms=MIDNIGHT, expires_ms=None,
    )  # fmt: skip
    sent = [sent_record("a", 5, 40, 3), sent_record("a", 7, 42, 2, attempt=1, role=Role.FAULT_CANCEL)]
    rig = Rig(Takeover(sent=sent, known_since_ms=MIDNIGHT, position=6, holds=[held], day_began_at=0))
    rig.offset = 6
    assert rig.play("release a", 1) == "", "of the request, which had been answered after all"
    rig.offset = 8
    assert rig.play("release a", 2) == "free r2"


def test_a_route_that_has_carried_another_since_is_held_for_the_last_one_alone() -> None:
    held = RouteHeld(
        line="cafis-1", route_number=3, transaction_id="AP02:old", trace_number=39,
        business_date=business_date(MIDNIGHT), reason="in_doubt", since_ms=MIDNIGHT, expires_ms=None,
    )  # fmt: skip
    sent = [sent_record("old", 4, 39, 3), sent_record("a", 5, 40, 2), sent_record("b", 6, 41, 2),
            sent_record("c", 7, 42, 3)]  # fmt: skip
    rig = Rig(Takeover(sent=sent, known_since_ms=MIDNIGHT, position=5, holds=[held], day_began_at=0))
    assert rig.taken == (
        "free r3, missing a line_broke, hold r2 b, missing b line_broke, "
        "hold r3 c, missing c line_broke, line connecting, seek"
    )
    assert (rig.core.routes.held_for("AP02:a"), rig.core.routes.held_for("AP02:b")) == (None, 2)


def test_a_cancel_in_doubt_holds_its_route_in_the_name_of_the_request() -> None:
    flying, confirm = sent_record("a", 0, 40, 2), sent_record("a", 1, 41, 2, attempt=1, role=Role.FAULT_CONFIRM)
    found = Takeover(sent=[flying, confirm], known_since_ms=MIDNIGHT, position=1, holds=(), day_began_at=0)
    rig = Rig(found)
    (held,) = [act.record for act in rig.acts_of_taking if isinstance(act, Tell) and isinstance(act.record, RouteHeld)]
    assert (held.route_number, held.trace_number, held.reason) == (2, 40, "in_doubt")


def test_a_new_owner_keeps_the_holds_asks_about_them_and_knows_a_report_that_comes_after_all() -> None:
    held = held_in_doubt("held", 40)
    flying = sent_record("flying", 50, 51, 3)
    found = Takeover(sent=[flying], known_since_ms=MIDNIGHT, position=50, holds=[held], day_began_at=0)
    rig = Rig(found)
    assert rig.taken == (
        "hold r2 held, missing held nobody_said, silent held#0 nobody_said, "
        "hold r3 flying, missing flying line_broke, line connecting, seek"
    )
    rig.offset = 51
    rig.play("opened", 1)
    assert rig.play("ask a", 2) == "sent a#0 t52 r1"
    assert rig.play("ask b", 2) == "", "two of three routes are held"
    assert rig.play("8940 held 7 unknown", 3) == "sent held#7 t54 r2"
    rig.play("stored", 4)
    rig.last["flying"] = Message(Role.SALE_REQUEST, {**rig.last["a"].values, "trace_number": 51, "route_number": 3})
    assert rig.play("approved flying", 5) == "late flying approved"


def test_an_inherited_cancel_is_silent_and_keeps_its_route() -> None:
    found = Takeover(
        sent=[sent_record("a", 1, 2, 3, attempt=1, role=Role.FAULT_CANCEL)],
        known_since_ms=MIDNIGHT,
        position=1,
        holds=(),
        day_began_at=0,
    )
    assert Rig(found).taken == "hold r3 a, silent a#1 line_broke, line connecting, seek"


def test_trace_numbers_do_not_repeat_within_a_business_day() -> None:
    rig = Rig()
    rig.play("opened", 0)
    rig.offset = 899_999
    assert rig.play("ask a", 1) == "sent a#0 t900000 r1"
    assert rig.play("ask b", 1) == "withheld b#0 trace_numbers_exhausted"
    day = 86_400_000
    rig.core.disconnected(MIDNIGHT + day, "reset")
    rig.play("opened", day)
    assert rig.play(f"ask c by {day + 5_000}", day + 1) == "sent c#0 t2 r3"


def test_the_business_day_is_japans() -> None:
    noon_utc = 1_775_044_800_000  # 2026-04-01T12:00Z, 21:00 in Japan
    assert business_date(noon_utc) == "20260401"
    assert business_date(noon_utc + 3 * 3_600_000 - 1) == "20260401"
    assert business_date(noon_utc + 3 * 3_600_000) == "20260402"
