"""What an installation consists of: broker, keys, partners, lines, customers, and the policies of the services.

One TOML file per environment holds it; every service is given the same file and reads the parts it needs. What differs
between environments has no default. `pipeline.config.load` reads it and tells all faults at once.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from schemas.business_hours import Calendar
from schemas.card_numbers import holds_card_number
from schemas.line_rules import RANK_MAX, faults_of_lines
from schemas.records import Kind
from schemas.time_rules import contradictions


class Section(BaseModel):
    """The base of every section: an unknown name is a fault, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None or path.is_absolute() else Path(folder) / path


def _no_card_number(name: str) -> str:
    if holds_card_number(name):
        raise ValueError("must not pass for a card number: it is stored, logged and shown; choose another")
    return name


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
NodeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]  # a host's name is one
CustomerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,16}$")]
FilePath = Annotated[Path, AfterValidator(_from_folder)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Ms = Annotated[int, Field(ge=1, le=86_400_000)]
Count = Annotated[int, Field(ge=1)]


class Kafka(Section):
    """The broker, and how the topics lie on it."""

    bootstrap_servers: Annotated[str, StringConstraints(min_length=1)]
    topic_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]*$")] = ""
    partitions: Annotated[int, Field(ge=1, le=512)]
    replication: Annotated[int, Field(ge=1, le=9)]
    session_timeout_ms: Annotated[int, Field(ge=1_000)] = 6_000  # at least the broker's group.min.session.timeout.ms
    client: dict[str, str] = Field(default_factory=dict)  # librdkafka settings as they are: TLS, SASL


class Keys(Section):
    """Where the key ring lies. `create` lets a service make one when there is none: for development only."""

    ring: FilePath
    create: bool = False


class Tls(Section):
    """Certificate and key of a TLS server, PEM."""

    certificate: FilePath
    key: FilePath


class Ingress(Section):
    """The door for client servers. Every ingress process has a slot of its own, and so its partition of `replies`."""

    host: str
    port: Port
    metrics_port: Port
    tls: Tls | None = None
    slots: Annotated[int, Field(ge=1, le=256)]
    max_sessions: Count = 256  # of clients that have said hello
    max_sessions_per_customer: Count = 128
    max_ungreeted: Count = 256  # connections that have not, TLS handshakes included: beyond it the oldest goes
    max_ungreeted_per_address: Count = 192
    max_in_flight: Count = 512  # requests of one session without an answer
    max_frame_bytes: Annotated[int, Field(ge=1_024, le=1_048_576)] = 16_384
    hello_timeout_ms: Ms = 5_000
    idle_timeout_ms: Ms = 60_000  # without a frame from the client
    wait_max_ms: Ms = 60_000  # the longest a client may let a request be valid
    gone_after_ms: Ms = 2_000  # a reply waits this long for a session that broke to come back
    drain_ms: Ms = 10_000  # on SIGTERM: how long replies and acknowledgements are awaited before closing


class Router(Section):
    """Deadlines of the router, beyond those of the partners."""

    metrics_port: Port
    report_grace_ms: Ms  # after this beyond the partner's own time-out, silence of the egress is a time-out too
    confirm_ms: Ms  # the client's time to confirm a reply
    confirm_grace_ms: Ms  # beyond `confirm_ms`, after which a reply without a confirmation is undeliverable
    remember_ms: Annotated[int, Field(ge=60_000)] = 7 * 86_400_000  # how long an ended transaction is known


class Thresholds(Section):
    """When something is spared 縮退運転, and when it is used again. See `egress.breaker`."""

    silences: Annotated[int, Field(ge=0, le=10_000)] = 10  # requests in a row without an answer; 0: never
    errors: Annotated[int, Field(ge=0, le=10_000)] = 30  # requests in a row that were answered by an error; 0: never
    rest_ms: Ms = 5_000  # at least so long; twice as long each time it happens again at once
    rest_max_ms: Ms = 300_000
    probes: Count = 2  # keep-alives answered, before requests go again


class Breaker(Thresholds):
    """Of each line, about its own partner's telegrams."""

    probe_ms: Ms = 2_000  # between keep-alives over a line on which something is spared


class PartnerBreaker(Thresholds):
    """Of a partner, over all lines of a process that take its telegrams. See `egress.sparing`."""

    silences: Annotated[int, Field(ge=0, le=10_000)] = 20
    errors: Annotated[int, Field(ge=0, le=10_000)] = 60


