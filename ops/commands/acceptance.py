"""``denbun acceptance``: the acceptance cases 受入試験 of a partner at a step of the roadmap, and their evidence."""

import contextlib
import os
import shutil
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from acceptance.cards import CARDS, Plastic
from acceptance.cases import Case, Environment
from acceptance.catalogue import Catalogue, CatalogueError, load_catalogue
from acceptance.documents import write_documents, write_short
from acceptance.record import FILE, CaseRecord, Evidence, EvidenceError, Session, Verdict, load
from client import ClientError
from ops.acceptance_client import Customer
from ops.acceptance_facts import facts_of
from ops.acceptance_people import Ended, Nobody, Person
from ops.acceptance_place import OnStage, Place
from ops.acceptance_run import Runner, begun, drilling, left, status
from ops.acceptance_sides import OperatorSide, SimulatedSide
from ops.broker import BrokerError
from ops.commands.consoles import open_console
from ops.commands.desk import Wrong
from ops.commands.tables import show
from ops.commands.testers import AtConsole, who_tests
from ops.evidence import collect
from ops.installations import QUICK, LinePlan
from ops.interrupts import dropped_if_interrupted
from ops.money import report
from ops.outputs import OutputError, ensure_folder
from ops.ports import read_address
from ops.processes import ProcessError
from ops.stage import playing
from ops.times import now_ms
from pipeline.config import ConfigError
from pipeline.config import load as load_config
from pipeline.log import LogError
from schemas.installation import Installation
from schemas.plain_text import shown
from schemas.telegrams import LayoutError, PartnerSpec, load_partner
from schemas.toml_files import TomlError, toml_of
from schemas.wire import RecordError
from simulator.control import Control, ControlError

AT_ONCE = 12
_NEVER = {"silences": 0, "errors": 0}
_WAITS: Mapping[str, object] = {
    **QUICK,
    "egress": {**QUICK["egress"], "probe_idle_ms": 4_000, "probe_timeout_ms": 1_000, "breaker": _NEVER},
    "partner": {
        **QUICK["partner"],
        "report_timeout_ms": 1_500,
        "cancel": {**QUICK["partner"]["cancel"], "report_timeout_ms": 1_500},
        "breaker": _NEVER,
    },
}
"""Short waits, so that what takes minutes in production takes seconds, and long enough for a busy machine. Nothing is
spared 縮退運転: cases are played together, and many of them are about silence and errors; a drill shows the breaker."""

