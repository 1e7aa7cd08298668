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
FilePath = Annotated[Path, AfterValidator(_from_folder)]
Port = Annotated[int, Field(ge=0, le=65_535)]
MetricsPort = Annotated[Port, Field(description="of /metrics, /livez and /readyz, on `metrics_host`; 0: a free one")]
Ms = Annotated[int, Field(ge=1, le=86_400_000)]
Count = Annotated[int, Field(ge=1)]
Tries = Annotated[int, Field(ge=0, le=10_000)]
RememberedMs = Annotated[int, Field(ge=60_000)]
Text = Annotated[str, StringConstraints(min_length=1)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,16}$")]
CompanyCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,11}$")]
RouteNumber = Annotated[int, Field(ge=0, le=999)]


class Kafka(Section):
    """The broker, and how the topics lie on it."""

    bootstrap_servers: Text = Field(description="brokers, `HOST:PORT`, with commas between")
    topic_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]*$")] = Field(
        default="",
        description="before the name of every topic and group, so that several installations may share a cluster",
    )
    partitions: Annotated[int, Field(ge=1, le=512)] = Field(
        description="of the topics spread by transaction: the most routers and cancel services that share the work"
    )
    replication: Annotated[int, Field(ge=1, le=9)] = Field(description="of every topic: on so many brokers")
    session_timeout_ms: Annotated[int, Field(ge=1_000)] = Field(
        default=6_000, description="at least the broker's `group.min.session.timeout.ms`"
    )
    client: dict[str, str] = Field(default_factory=dict, description="librdkafka settings as they are: TLS, SASL")


class Keys(Section):
    """Where the key ring lies. `create` lets a service make one when there is none: for development only."""

    ring: FilePath = Field(description="the key ring that card data is sealed with")
    create: bool = Field(
        default=False,
        description="development alone: a service makes one where there is none, and heeds `DENBUN_CRASH_AT`",
    )


class Tls(Section):
    """Certificate and key of a TLS server, PEM."""

    certificate: FilePath = Field(description="ours, PEM, with what it was issued by")
    key: FilePath = Field(description="of the certificate, PEM")


class Ingress(Section):
    """The door for client servers. Every ingress process has a slot of its own, and so its partition of `replies`."""

    host: str = Field(description="the address it listens on")
    port: Port = Field(description="the port it listens on; 0: a free one")
    metrics_port: MetricsPort
    tls: Tls | None = None
    slots: Annotated[int, Field(ge=1, le=256)] = Field(
        description="ingress processes at most: each has its own `--slot`"
    )
    max_sessions: Count = Field(default=256, description="of clients that have said hello, of one process")
    max_sessions_per_customer: Count = Field(default=128, description="of these, one customer's")
    max_ungreeted: Count = Field(
        default=256, description="without hello yet, TLS handshakes included; beyond it the oldest goes"
    )
    max_ungreeted_per_address: Count = Field(default=192, description="of these, one address's")
    max_in_flight: Count = Field(default=512, description="requests and inquiries of one session without an answer")
    max_frame_bytes: Annotated[int, Field(ge=1_024, le=1_048_576)] = Field(
        default=16_384, description="the longest frame that is taken"
    )
    hello_timeout_ms: Ms = Field(default=5_000, description="from the connection to hello, and for TLS before it")
    idle_timeout_ms: Ms = Field(default=60_000, description="without a frame from the client")
    wait_max_ms: Ms = Field(default=60_000, description="the longest a client may let a request be valid")
    gone_after_ms: Ms = Field(default=2_000, description="how long a reply waits for a session that broke")
    drain_ms: Ms = Field(default=10_000, description="for replies and acknowledgements under way")


class Router(Section):
    """Deadlines of the router, beyond those of the partners."""

    metrics_port: MetricsPort
    report_grace_ms: Ms = Field(description="beyond `send_window_ms` and `report_timeout_ms` of the partner")
    confirm_ms: Ms = Field(description="from the reply to its acknowledgement")
    confirm_grace_ms: Ms = Field(description="for the acknowledgement's way through the log")
    remember_ms: RememberedMs = 7 * 86_400_000


class Thresholds(Section):
    """When something is spared 縮退運転, and when it is used again. See `egress.breaker`."""

    silences: Tries = Field(default=10, description="requests in a row without an answer; 0: never")
    errors: Tries = Field(default=30, description="requests in a row answered by 異常報告; 0: never")
    rest_ms: Ms = Field(default=5_000, description="the first rest; each time it happens again at once twice as long")
    rest_max_ms: Ms = 300_000
    probes: Count = Field(default=2, description="keep-alives answered, before requests go again")


class Breaker(Thresholds):
    """Of each line, about its own partner's telegrams."""

    probe_ms: Ms = Field(default=2_000, description="between the keep-alives towards the end of a rest")


class PartnerBreaker(Thresholds):
    """Of a partner, over all lines of a process that take its telegrams. See `egress.sparing`."""

    silences: Tries = Field(
        default=20, description="requests in a row without an answer, over all lines of a process; 0: never"
    )
    errors: Tries = Field(
        default=60, description="requests in a row answered by 異常報告, over all lines of a process; 0: never"
    )


