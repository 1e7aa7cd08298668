"""Installations for this machine: what a stack of `denbun up`, a demonstration, or a test is configured with.

Made from the development environment's file, with free ports, so that nothing about partners and customers is written
twice.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from ops.ports import HOST, Address, free_port, hosts_of, is_free, settled_port
from ops.topology_plan import spread
from pipeline.config import override
from schemas.toml_files import toml_of

METERED = ("ingress", "router", "egress", "faults")  # the sections with a port for metrics
DEVELOPMENT = Path(__file__).parents[1] / "deploy" / "environments" / "development" / "denbun.toml"

QUICK: Mapping[str, Any] = {
    "ingress": {"gone_after_ms": 300, "drain_ms": 3_000},
    "router": {"report_grace_ms": 2_000, "confirm_ms": 2_000, "confirm_grace_ms": 1_000},
    "egress": {
        "reconnect_ms": 100,
        "reconnect_max_ms": 200,
        "dials_per_minute": 1_200,
        "closing_timeout_ms": 1_000,
        "drain_ms": 3_000,
    },
    "faults": {"grace_ms": 2_000},
    "partner": {
        "send_window_ms": 2_000,
        "report_timeout_ms": 800,
        "cancel": {
            "send_window_ms": 5_000,
            "report_timeout_ms": 800,
            "commands_max": 4,
            "silence_pause_ms": 50,
            "trouble_pause_ms": 100,
            "troubles_max": 2,
            "unsent_pause_ms": 200,
            "unsent_max": 50,
        },
    },
}
"""Waits short enough to watch: what takes minutes in production takes seconds here. Nothing else differs."""


@dataclass(frozen=True, slots=True)
class LinePlan:
    """One line of the stack: whose, who calls whom, and the rest as in `schemas.installation.Line`."""

    name: str
    partner: str
    mode: str
    routes: tuple[int, int] = (1, 200)
    second_call: str = "refuse"
    maintenance: Sequence[str] = ()
    carries: Sequence[str] = ()  # partners whose telegrams it carries too


LINES = (
    LinePlan("cafis-1", "cafis", "dial"),
    LinePlan("cafis-2", "cafis", "listen"),
    LinePlan("cardnet-1", "cardnet", "listen"),
    LinePlan("cardnet-2", "cardnet", "dial"),
)


@dataclass(frozen=True, slots=True)
class Detour:
    """The way of one line through `ops.line_proxy`: where the proxy awaits its call, and whom it then calls itself.

    A line that waits for its partner's call waits at the address of every node: `calls` names all.
    """

    line: str
    partner: str
    awaits: int
    calls: Sequence[Address]
    gateway_calls: bool  # else the centre does


@dataclass(frozen=True, slots=True)
class Plan:
    """An installation that was written to `file`, and what its users need to know of it."""

    file: Path
    servers: str
    prefix: str
    hosts: Sequence[str]  # by node
    doors: Sequence[Address]  # by slot: where clients are awaited
    centre_ports: Mapping[str, Sequence[int]]  # by partner: where its centre awaits lines
    called: Mapping[str, Sequence[Sequence[Address]]]  # by partner: where its centre calls each line, at whichever node
    control_ports: Mapping[str, int]  # by partner
    tokens: Mapping[str, str]  # by customer
    customers: Mapping[str, str]  # by partner
    metrics: Mapping[str, Address] = field(default_factory=dict)  # by process
    page_ports: Mapping[str, int] = field(default_factory=dict)  # by partner: its centre's page, where it has one
    token_files: Mapping[str, Path] = field(default_factory=dict)  # by customer
    detours: Sequence[Detour] = ()
    files: Sequence[Path] = ()  # by node

    def file_of(self, node: int) -> Path:
        """What the services of this node are configured with."""
        return self.files[node]


def node_named(number: int) -> str:
    """The name of a node of this machine."""
    return f"node{number}"


class _Ports:
    """The ports of an installation: settled ones where they are free, or any; those asked for by name, or none."""

    def __init__(self, say: Callable[[str], object], *, settle: bool) -> None:
        self._say = say
        self._settle = settle
        self._asked: dict[str, Any] = {}
        override(self._asked, dict(os.environ))

    def of(self, preferred: int, use: str, hosts: Sequence[str] = (HOST,)) -> int:
        """A port for this. Raises `OSError`."""
        return settled_port(preferred, use, hosts, self._say) if self._settle else free_port(None, hosts)

    def named(self, preferred: int, section: str, name: str, use: str, hosts: Sequence[str]) -> int:
        """The same for a port that has a name in the file; the environment may ask for one. Raises `OSError`."""
        found = self._asked.get(section)
        asked = found.get(name) if isinstance(found, dict) else None
        if not isinstance(asked, int):
            return self.of(preferred, use, hosts)
        if not all(is_free(asked, host) for host in hosts):
            variable = f"DENBUN_{section}__{name}".upper()
            raise OSError(f"ポート {asked} は使用中です  port {asked} ({use}) is taken: end it, or change {variable}")
        return asked

    def of_centres(self, first: int, partners: Sequence[str], use: str) -> dict[str, int]:
        """One for the centre of each partner. Raises `OSError`."""
        return {
            partner: self.of(first + 10 * number, f"センタ {partner} {use}") for number, partner in enumerate(partners)
        }


def write(
    folder: Path, servers: str, *, prefix: str = "", nodes: int = 1, lines: Sequence[LinePlan] = LINES,
    waits: Mapping[str, Any] | None = None, settle: bool = False, replication: int = 1, detoured: bool = False,
    servers_of: Sequence[str] = (), least_session_ms: int = 0, pages: bool = False,
    say: Callable[[str], object] = lambda _: None,
) -> Plan:  # fmt: skip
    """Write ``denbun.toml`` for this machine into `folder`. `settle`: the development ports, where they are free.

    `say` is told which are not. `pages`: each centre is to have its page. Each node has a loopback address of its own,
    and a file that differs from the others' in nothing else, unless `servers_of` says where each node finds the broker.
    The lines of a partner are spread over the nodes. `detoured`: between each line and its centre stands the proxy of
    `Plan.detours`. `least_session_ms`: what the broker accepts; waits that must be longer than a session become so.
    Raises `OSError`: too few addresses or ports.
    """
    raw = toml_of(DEVELOPMENT.read_bytes())
    hosts = hosts_of(nodes)
    ports = _Ports(say, settle=settle)
    port = ports.named(raw["ingress"]["port"], "ingress", "port", "接続先 clients", hosts)
    raw["kafka"] |= {"bootstrap_servers": servers, "topic_prefix": prefix, "replication": replication}
    raw["keys"] = {"ring": "keys.json", "create": True}
    raw["ingress"] |= {"port": port, "slots": max(nodes, raw["ingress"]["slots"])}
    _lay_over(raw, waits or {}, least_session_ms)
    orders = spread(lines, [node_named(number) for number in range(nodes)]) if nodes > 1 else {}
    raw["line"] = [_line(number, line, orders.get(line.name, ()), hosts, ports) for number, line in enumerate(lines)]
    metrics = _settle_metrics(raw, hosts, ports)
    tokens = _tokens(raw)
    folder.mkdir(parents=True, exist_ok=True)
    partners = [each["name"] for each in raw["partner"]]

    def of(partner: str, mode: str) -> list[int]:
        return [each["port"] for each in raw["line"] if each["partner"] == partner and each["mode"] == mode]

    centre_ports = {partner: of(partner, "dial") for partner in partners}
    called = {partner: [[(host, port) for host in hosts] for port in of(partner, "listen")] for partner in partners}
    detours = [_detour(each, hosts) for each in raw["line"]] if detoured else []
    if detoured:
        called = {
            partner: [[(HOST, each.awaits)] for each in detours if each.partner == partner and not each.gateway_calls]
            for partner in partners
        }
        for line, detour in zip(raw["line"], detours, strict=True):
            line["port"] = detour.awaits if detour.gateway_calls else line["port"]
    files = _write_files(folder, raw, hosts, servers_of or [servers] * nodes)
    return Plan(
        file=files[0],
        servers=servers,
        prefix=prefix,
        hosts=hosts,
        doors=[(host, port) for host in hosts],
        centre_ports=centre_ports,
        called=called,
        control_ports=ports.of_centres(7_310, partners, "commands"),
        tokens=tokens,
        metrics=metrics,
        page_ports=ports.of_centres(7_380, partners if pages else (), "page"),
        token_files={customer: _write_token(folder, customer, token) for customer, token in tokens.items()},
        customers={next(iter(each["partners"].values())): each["id"] for each in raw["customer"]},
        detours=detours,
        files=files,
    )


def _settle_metrics(raw: dict[str, Any], hosts: Sequence[str], ports: _Ports) -> dict[str, Address]:
    """Write down the ports for metrics; gives the addresses, by process."""
    for service in METERED:
        use = f"メトリクス {service} metrics"
        raw[service]["metrics_port"] = ports.named(raw[service]["metrics_port"], service, "metrics_port", use, hosts)
    return {
        f"{service}-{node}": (host, raw[service]["metrics_port"])
        for node, host in enumerate(hosts)
        for service in METERED
    }


def _tokens(raw: Mapping[str, Any]) -> dict[str, str]:
    """The development token of each customer."""
    tokens = {each["id"]: f"development-token-{each['id'].lower()}" for each in raw["customer"]}
    for customer in raw["customer"]:
        assert customer["token_sha256"] == hashlib.sha256(tokens[customer["id"]].encode()).hexdigest()
    return tokens


def _write_token(folder: Path, customer: str, token: str) -> Path:
    """The file with a customer's token, for its owner alone."""
    file = folder / "tokens" / customer
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.touch(0o600)
    file.write_text(f"{token}\n", "utf-8")
    return file