_FAILURES = (
    BrokerError, ClientError, ControlError, LayoutError, LogError, OSError, ProcessError, RecordError, TimeoutError
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """The command line."""

    partner: str
    environment: Environment
    cases: Sequence[str]
    config: Path | None
    control: str | None
    out: Path
    resume: bool
    by: str | None
    customer: str | None
    token: str | None
    terminals: Sequence[str]
    cards: Path | None
    authority: Path | None
    catalogue: Path | None
    unattended: bool


def acceptance(wanted: Wanted) -> int:
    """Run it; gives the exit status: 0 all passed, 1 one failed or it broke off, 2 wrong usage, 3 some were not run."""
    console = open_console()
    try:
        partner = _partner(wanted)
        catalogue = load_catalogue(partner, wanted.environment, wanted.catalogue)
        chosen = _chosen(catalogue, wanted.cases)
        evidence = _evidence(wanted, catalogue)
        cases = left(evidence, chosen) if wanted.resume and not wanted.cases else chosen
        if not cases:
            console.print("残りの試験はありません  nothing is left to run")
            return _conclude(console, wanted, evidence, chosen)
        by = who_tests(console, wanted.by, unattended=wanted.unattended)
    except (CatalogueError, ConfigError, EvidenceError, LayoutError, OutputError, Wrong) as error:
        console.print(str(error), style="red", markup=False)
        return 2
    console.rule(f"受入試験  acceptance  {partner.name.upper()} {wanted.environment.japanese}  {len(cases)} cases")
    person: Person = Nobody(by) if wanted.unattended or wanted.config is None else AtConsole(console, by)
    session = Session(by=by, started_ms=now_ms(), ended_ms=None, version="", facts={})
    return _run(console, wanted, catalogue, partner, evidence, session, person, cases, chosen)


def _run(
    console: Console, wanted: Wanted, catalogue: Catalogue, partner: PartnerSpec, evidence: Evidence,
    session: Session, person: Person, cases: Sequence[Case], chosen: Sequence[Case],
) -> int:  # fmt: skip
    broke = False
    runner: Runner | None = None
    try:
        with _place(console, wanted, partner, person) as (place, at_once, facts):
            session = msgspec.structs.replace(session, version=facts.pop("denbun"), facts=facts)
            runner = Runner(evidence, wanted.out, session, lambda case, record: _tell(console, case, record))
            runner.run(place, cases, at_once)
    except (ConfigError, Wrong) as error:
        console.print(str(error), style="red", markup=False)
        return 2
    except (Ended, EOFError, KeyboardInterrupt):
        console.print("中断しました  ended here; go on with --resume", style="yellow")
    except _FAILURES as error:
        console.print(f"{type(error).__name__}: {error}", style="bold red", markup=False)
        broke = True
    finally:
        if runner is not None:  # also where something breaks that nobody has thought of
            runner.end()
            write_documents(runner.evidence, catalogue, partner, wanted.out)
    if runner is None:
        return 1
    ended = _conclude(console, wanted, runner.evidence, chosen)
    return 1 if broke else ended


def _conclude(console: Console, wanted: Wanted, evidence: Evidence, chosen: Sequence[Case]) -> int:
    """How the cases stand and where that is written; gives the exit status."""
    show(console, _summary(evidence, chosen))
    console.print(
        f"  {wanted.out / 'index.html'}   {wanted.out / 'evidence.xlsx'}   印刷用 for print: print.xlsx, print.html"
    )
    return status(evidence, chosen)


def print_short(wanted: Wanted) -> int:
    """Write the short edition of an earlier run's evidence, and start nothing; gives the exit status: 0 or 2."""
    console = open_console()
    try:
        partner = _partner(wanted)
        catalogue = load_catalogue(partner, wanted.environment, wanted.catalogue)
        files = write_short(_earlier(wanted, catalogue), catalogue, partner, wanted.out)
    except (CatalogueError, ConfigError, EvidenceError, LayoutError, Wrong) as error:
        console.print(str(error), style="red", markup=False)
        return 2
    except OSError as error:
        console.print(f"{wanted.out}: {error.strerror}: make it writable", style="red", markup=False)
        return 2
    console.print("印刷用短縮版  the short edition for print:")
    for file in files:
        console.print(f"  {file}", markup=False)
    return 0


# --- what is wanted -------------------------------------------------------------------------------------------------


def _partner(wanted: Wanted) -> PartnerSpec:
    """The partner's telegrams: of the installation, or packaged. Raises `ConfigError`, `LayoutError`, `Wrong`."""
    if wanted.config is None:
        return load_partner(wanted.partner)
    installation = load_config(Installation, wanted.config)
    try:
        settings = installation.partner_named(wanted.partner)
    except KeyError:
        known = ", ".join(each.name for each in installation.partner)
        raise Wrong(f"--partner {wanted.partner}: {wanted.config} has {known}") from None
    return load_partner(settings.telegrams)


def _chosen(catalogue: Catalogue, wanted: Sequence[str]) -> list[Case]:
    """The cases of these ids; those of a case that is made for each code go by its id without the code."""
    found = []
    for name in wanted:
        some = [case for case in catalogue.cases if case.id == name or case.id.startswith(f"{name}-")]
        if not some:
            raise Wrong(f"--case {name}: no such case: `denbun acceptance --list` tells those there are")
        found += some
    return list(dict.fromkeys(found)) if wanted else list(catalogue.cases)


def _evidence(wanted: Wanted, catalogue: Catalogue) -> Evidence:
    """New evidence, or that of an earlier run. Raises `EvidenceError`, `OutputError`, `Wrong`."""
    if wanted.config is None and wanted.environment is not Environment.DEV:
        raise Wrong(f"--env {wanted.environment}: give the installation with --config: only dev has a stage of its own")
    if wanted.resume:
        return _earlier(wanted, catalogue)
    if (wanted.out / FILE).is_file():
        raise Wrong(
            f"--out {wanted.out.absolute()}: 実施済みの証跡あり  holds the evidence of an earlier run: "
            f"give another --out, or go on with --resume {wanted.out}"
        )
    ensure_folder("--out", wanted.out)
    if wanted.config is None:
        return begun(
            catalogue, "本機上のシミュレータ環境（denbun 一式を起動）", "a stage on this machine, simulated centres"
        )
    simulated = wanted.control is not None
    return begun(
        catalogue,
        f"稼働中の環境（構成 {shown(wanted.config.name)}、相手センタは{'シミュレータ' if simulated else '実接続'}）",
        f"an installation that is up ({shown(wanted.config.name)}), the partner {'simulated' if simulated else 'real'}",
    )


def _earlier(wanted: Wanted, catalogue: Catalogue) -> Evidence:
    """The evidence of an earlier run of this catalogue. Raises `EvidenceError`, `Wrong`."""
    evidence = load(wanted.out)
    if (evidence.partner, evidence.environment) != (catalogue.partner, catalogue.environment):
        raise Wrong(f"{wanted.out} is of {evidence.partner} {evidence.environment}: give its --partner and --env")
    if evidence.catalogue != catalogue.digest:
        raise Wrong(f"{wanted.out}: the catalogue has changed since: begin a new run with --out")
    return evidence


# --- where it is played ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _place(
    console: Console, wanted: Wanted, partner: PartnerSpec, person: Person
) -> Iterator[tuple[Place, int, dict[str, str]]]:  # fmt: skip
    """The place, how many cases it takes at once, and what is to be told of it. Raises whatever keeps it away."""
    cards = CARDS if wanted.cards is None else read_cards(wanted.cards)
    with contextlib.ExitStack() as stack:
        if wanted.config is None:
            folder = Path(tempfile.mkdtemp(prefix="denbun-acceptance-"))
            stack.enter_context(dropped_if_interrupted(folder))
            lines = [LinePlan(f"{name}-{number}", name, mode) for name in ("cafis", "cardnet")
                     for number, mode in ((1, "dial"), (2, "listen"))]  # fmt: skip
            began = time.monotonic()

            def say(text: str) -> None:
                console.print(f"  [dim]{time.monotonic() - began:5.1f} s[/dim] {escape(text)}")

            stage = stack.enter_context(playing(folder, lines=lines, waits=_WAITS, record=True, say=say))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            control: Control | None = stack.enter_context(stage.control(partner.name))
            installation = stage.installation
            name = stage.plan.customers[partner.name]
            customer = Customer(stage.plan.doors[0], name, stage.plan.tokens[name])
            terminals: Callable[[], str] = (f"4980{number:09}" for number in count(1)).__next__
            on_stage, at_once = OnStage(drilling(folder / "drills"), lambda told: report(collect(stage, told))), AT_ONCE
        else:
            installation = load_config(Installation, wanted.config)
            customer = _customer(installation, wanted, partner.name)
            terminals = cycle(wanted.terminals or [""]).__next__
            if not wanted.terminals:
                raise Wrong("--terminal: give the 端末識別番号 that the partner knows; several, if there are")
            control = None if wanted.control is None else stack.enter_context(_control(wanted.control, partner.name))
            on_stage, at_once = None, 1
        side = (
            OperatorSide(partner, person) if control is None else SimulatedSide(partner, control, installation)
        )  # fmt: skip
        place = Place(
            installation, partner, side, customer, person, terminals=terminals, cards=cards, stage=on_stage
        )  # fmt: skip
        stack.callback(place.close)
        yield place, at_once, facts_of(installation, partner)