class Egress(Section):
    """What all lines have in common."""

    metrics_port: MetricsPort
    look_back_ms: Ms = Field(
        default=600_000, description="how far a new owner of a line reads back: more than any telegram is valid"
    )
    reconnect_ms: Ms = Field(default=500, description="before the first call after a connection that broke")
    reconnect_max_ms: Ms = 15_000
    dials_per_minute: Count = Field(default=20, description="calls of one line; so many of a partner's are taken")
    strays_per_minute: Count = Field(default=600, description="telegrams for nobody; at one more the line is hung up")
    connect_timeout_ms: Ms = Field(default=5_000, description="for the connection, and for the TLS handshake")
    opening_timeout_ms: Ms = 5_000
    closing_timeout_ms: Ms = 5_000
    drain_ms: Ms = Field(default=10_000, description="for reports that are missing")
    probe_idle_ms: Ms = 30_000
    probe_timeout_ms: Ms = 5_000
    close_limit_ms: Ms = 120_000
    hand_over_ms: Ms = 60_000
    sessions_max: Count = Field(default=64, description="lines of a process with a session, or in search of one")
    breaker: Breaker = Breaker()


class Faults(Section):
    """The cancel service has its policies with the partners."""

    metrics_port: MetricsPort
    grace_ms: Ms = Field(description="beyond `send_window_ms` and `report_timeout_ms` of the cancel")
    remember_ms: RememberedMs = 7 * 86_400_000


class CancelPolicy(Section):
    """What the partners' rules leave open about cancels."""

    send_window_ms: Ms = Field(default=30_000, description="how long a command may wait for its line")
    report_timeout_ms: Ms = Field(default=15_000, description="for 8950 and 8960")
    commands_max: Annotated[int, Field(ge=2, le=100)] = Field(
        default=6, description="commands that go out, then a person"
    )
    silence_pause_ms: Ms = 1_000
    trouble_pause_ms: Ms = 60_000
    troubles_max: Annotated[int, Field(ge=0, le=100)] = Field(
        default=3, description="C13, C14, C50, each followed by a re-command"
    )
    unsent_pause_ms: Ms = 10_000
    unsent_max: Tries = Field(default=60, description="tries that could not be sent, then a person")


class Partner(Section):
    """A card network: its telegrams and its time-outs."""

    name: Name = Field(description="what lines and customers call it")
    telegrams: str = Field(description="its layouts: a packaged set by name, or a folder")
    send_window_ms: Ms = Field(description="from acceptance to the line")
    report_timeout_ms: Ms = Field(description="from the line to the report")
    cancel: CancelPolicy = CancelPolicy()
    breaker: PartnerBreaker = PartnerBreaker()
    sessions_max: Count | None = Field(
        default=None, description="as contracted: there may be no more lines, of which each has a session"
    )


class LineTls(Tls):
    """TLS of a line, where each end shows the other a certificate: ours, and who issued the partner's."""

    authority: FilePath = Field(description="PEM; what it issued is the partner's")
    name: Text | None = Field(
        default=None, description="in the partner's certificate; left out: `host` where we dial, any where we listen"
    )


class Carried(Section):
    """A partner whose telegrams travel on another partner's line, each in an envelope of that one's (MC 回線)."""

    partner: Name = Field(description="whose telegrams")
    code: Code = Field(description="by which the envelope tells whose it is")
    company_code: CompanyCode = Field(description="会社コード, ours, as this partner knows us")


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

    name: Name = Field(description="its own, part of the names of its topics: never given to another line")
    partner: Name = Field(description="whose line it is")
    mode: Literal["dial", "listen"] = Field(description="who calls: we do, or the partner")
    host: str = Field(description="of the partner, where we dial; the address it listens on, where the partner does")
    port: Port = Field(description="of the partner, where we dial; the port it listens on, where the partner does")
    station_id: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,8}$")] = Field(
        description="局識別, ours: in telegrams about the line; one for each line of a partner"
    )
    company_code: CompanyCode = Field(description="会社コード, ours, as the partner knows us")
    routes: tuple[RouteNumber, RouteNumber] = Field(description="経路番号, the first and the last")
    peers: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="who may call a line that listens; none: anyone, and `host` is a loopback address"
    )
    second_call: Literal["refuse", "replace"] = Field(default="refuse", description="when there is a connection")
    tls: LineTls | None = None
    hours: tuple[str, ...] = Field(default=(), description="業務時間, as 'mon-fri 08:00-24:00'; none: always")
    maintenance: tuple[str, ...] = Field(default=(), description="保守時間, as '2026-12-31T22:00/2027-01-01T06:00'")
    nodes: tuple[NodeName, ...] = Field(
        default=(), description="as `--node` names them, the preferred one first; none: by `--rank`"
    )
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
    def _calendar_and_routes_can_be_read(self) -> Self:
        _ = self.calendar
        if self.routes[0] > self.routes[1]:
            raise ValueError(f"routes: {self.routes[0]} is above {self.routes[1]}: give the lower number first")
        return self


class Customer(Section):
    """A client company or server: its credentials and, per telegram, the partner its requests go to."""

    id: Annotated[Code, AfterValidator(_no_card_number)] = Field(description="as `hello` says it")
    token_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="of its token, in hexadecimal digits"
    )
    partners: dict[Kind, Name] = Field(
        description="to which partner its requests go, for each kind of telegram; a kind that is not here is refused"
    )

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
    metrics_host: str = Field(default="127.0.0.1", description="the address of /metrics, /livez and /readyz")
    clock_tolerance_ms: Annotated[int, Field(ge=100, le=60_000)] = Field(
        default=1_000, description="how far a machine's clock may be off"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="the least that is logged"
    )
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
