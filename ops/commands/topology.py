"""``denbun topology``: where services, partitions and lines are, and the plan for N nodes; as tables, JSON or SVG."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from egress.takeover import Places
from faults import shell as faults_shell
from ops.clocks import machine_clocks
from ops.commands.consoles import open_console
from ops.commands.desk import OK, WRONG, Wrong, at_desk
from ops.commands.tables import show
from ops.groups import Asker
from ops.outputs import OutputError, ensure_file
from ops.reading import read_topics
from ops.topology import (
    EGRESS,
    FAULTS,
    ROUTER,
    Loss,
    Node,
    Reach,
    Remark,
    Seen,
    Topology,
    contracts_of,
    in_words,
    losses,
    natural,
    present,
)
from ops.topology_drawing import STAGES, UNKNOWN, Panel, draw
from ops.topology_plan import Move, Order, Plan, named, plan, ranks, with_orders
from router import shell as router_shell
from schemas import wire
from schemas.installation import Installation
from schemas.records import LineState
from schemas.topics import Topics

SERVICES = {"ingress": "受付", ROUTER: "振り分け", FAULTS: "障害取消", EGRESS: "回線接続"}
_REACH = {
    Reach.AT_ONCE: "[green]継続[/green] at once",
    Reach.AFTER_TAKEOVER: "[yellow]引継ぎ後[/yellow] after takeover",
    Reach.NOT_AT_ALL: "[red]不通[/red] not at all",
}


def topology(config: Path, *, nodes: int | None, svg: Path | None, as_json: bool) -> int:
    """Tell the placement, and the plan for so many nodes; gives the exit status."""

    def work(installation: Installation, console: Console) -> int:
        now = present(see(installation), contracts_of(installation))
        found = None if nodes is None else planned(now, installation, nodes)
        if svg is not None:
            _draw(svg, _panels(now, found))
        if as_json:
            print(json.dumps(facts(now, found), ensure_ascii=False, indent=2))
            return OK
        _tell_now(console, now)
        if found is not None:
            _tell_plan(console, found)
        if svg is not None:
            console.print(f"図 drawing: {svg}", markup=False)
        return OK

    try:
        if svg is not None:
            ensure_file("--svg", svg)
    except OutputError as error:
        open_console().print(str(error), style="red", markup=False)
        return WRONG
    return at_desk(config, work)


def _draw(svg: Path, panels: Sequence[Panel]) -> None:
    """Raises `Wrong`."""
    try:
        svg.write_text(draw(panels), "utf-8")
    except OSError as error:
        raise Wrong(f"{svg}: {error.strerror}: name another file with --svg") from error


def see(installation: Installation) -> Seen:
    """Ask the broker. Raises `LogError`, `RecordError`."""
    topics = Topics(installation.kafka.topic_prefix)
    lines = topics("lines")
    (messages,) = read_topics(installation.kafka, [lines]).values()
    told = [wire.decode(each) for each in messages if each.value is not None]
    states = {record.line: record for record in told if isinstance(record, LineState)}
    router = router_shell.group_of(topics), topics(router_shell.INPUTS[0])
    faults = faults_shell.group_of(topics), topics(faults_shell.INPUTS[0])
    places = [Places.of(topics, line.name) for line in installation.line]
    asker = Asker(installation.kafka)
    cluster = asker.cluster()
    groups = asker.groups(dict([router, faults]) | {place.group: place.dispatch.topic for place in places})
    return Seen(
        router=groups[router[0]],
        faults=groups[faults[0]],
        egress={place.line: groups[place.group] for place in places},
        states=states,
        partitions=cluster.partitions.get(router[1], installation.kafka.partitions),
        slots=cluster.partitions.get(topics("replies"), installation.ingress.slots),
        brokers=cluster.brokers,
        clocks=machine_clocks(installation.kafka),
        clock_tolerance_ms=installation.clock_tolerance_ms,
    )


def planned(now: Topology, installation: Installation, count: int) -> Plan:
    """The plan for so many nodes: those that run, then those that lines prefer, then new ones."""
    running = [node.name for node in now.nodes]
    awaited = {node for line in installation.line for node in line.nodes}.difference(running)
    nodes = named([*running, *sorted(awaited, key=natural)][:count], count)
    given = {line.name: line.nodes for line in installation.line}
    contracts = with_orders(contracts_of(installation), count)
    return plan(now, contracts, nodes, given, installation.egress.sessions_max)


def facts(now: Topology, found: Plan | None) -> dict[str, Any]:
    """Everything, for machines."""
    told: dict[str, Any] = {"now": msgspec.to_builtins(now), "losses_now": msgspec.to_builtins(losses(now))}
    if found is not None:
        told["plan"] = msgspec.to_builtins(found)
        told["plan"]["ranks"] = {line.contract.name: ranks(line) for line in found.then.lines}
    return told


def _panels(now: Topology, found: Plan | None) -> list[Panel]:
    panels = [Panel(f"現在の配置  now: {len(now.nodes)} nodes", now)]
    if found is not None:
        panels.append(Panel(f"計画  plan: {len(found.then.nodes)} nodes", found.then, now))
    return panels


# --- what is printed ------------------------------------------------------------------------------------------------


def _tell_now(console: Console, now: Topology) -> None:
    brokers = f"Kafka {', '.join(now.brokers)}; {now.partitions} パーティション partitions"
    console.print(brokers, markup=False)
    console.print(f"受付スロット ingress slots: {now.slots} (使用ノードはログに現れない  the log does not tell whose)")
    show(console, _nodes("現在の配置  now", now))
    show(console, _lines("回線  lines", now))
    if now.nodes:
        show(console, _losses("現状でノードを失うと  if a node were lost now", losses(now)))
    if now.clocks:
        show(console, _clocks(now))
    _tell_remarks(console, "確認事項  to look at", now.remarks)


def _tell_plan(console: Console, found: Plan) -> None:
    count = len(found.then.nodes)
    show(console, _nodes(f"{count} ノードの計画  plan for {count} nodes", found.then))
    show(console, _lines("回線の計画と egress の順位  planned lines, ranks of egress", found.then))
    show(console, _moves(found.moves))
    show(console, _losses("計画後にノードを失うと  if a node is lost then", found.losses))
    show(console, _orders(found.orders))
    _tell_remarks(console, "自社側の準備  to do on our side", found.needs)


def _tell_remarks(console: Console, title: str, remarks: Iterable[Remark]) -> None:
    for number, remark in enumerate(remarks):
        if not number:
            console.print(f"[bold]{title}[/bold]")
        console.print(f"  ・{escape(remark.japanese)}\n    {escape(remark.english)}")


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _service(name: str) -> str:
    return f"{SERVICES[name]}\n{name}"


def _nodes(title: str, of: Topology) -> Table:
    table = _table(title, "ノード\nnode", *map(_service, SERVICES), "経路数\nroutes")
    every = sum(line.contract.routes for line in of.lines)
    for node in of.nodes:
        lines = of.lines_of(node.name)
        routes = sum(line.contract.routes for line in lines)
        names = ", ".join(f"{line.contract.name}{' (新規 new)' if line.contract.ordered else ''}" for line in lines)
        table.add_row(
            escape(f"{node.name}\n{node.host or ''}".strip()),
            "不明 unknown" if node.slot is None else f"スロット slot {node.slot}",
            *(_held(of, node, service) for service in (ROUTER, FAULTS)),
            names or ("–" if node.egress else "停止 not running"),
            f"{routes} ({routes / every:.0%})",
        )
    return table


def _held(of: Topology, node: Node, service: str) -> str:
    held = node.router if service == ROUTER else node.faults
    return "停止 not running" if held is None else f"{in_words(held) or '–'}\n{of.share(held):.0%}"


def _clocks(of: Topology) -> Table:
    """The machines' clocks: a row a node."""
    table = _table(
        "時刻ずれ  the machines' clocks", "ノード\nnode", "サービス\nservice", "時刻ずれ\nahead of the broker's"
    )
    for node in sorted({each.node for each in of.clocks}, key=natural):
        mine = [each for each in of.clocks if each.node == node]
        services = "\n".join(f"{SERVICES.get(each.service, '')} {each.service}".strip() for each in mine)
        table.add_row(escape(node), escape(services), "\n".join(f"{each.off_ms:+,} ms" for each in mine))
    return table