def _customer(installation: Installation, wanted: Wanted, partner: str) -> Customer:
    """Whose requests they are. Raises `Wrong`."""
    for each in installation.customer:
        if each.id == wanted.customer or (wanted.customer is None and partner in each.partners.values()):
            break
    else:
        raise Wrong(f"--customer: none of {', '.join(each.id for each in installation.customer)} has {partner}")
    token = wanted.token or f"development-token-{each.id.lower()}"
    if not each.accepts(token):
        raise Wrong(f"customer {each.id}: give its token in DENBUN_TOKEN, or with --token")
    tls = None if wanted.authority is None else ssl.create_default_context(cafile=wanted.authority)
    return Customer((installation.ingress.host, installation.ingress.port), each.id, token, tls)


def _control(address: str, partner: str) -> Control:
    try:
        host, port = read_address(address)
    except ValueError as error:
        raise Wrong(f"--control {address}: give HOST:PORT of a simulated centre's control port") from error
    return Control(host, port, partner=partner)


class _CardFile(msgspec.Struct, forbid_unknown_fields=True):
    number: str
    expiry: str
    security_code: str


def read_cards(path: Path) -> dict[str, Plastic]:
    """The test cards that the partner gave: a section per brand. Readable by its owner alone. Raises `Wrong`.

    Errors name the brand and the key, never what stands there.
    """
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise Wrong(f"{path}: others may read it: chmod 600 {path}")
        raw = toml_of(path.read_bytes(), secret=True)
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}: name a file of test cards") from error
    except TomlError as error:
        raise Wrong(f"{path}: {error}") from None
    found = {}
    for brand, each in raw.items():
        if brand not in CARDS:
            raise Wrong(f"{path}: [{brand}]: no such brand: one of {', '.join(CARDS)}")
        try:
            card = msgspec.convert(each, _CardFile)
        except msgspec.ValidationError:
            raise Wrong(f"{path}: [{brand}]: number, expiry (YYMM) and security_code, each a text") from None
        found[brand] = Plastic(CARDS[brand].ja, CARDS[brand].en, card.number, card.expiry, card.security_code)
    return found


