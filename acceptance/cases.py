"""The form of a case: what the catalogue's files hold, as frozen values. `catalogue` reads and checks them.

A case is played by its steps, in order, each one an object of its `do`:

| do      | what is done                                                             | by whom                        |
|---------|--------------------------------------------------------------------------|--------------------------------|
| partner | the partner's centre is to behave so, to telegrams of this case          | simulator, or its operator     |
| ask     | a client asks for a payment (or for `count` at once)                      | the test client                |
| inquire | a client inquires about a request of the case                            | the test client                |
| event   | the centre does something by itself: keep-alive, closing, hanging up      | simulator, or its operator     |
| order   | an operator of the gateway opens or closes the partner's lines            | as `denbun lines`              |
| await   | nothing goes on before all lines of the partner are so                    | –                              |
| check   | something is looked up, and nothing changed                               | –                              |
| confirm | a person looks or does something, and says how it was                     | the tester                     |
| drill   | a drill of `denbun drill` is run, on a stage of its own                   | –                              |
"""

from enum import StrEnum
from typing import Literal

import msgspec

from acceptance.expected import Expected
from schemas.records import Kind, LineOrder


class Environment(StrEnum):
    """A step of the roadmap (R26), in their order."""

    DEV = "dev"  # 開発サーバ置換
    BRAND = "brand"  # ブランド試験サーバ確認
    PRODUCTION = "production"  # 本番リリース

    @property
    def japanese(self) -> str:
        return _ENVIRONMENTS[self][0]

    @property
    def english(self) -> str:
        return _ENVIRONMENTS[self][1]


_ENVIRONMENTS = {
    Environment.DEV: ("開発サーバ置換", "development server replaced"),
    Environment.BRAND: ("ブランド試験サーバ確認", "checked on the brand-test server"),
    Environment.PRODUCTION: ("本番リリース", "released to production"),
}


class Severity(StrEnum):
    """What a failed case means for the acceptance."""

    CRITICAL = "critical"  # money may be in doubt, or card data may leak: no release
    MAJOR = "major"  # no release without an agreed remedy
    MINOR = "minor"  # may be put right after the release

    @property
    def japanese(self) -> str:
        return {"critical": "重大", "major": "中", "minor": "軽微"}[self.value]


class Manner(StrEnum):
    """How the test client behaves."""

    WAITS = "waits"
    VANISHES = "vanishes"  # hangs up as soon as it has asked
    MUTE = "mute"  # stays, and acknowledges nothing
    RETURNS = "returns"  # hangs up as soon as it has asked, comes back and inquires


class After(StrEnum):
    """When a centre answers: the words for what is milliseconds on a stage."""

    IN_TIME = "in_time"  # late enough that a client can vanish, before the report time-out
    TOO_LATE = "too_late"  # after the report time-out


class Look(StrEnum):
    """What a check looks at. Nothing is changed by any."""

    CONFIGURATION = "configuration"  # topics are there, as configured
    LAYOUT_CONFIRMED = "layout_confirmed"  # no field of the partner's layouts is an assumption any more
    ENCRYPTED = "encrypted"  # clients, lines and brokers are reached by TLS
    LINES_OPEN = "lines_open"
    KEEPALIVE = "keepalive"  # keep-alives were answered lately on every line
    NO_ROUTE_HELD = "no_route_held"
    NO_ATTENTION = "no_attention"  # nothing waits for a person
    NO_CANCEL_OPEN = "no_cancel_open"
    MONEY = "money"  # the seven invariants of the money report, over all that was played


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="do"):
    """The base of the steps."""


class PartnerStep(Step, frozen=True, kw_only=True, tag="partner"):
    """The centre does `deed` with these telegrams; names as in `words`, deeds as in `deeds`."""

    to: str | tuple[str, ...]
    deed: str
    times: int | None = None
    code: str | None = None
    after: After | None = None

    @property
    def telegrams(self) -> tuple[str, ...]:
        return (self.to,) if isinstance(self.to, str) else self.to