def _detour(line: Mapping[str, Any], hosts: Sequence[str]) -> Detour:
    """A detour between this line and its centre, who find one another at the line's port without it."""
    dials = line["mode"] == "dial"
    calls = [(host, line["port"]) for host in ([HOST] if dials else hosts)]
    return Detour(line["name"], line["partner"], free_port(), calls, gateway_calls=dials)


def _write_files(
    folder: Path, raw: Mapping[str, Any], hosts: Sequence[str], servers_of: Sequence[str]
) -> list[Path]:  # fmt: skip
    """The file of each node."""
    return [
        _write_of_node(
            folder / ("denbun.toml" if host == HOST else f"denbun-{node_named(node)}.toml"), raw, host, servers
        )
        for node, (host, servers) in enumerate(zip(hosts, servers_of, strict=True))
    ]


def _write_of_node(file: Path, raw: Mapping[str, Any], host: str, servers: str) -> Path:
    """The file of a node: whatever awaits somebody does so at the node's own address."""
    lines = [{**line, "host": host if line["mode"] == "listen" else line["host"]} for line in raw["line"]]
    own = {
        "metrics_host": host, **raw, "kafka": {**raw["kafka"], "bootstrap_servers": servers},
        "ingress": {**raw["ingress"], "host": host}, "line": lines,
    }  # fmt: skip
    file.write_text(tomli_w.dumps(own), "utf-8")
    return file