class Egress(Section):
    """What all lines have in common."""

    metrics_port: Port
    look_back_ms: Ms = 600_000  # how far a new owner of a line reads back; more than any telegram is valid
    reconnect_ms: Ms = 500  # before a partner is called again; twice as much each time, up to
    reconnect_max_ms: Ms = 15_000  # and a connection that lived this long begins it anew
    dials_per_minute: Count = 20  # of one line, whatever happens; and so many calls of a partner are taken
    strays_per_minute: Count = 600  # telegrams for nobody that a line may bring; at one more it is hung up
    connect_timeout_ms: Ms = 5_000
    opening_timeout_ms: Ms = 5_000
    closing_timeout_ms: Ms = 5_000
    drain_ms: Ms = 10_000  # on SIGTERM: how long reports are awaited before closing
    probe_idle_ms: Ms = 30_000  # a line without traffic is probed (疎通確認)
    probe_timeout_ms: Ms = 5_000
    close_limit_ms: Ms = 120_000  # closing by order or calendar: how long reports and cancels are awaited
    hand_over_ms: Ms = 60_000  # a line that should be open and cannot be opened goes to another node
    sessions_max: Count = 64  # lines that one process may have a session on, or seek one for, at once
    breaker: Breaker = Breaker()


class Faults(Section):
    """The cancel service has its policies with the partners."""

    metrics_port: Port
    grace_ms: Ms  # beyond a command's own time-outs, after which silence of the egress is silence of the partner
    remember_ms: Annotated[int, Field(ge=60_000)] = 7 * 86_400_000  # how long an ended cancel is known


class CancelPolicy(Section):
    """What the partners' rules leave open about cancels (domain.md); the defaults are the documented ones."""

    send_window_ms: Ms = 30_000  # how long a command may wait for its line
    report_timeout_ms: Ms = 15_000  # for 8950 and 8960
    commands_max: Annotated[int, Field(ge=2, le=100)] = 6  # commands and re-commands on the line, then a person
    silence_pause_ms: Ms = 1_000  # between silence and the re-command
    trouble_pause_ms: Ms = 60_000  # between C13, C14, C50 and the re-command
    troubles_max: Annotated[int, Field(ge=0, le=100)] = 3  # C13, C14, C50 that are answered by a re-command
    unsent_pause_ms: Ms = 10_000  # between a command that could not be sent and the next try
    unsent_max: Annotated[int, Field(ge=0, le=10_000)] = 60  # tries that could not be sent, then a person


class Partner(Section):
    """A card network: its telegrams and its time-outs."""

    name: Name
    telegrams: str  # a packaged set by name, or a folder
    send_window_ms: Ms  # from acceptance to the line
    report_timeout_ms: Ms  # from the line to the report
    cancel: CancelPolicy = CancelPolicy()
    breaker: PartnerBreaker = PartnerBreaker()
    sessions_max: Count | None = None  # as contracted: no more lines than that; a line has one session


class LineTls(Tls):
    """TLS of a line, where each end shows the other a certificate: ours, and who issued the partner's."""

    authority: FilePath  # PEM; what it issued is the partner's
    name: Annotated[str, StringConstraints(min_length=1)] | None = (
        None  # in the partner's certificate; dialling: `host`
    )


class Carried(Section):
    """A partner whose telegrams travel on another partner's line, each in an envelope of that one's (MC 回線)."""

    partner: Name
    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,16}$")]  # by which the envelope tells whose it is
    company_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,11}$")]  # ours, as this partner knows us


class Line(Section):
    """A contracted line 回線: it dials the partner or waits for the partner's call.

    `second_call`: while a line that listens has a connection, another call is refused, for nobody can tell whether the
    first one is dead before a keep-alive is not answered, which is asked at once; or, where the caller is known by
    `peers` or `tls`, it takes the first one's place. What is on the line then is in doubt, and two who call the same
    line push one another out.

    `nodes`: who owns the line, the first of those that run; it goes back to an earlier one that returns.

    `carries`: other partners whose telegrams it carries too. Opening, closing, keep-alive, framing, trace numbers and
    routes are those of the line's own partner; time-outs, cancel policy and books are of the partner that is carried.
    """

    name: Name
    partner: Name
    mode: Literal["dial", "listen"]
    host: str
    port: Port
    station_id: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,8}$")]
    company_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,11}$")]
    routes: tuple[Annotated[int, Field(ge=0, le=999)], Annotated[int, Field(ge=0, le=999)]]  # 経路番号, from and to
    peers: tuple[IPvAnyNetwork, ...] = ()  # who may call a line that listens: addresses, networks; none: anyone
    second_call: Literal["refuse", "replace"] = "refuse"
    tls: LineTls | None = None
    hours: tuple[str, ...] = ()  # 業務時間, as 'mon-fri 08:00-24:00'; none: always
    maintenance: tuple[str, ...] = ()  # 保守時間, as '2026-12-31T22:00/2027-01-01T06:00'
    nodes: tuple[NodeName, ...] = ()  # as `--node` names them, the preferred one first; none: by `--rank`
    carries: tuple[Carried, ...] = ()

    @property
    def partners(self) -> tuple[str, ...]:
        """Whose telegrams it takes: its own partner's, and those it carries."""
        return (self.partner, *(each.partner for each in self.carries))

    @property
    def calendar(self) -> Calendar:
        """When the line is to be open."""
        return Calendar.of(self.hours, self.maintenance)

    def rank_of(self, node: str, otherwise: int) -> int:
        """The place of a node among `nodes`, behind them all if it is not named; `otherwise` where there are none."""
        if not self.nodes:
            return otherwise
        return self.nodes.index(node) if node in self.nodes else min(len(self.nodes), RANK_MAX)

    @model_validator(mode="after")
    def _calendar_can_be_read(self) -> Self:
        _ = self.calendar
        return self

    @model_validator(mode="after")
    def _routes_in_order(self) -> Self:
        if self.routes[0] > self.routes[1]:
            raise ValueError(f"routes: {self.routes[0]} is above {self.routes[1]}: give the lower number first")
        return self