# --- what is told ---------------------------------------------------------------------------------------------------


def _tell(console: Console, case: Case, record: CaseRecord) -> None:
    colour, sign = _SIGNS[record.verdict]
    console.print(
        f"  [{colour}]{sign} {record.verdict.japanese}[/{colour}] {case.id:16} {escape(case.ja)}", highlight=False
    )
    if record.judgement is not None:
        for pair in record.judgement.pairs:
            if pair.mark == "different" and None in (pair.line, pair.seen):
                text = "想定外の電文" if pair.line is None else case.telegrams[pair.line].text
                console.print(f"       [red]{escape(text)}[/red]", highlight=False)
        for check in record.judgement.every:
            if check.mark == "different":
                console.print(
                    f"       [red]{escape(f'{check.ja}: {check.expected} ≠ {check.actual}')}[/red]", highlight=False
                )


_SIGNS = {Verdict.PASSED: ("green", "○"), Verdict.FAILED: ("red", "×"), Verdict.NOT_RUN: ("yellow", "―")}


def _summary(evidence: Evidence, chosen: Sequence[Case]) -> Table:
    table = Table(title="判定  verdicts")
    for heading in ("判定", "verdict", "件数  cases"):
        table.add_column(heading)
    for verdict in Verdict:
        many = sum(evidence.records[case.id].verdict is verdict for case in chosen)
        table.add_row(verdict.japanese, str(verdict), str(many), style=_SIGNS[verdict][0] if many else "dim")
    return table


def list_cases(partner: str, environment: Environment, folder: Path | None) -> int:
    """Tell the cases there are; gives the exit status."""
    console = open_console()
    try:
        catalogue = load_catalogue(load_partner(partner), environment, folder)
    except (CatalogueError, LayoutError) as error:
        console.print(str(error), style="red", markup=False)
        return 2
    table = Table(title=f"{partner.upper()} {environment.japanese}  {len(catalogue.cases)} cases")
    for heading in ("id", "試験項目  case", "重要度", "要件", "手動"):
        table.add_column(heading, overflow="fold")
    for case in catalogue.cases:
        by_hand = "手動" if case.manual else "相手先" if case.of_partner and environment is not Environment.DEV else ""
        table.add_row(case.id, f"{case.ja}\n{case.en}", case.severity.japanese, " ".join(case.requirements), by_hand)
    show(console, table)
    return 0