def _line(
    number: int, line: LinePlan, nodes: Sequence[str], hosts: Sequence[str], ports: _Ports
) -> dict[str, Any]:  # fmt: skip
    awaiting = hosts if line.mode == "listen" else (HOST,)
    return {
        "name": line.name,
        "partner": line.partner,
        "mode": line.mode,
        "host": HOST,
        "port": ports.of(7_210 + number, f"回線 {line.name}", awaiting),
        "station_id": f"DNB{number + 1:05}",
        "company_code": f"{100_001 + number}",
        "routes": list(line.routes),
        "nodes": list(nodes),
        "maintenance": list(line.maintenance),
        **({"second_call": line.second_call, "peers": [HOST]} if line.second_call != "refuse" else {}),
        "carries": [
            {"partner": partner, "code": f"{partner[:3].upper()}1", "company_code": f"{300_001 + number}"}
            for partner in line.carries
        ],
    }


def _lay_over(raw: dict[str, Any], waits: Mapping[str, Any], least_session_ms: int) -> None:
    for section, values in waits.items():
        places = raw[section] if isinstance(raw[section], list) else [raw[section]]
        for place in places:
            place.update(values)
    _outlast(raw, least_session_ms)


def _outlast(raw: dict[str, Any], session_ms: int) -> None:
    """Let sessions be so long at least, and longer what `schemas.time_rules` says must be longer."""
    kafka, router = raw["kafka"], raw["router"]
    if kafka["session_timeout_ms"] >= session_ms:
        return
    kafka["session_timeout_ms"] = session_ms
    router["report_grace_ms"] = max(router["report_grace_ms"], session_ms)
    for partner in raw["partner"]:
        cancel = partner.get("cancel", {})
        if "send_window_ms" in cancel:
            cancel = {**cancel, "send_window_ms": max(cancel["send_window_ms"], session_ms + 1_000)}
            partner["cancel"] = cancel