class AskStep(Step, frozen=True, kw_only=True, tag="ask"):
    """A client asks. `told`: what its caller gets; `ends`: what an inquiry tells at last, None where none is asked."""

    kind: Kind
    amount: int
    told: str | None = None
    ends: str | None = None
    name: str = "a"
    follows: str | None = None
    reference_of: str | None = None  # asks under the reference of that request instead of one of its own
    manner: Manner = Manner.WAITS
    count: int = 1
    card: str = "visa"
    security_code: bool = False


class InquireStep(Step, frozen=True, kw_only=True, tag="inquire"):
    """A client inquires about request `name`, and is told this."""

    name: str
    told: str


class EventStep(Step, frozen=True, kw_only=True, tag="event"):
    """The centre does something by itself: a name of `deeds.EVENTS`."""

    event: str


class OrderStep(Step, frozen=True, kw_only=True, tag="order"):
    """An operator of the gateway orders this of every line of the partner."""

    order: LineOrder


class AwaitStep(Step, frozen=True, kw_only=True, tag="await"):
    """All lines of the partner are open; none is; or all are open on another connection than when the case began."""

    lines: Literal["open", "closed", "reopened"]


class CheckStep(Step, frozen=True, kw_only=True, tag="check"):
    """Something is looked up."""

    look: Look


class ConfirmStep(Step, frozen=True, kw_only=True, tag="confirm"):
    """A person does or looks at this, and says how it was."""

    ja: str
    en: str


class DrillStep(Step, frozen=True, kw_only=True, tag="drill"):
    """A drill runs on a stage of its own, with so many payments; its name as `denbun drill --list` tells it."""

    drill: str
    payments: int = 60


AnyStep = PartnerStep | AskStep | InquireStep | EventStep | OrderStep | AwaitStep | CheckStep | ConfirmStep | DrillStep


class RawCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A case as it stands in a file, before it is made one for a partner and an environment."""

    number: str
    ja: str
    en: str
    on: tuple[Environment, ...]
    severity: Severity
    requirements: tuple[str, ...]
    steps: tuple[AnyStep, ...]
    telegrams: tuple[str, ...] = ()
    partners: tuple[str, ...] | None = None  # None: every partner
    given_ja: str | None = None  # precondition; None: the chapter's
    given_en: str | None = None
    each: str | None = None  # made once for each: a name of `catalogue.EACH`
    alone: bool = False  # nothing else runs meanwhile: it is about the lines themselves
    any_order: bool = False  # the telegrams may come in any order
    stands: tuple[str, ...] = ()  # the requests that count in the partner's books at the end
    attention: tuple[str, ...] = ()  # the requests that end with a person
    held: tuple[str, ...] = ()  # the requests whose route is held 経路保留, and free again at the end


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case of one partner in one environment."""

    id: str  # CAF-D-301, CAF-D-306-C13
    partner: str
    environment: Environment
    chapter_ja: str
    chapter_en: str
    ja: str
    en: str
    given_ja: str
    given_en: str
    severity: Severity
    requirements: tuple[str, ...]
    steps: tuple[AnyStep, ...]
    telegrams: tuple[Expected, ...]
    alone: bool
    any_order: bool
    stands: tuple[str, ...]
    attention: tuple[str, ...]
    held: tuple[str, ...]

    @property
    def asks(self) -> tuple[AskStep, ...]:
        """What its clients ask for, in order."""
        return tuple(step for step in self.steps if isinstance(step, AskStep))

    @property
    def drills(self) -> bool:
        """Whether it is played on stages of its own."""
        return all(isinstance(step, DrillStep) for step in self.steps)

    @property
    def manual(self) -> bool:
        """Whether a person is needed wherever it is played."""
        return any(isinstance(step, ConfirmStep) for step in self.steps)

    @property
    def of_partner(self) -> bool:
        """Whether the partner's side must do something of its own: its operator is needed on a real line."""
        return any(isinstance(step, (PartnerStep, EventStep)) for step in self.steps)

    def amount_of(self, name: str) -> int:
        """The yen of a request of the case. Raises `KeyError`."""
        for ask in self.asks:
            if ask.name == name:
                return ask.amount
        raise KeyError(name)