class Customer(Section):
    """A client company or server: its credentials and, per telegram, the partner its requests go to."""

    id: Annotated[CustomerId, AfterValidator(_no_card_number)]
    token_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    partners: dict[Kind, Name]

    def accepts(self, token: str) -> bool:
        """Whether `token` is this customer's; takes the same time for every wrong one."""
        return hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), self.token_sha256)


_PARTNER = '[[partner]] with name = "cafis", telegrams = "cafis", send_window_ms = 5_000, report_timeout_ms = 20_000'
_LINE = (
    '[[line]] with name = "cafis-1", partner = "cafis", mode = "dial", host = "192.0.2.10", port = 7210, '
    'station_id = "DNB00001", company_code = "100001", routes = [1, 200]'
)
_CUSTOMER = '[[customer]] with id = "AP02", token_sha256 = "<SHA-256 of its token>", partners = { sale = "cafis" }'


class Installation(Section):
    """The whole file."""

    kafka: Kafka
    keys: Keys
    metrics_host: str = "127.0.0.1"
    clock_tolerance_ms: Annotated[int, Field(ge=100, le=60_000)] = 1_000  # how far a machine's clock may be off
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    ingress: Ingress
    router: Router
    egress: Egress
    faults: Faults
    partner: tuple[Partner, ...] = Field(min_length=1, examples=[_PARTNER])
    line: tuple[Line, ...] = Field(min_length=1, examples=[_LINE])
    customer: tuple[Customer, ...] = Field(min_length=1, examples=[_CUSTOMER])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [*self._doubles(), *self._shared_stations(), *self._unknown_partners()]
        for partner in self.partner:
            if not any(partner.name in line.partners for line in self.line):
                faults.append(f"partner {partner.name} has no line: add a [[line]] with partner = {partner.name!r}")
        faults += [*faults_of_lines(self), *contradictions(self)]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _doubles(self) -> Iterable[str]:
        for what, names in (
            ("partner", [each.name for each in self.partner]),
            ("line", [each.name for each in self.line]),
            ("customer", [each.id for each in self.customer]),
        ):
            for name, count in Counter(names).items():
                if count > 1:
                    yield f"{what} {name} stands {count} times: keep one"
        sharers: dict[str, set[str]] = {}
        for customer in self.customer:
            sharers.setdefault(customer.token_sha256, set()).add(customer.id)
        for ids in sharers.values():
            if len(ids) > 1:
                yield f"customers {', '.join(sorted(ids))} share one token: give each its own"

    def _shared_stations(self) -> Iterable[str]:
        stations = Counter((line.partner, line.station_id) for line in self.line)
        for (partner, station), count in stations.items():
            if count > 1:
                yield f"station_id {station} stands on {count} lines of {partner}, which would push each other out"

    def _unknown_partners(self) -> Iterable[str]:
        known = {each.name for each in self.partner}
        for line in self.line:
            if line.partner not in known:
                yield f"line {line.name}: there is no partner {line.partner}: one of {', '.join(sorted(known))}"
            for each in line.carries:
                if each.partner not in known:
                    told = f"there is no partner {each.partner} to carry: one of {', '.join(sorted(known))}"
                    yield f"line {line.name}: {told}"
        for customer in self.customer:
            for kind, name in customer.partners.items():
                if name not in known:
                    yield f"customer {customer.id}, {kind}: no partner {name}: one of {', '.join(sorted(known))}"

    def partner_named(self, name: str) -> Partner:
        """The partner of this name. Raises `KeyError`."""
        return {each.name: each for each in self.partner}[name]

    def line_named(self, name: str) -> Line:
        """The line of this name. Raises `KeyError`."""
        return {each.name: each for each in self.line}[name]
