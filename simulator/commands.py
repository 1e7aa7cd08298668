"""What a centre can be told over its control port: one JSON object a line, ``{"do": "behave", "rule": {…}}``."""

from typing import Annotated, Any

import msgspec

from schemas.near_names import meant, unconverted


class CommandError(Exception):
    """A line is no command. The message says what is wrong, and what would be right."""


class _Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`partner`: whose books and rules, of those whose telegrams come over the lines here; None: the lines' own."""

    partner: str | None = None


class Ping(_Command, frozen=True):
    """The partner's name, the ports it listens on, the stations that are open."""


class LedgerRows(_Command, frozen=True):
    """The entries of the ledger: all, or the last so many."""

    last: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Balance(_Command, frozen=True):
    """The merchants' claim, in yen."""


class Violations(_Command, frozen=True):
    """The rules of the line that were broken."""


class Suspicions(_Command, frozen=True):
    """What looks wrong, and may be right."""


class Counters(_Command, frozen=True):
    """How many telegrams have passed, by role."""


class KeepaliveTimes(_Command, frozen=True):
    """How long each keep-alive of the centre's own took to be answered, in milliseconds, and on which station."""


class StorySince(_Command, frozen=True):
    """The telegrams that passed, from this number on."""

    since: int = 0


class Telegrams(_Command, frozen=True):
    """The last telegrams that passed, the newest first."""

    last: Annotated[int, msgspec.Meta(ge=0)] = 100


class State(_Command, frozen=True):
    """What goes on: scenario, lines, rules with their hits, load, counts."""


class Scenarios(_Command, frozen=True):
    """The scenarios that can be used by name."""


class Record(_Command, frozen=True):
    """What happened since the scenario began, as the text of a scenario file of this name."""

    name: str = "recorded"


class RulesInForce(_Command, frozen=True):
    """The rules, in the order in which they are tried."""


class Behave(_Command, frozen=True):
    """Put a rule before all others."""

    rule: dict[str, Any]


class Clear(_Command, frozen=True):
    """Have no rules any more."""


class Use(_Command, frozen=True):
    """Behave as another scenario says from now on: one by name, or a whole one as its file says it."""

    scenario: str | dict[str, Any]


class Happen(_Command, frozen=True):
    """Have an event happen at once: what stands in an [[event]], without a time."""

    event: dict[str, Any]


class DropLines(_Command, frozen=True):
    """Break every connection, or those of one station."""

    station: str | None = None


class RefuseOpening(_Command, frozen=True):
    """Refuse every opening from now on, or no more."""

    refuse: bool


class StopListening(_Command, frozen=True):
    """Take no new connections and call nobody."""


class ListenAgain(_Command, frozen=True):
    """Take new connections and call again."""


class Keepalive(_Command, frozen=True):
    """Send a keep-alive on every open line."""


class CloseStations(_Command, frozen=True):
    """Ask to close every open line."""


class CallAgain(_Command, frozen=True):
    """Call the line that is called at this port once more, whether or not it is connected."""

    port: int


AboutBooks = LedgerRows | Balance | Violations | Suspicions
AboutTraffic = Ping | Counters | KeepaliveTimes | StorySince | Telegrams
AboutConduct = RulesInForce | State | Scenarios
Question = AboutBooks | AboutTraffic | AboutConduct
Behaviour = Behave | Clear | Use
Occasion = Happen | DropLines | RefuseOpening | StopListening | ListenAgain | Keepalive | CloseStations
Order = Behaviour | Occasion | CallAgain
Command = Question | Order | Record

_BY_NAME: dict[str, type[Command]] = {
    "ping": Ping,
    "ledger": LedgerRows,
    "balance": Balance,
    "violations": Violations,
    "suspicions": Suspicions,
    "counters": Counters,
    "keepalive_times": KeepaliveTimes,
    "story": StorySince,
    "telegrams": Telegrams,
    "rules": RulesInForce,
    "state": State,
    "scenarios": Scenarios,
    "record": Record,
    "behave": Behave,
    "clear": Clear,
    "use": Use,
    "event": Happen,
    "drop_lines": DropLines,
    "refuse_opening": RefuseOpening,
    "stop_listening": StopListening,
    "listen_again": ListenAgain,
    "keepalive": Keepalive,
    "close_stations": CloseStations,
    "call_again": CallAgain,
}


def read_command(line: bytes) -> Command:
    """The command of a line. Raises `CommandError`."""
    try:
        raw = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CommandError(f'not a JSON object: {error}: send {{"do": …}}') from None
    name = raw.pop("do", None)
    kind = _BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None:
        raise CommandError(f"unknown command {name!r}: {meant(str(name), sorted(_BY_NAME))}")
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise CommandError(unconverted(error, kind, raw)) from None