def _lines(title: str, of: Topology) -> Table:
    table = _table(
        title, "回線\nline", "相手\npartner", "接続方向\nwho calls", "所有\nowner", "状態\nstage",
        "引継ぎ順(順位)\norder of takeover (rank)", "経路数\nroutes",
    )  # fmt: skip
    for line in of.lines:
        contract = line.contract
        _, japanese = STAGES.get(line.stage, UNKNOWN)
        stage = "新規 to order" if contract.ordered else f"{japanese} {line.stage or 'unknown'}"
        table.add_row(
            contract.name,
            " + ".join(contract.partners),
            "発呼 dial" if contract.mode == "dial" else "着呼 listen",
            escape(line.owner or "なし nobody"),
            stage,
            escape(" → ".join(f"{node}:{rank}" for node, rank in ranks(line).items()) or "–"),
            str(contract.routes),
        )
    return table


def _moves(moves: Sequence[Move]) -> Table:
    table = _table("移動  what moves", "サービス\nservice", "対象\nwhat", "今\nfrom", "計画\nto")
    for move in moves:
        what = f"回線 line {move.what}" if move.service == EGRESS else f"パーティション partitions {move.what}"
        named_ = f"{SERVICES[move.service]} {move.service}"
        table.add_row(named_, what, escape(move.origin or "– (なし nobody)"), escape(move.target))
    if not moves:
        table.add_row("–", "移動なし nothing", "", "")
    return table


def _losses(title: str, lost: Iterable[Loss]) -> Table:
    table = _table(
        title, "失うノード\nlost", "回線の引継ぎ\nits lines go to", "振り分け・障害取消\nrouter, faults",
        "相手への到達\nthe partners", "引継ぎ前の経路数\nroutes before takeover",
    )  # fmt: skip
    for loss in lost:
        lines = "\n".join(f"{line} → {node or 'なし nobody'}" for line, node in loss.lines.items())
        parts = [_parts(loss.router)]
        if loss.faults != loss.router:
            parts.append("faults " + _parts(loss.faults))
        if loss.wandering:
            parts.append(f"生存間の移動 also between others: {in_words(loss.wandering)}")
        table.add_row(
            escape(loss.node),
            escape(lines or "–"),
            escape("\n".join(parts)),
            "\n".join(f"{partner}: {_REACH[reach]}" for partner, reach in loss.reach.items()),
            "\n".join(f"{partner}: {routes}" for partner, routes in loss.routes.items()),
        )
    return table


def _parts(held: Mapping[str, Sequence[int]]) -> str:
    return "\n".join(f"{node}: {in_words(partitions) or '–'}" for node, partitions in held.items()) or "なし nobody"


def _orders(orders: Iterable[Order]) -> Table:
    table = _table("相手先への依頼・発注  to be ordered from the partners", "相手\npartner", "項目\nwhat", "内容\ntold")
    for order in orders:
        for number, (what, told) in enumerate(_ordered(order)):
            table.add_row(order.partner if not number else "", what, escape(told))
        table.add_section()
    return table


def _ordered(order: Order) -> Iterable[tuple[str, str]]:
    """The rows of one partner."""
    new = "\n".join(
        f"{each.name}: {'発呼 dial' if each.mode == 'dial' else '着呼 listen'}, {each.routes} 経路 routes"
        for each in order.new
    )
    yield "回線契約\nlines to contract", new or "不要 none"
    if order.new:
        yield (
            "局番・会社コード\nstation id, company code",
            f"{len(order.new)} 組 pairs, 新規回線ごとに for each new line",
        )
    yield "セッション数\nsessions", f"{order.lines[0]} → {order.lines[1]}"
    yield (
        "経路数(同時取引)\nroutes (at a time)",
        f"{order.routes[0]} → {order.routes[1]}; 1 ノード喪失時 with one node lost: {order.routes_left}",
    )
    if order.sources:
        sources = ", ".join(f"{each.node}{' (新規 new)' if each.fresh else ''}" for each in order.sources)
        yield (
            "発信元アドレス登録\nsource addresses to register",
            f"{', '.join(order.dialled)}:\n各ノード each of {sources}",
        )
    if order.calls:
        by_line: dict[str, list[str]] = {}
        for call in order.calls:
            where = f"{call.node}:{call.port or '未定 to be agreed'}{' (新規 new)' if call.fresh else ''}"
            by_line.setdefault(call.line, []).append(where)
        calls = "\n".join(f"{line} → {', '.join(places)}" for line, places in by_line.items())
        yield "着信先(センタが呼ぶ)\naddresses the centre calls", calls
