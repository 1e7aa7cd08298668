"""One run: faults for a while, then none; everything must settle; then the money is judged."""

import gc
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from faults.table import ENDS
from ops.interrupts import held
from ops.money import ClientRecord, Evidence, report
from ops.player import CARD, SECURITY_CODE
from pipeline.log import Message
from pipeline.owned import MARKER_KEY
from schemas import wire
from schemas.records import (
    CancelStage,
    CancelState,
    LineStage,
    LineState,
    LineTaken,
    RequestAccepted,
    RouteHeld,
    SendRequest,
    Stage,
    TelegramSent,
    TransactionState,
)
from simulation import standins
from simulation.broker import Broker
from simulation.centres import CentreProcess
from simulation.clients import Merchants
from simulation.machines import CLOCK_TOLERANCE_MS, Machines, plant
from simulation.mischief import Imp
from simulation.network import Network
from simulation.plan import CUSTOMERS, Plan, plan_of
from simulation.world import MS, SECOND, World

SETTLE_US = 90 * SECOND  # longer than every wait of a transaction together
_LOOK_US = 250 * MS
_SWEEP = 50  # runs between collections of garbage
_AGAIN_US = 1_600 * MS  # by then everything has been asked again that was to be
_AFTERWARDS_US = 1_250 * MS  # what comes late must change nothing
_LOOKED_AT = ("requests", "transactions", "cancels", "lines", "holds")
_ENDED = (*ENDS, CancelStage.ATTENTION)
_SECRETS = (
    CARD.number.encode(),
    f'"{SECURITY_CODE}"'.encode(),
    bytes([2 * len(SECURITY_CODE)]) + SECURITY_CODE.encode(),
)


@dataclass(slots=True)
class Result:
    """What came of a run."""

    plan: Plan
    failures: Sequence[str]
    counters: Counter[str]
    faults: int  # that were drawn
    simulated_ms: int
    history: "History"


@dataclass(frozen=True, slots=True)
class History:
    """Everything that happened, for who wants to read it."""

    notes: Sequence[tuple[int, str, str]]
    journal: Sequence[tuple[int, str, Message]]
    topics: Mapping[str, Sequence[Message]]


class Latest:
    """The newest states in some topics; reads each message once."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._read = 0
        self.accepted: dict[str, None] = {}
        self.transactions: dict[str, TransactionState] = {}
        self.cancels: dict[str, CancelState] = {}
        self.lines: dict[str, LineState] = {}
        self.holds: dict[bytes, RouteHeld] = {}

    def look(self) -> None:
        """Read on."""
        for _, _, message in self._broker.journal[self._read :]:
            if message.topic in _LOOKED_AT and message.key != MARKER_KEY:
                self._take(message)
        self._read = len(self._broker.journal)

    def _take(self, message: Message) -> None:
        assert message.key is not None
        if message.value is None:
            self.holds.pop(message.key, None)
            return
        match wire.decode(message):
            case RequestAccepted() as request:
                self.accepted[request.transaction_id] = None
            case TransactionState() as state:
                self.transactions[state.transaction_id] = state
            case CancelState() as state:
                self.cancels[state.transaction_id] = state
            case LineState() as state:
                self.lines[state.line] = state
            case RouteHeld() as held:
                self.holds[message.key] = held
            case _:
                pass


class Whole:
    """The world of one plan, with everything in it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.world = World(plan.seed, plan.epoch_ms)
        self.plant = plant(plan.lines, plan.routes, carries=plan.carries)
        self.broker = Broker(self.world)
        self.network = Network(self.world)
        self.machines = Machines(self.world, self.broker, self.network, self.plant)
        self.merchants = Merchants(self.world, self.network)
        self.centres = [
            CentreProcess(self.world, self.network, self.plant, name, rules) for name, rules in plan.rules.items()
        ]
        by_name = {each.name: each.centre for each in self.centres}
        for line in self.plant.installation.line:
            by_name[line.partner].carries |= {each.code: by_name[each.partner] for each in line.carries}
        self.imp = Imp(plan, self.world, self.broker, self.network, self.machines, self.centres, self.merchants)
        self.latest = Latest(self.broker)
        self._taken_anew = False

    def play(self) -> None:
        """Everything, from the beginning until it has settled or failed."""
        self.machines.start_all()
        for payment in self.plan.payments:
            if payment.number not in self.plan.limits.without_payments:
                self.world.at(payment.at_us, None, self.merchants.begin, payment)
        self.imp.begin()
        self.world.run(self.plan.safety_us)
        self.imp.end()
        self.world.run(self.world.now_us + _AGAIN_US)
        self.merchants.welcome(CUSTOMERS)
        self.settle()
        if self.plan.restarts and not self.world.troubles:
            self.take_anew()

    def take_anew(self) -> None:
        """Start every egress anew, so that each line's next owner finds what the last has left in the log."""
        for process in list(self.machines.egress):
            self.machines.stop(process)
        self._taken_anew = True
        self.settle()

    def settle(self) -> None:
        """No more faults: everything must come to its end, and stay there for a while."""
        world = self.world
        until_us = world.now_us + SETTLE_US
        quiet_us = 0
        while not world.troubles and quiet_us < _AFTERWARDS_US:
            self.latest.look()
            states = self.latest.transactions.items()
            self.merchants.audit({each for each, state in states if not state.stage.ended})
            world.run(world.now_us + _LOOK_US)
            why = self.unsettled()
            quiet_us = 0 if why else quiet_us + _LOOK_US
            if why and world.now_us > until_us:
                world.trouble("world", f"not settled after {SETTLE_US // SECOND} s: {'; '.join(why)}")

    def unsettled(self) -> list[str]:
        """What has not come to its end."""
        self.latest.look()
        latest, paper = self.latest, self.merchants.paper
        why = [f"nobody is told of {each}" for each in paper.asked if each not in paper.at_last]
        why += [f"{each} is not read yet" for each in latest.accepted if each not in latest.transactions]
        why += ["a till waits"] if self.merchants.busy else []
        why += [f"{each} gets no payment approved" for each in self.merchants.unserved]
        why += [f"{each} is frozen" for each in self.machines.running.values() if each.frozen]
        why += [f"{each} is {state.stage}" for each, state in latest.transactions.items() if not state.stage.ended]
        why += [
            f"the cancel of {each} is {state.stage}"
            for each, state in latest.cancels.items()
            if state.stage not in _ENDED
        ]
        stages = {line: latest.lines[line].stage if line in latest.lines else None for line in self.plant.lines}
        why += [f"{line} is {stage}" for line, stage in stages.items() if stage is not LineStage.OPEN]
        holds = {(held.line, held.route_number): held.transaction_id for held in latest.holds.values()}
        for (line, route), transaction_id in (
            self.machines.held_routes() | (holds if self._taken_anew else {})
        ).items():
            state = latest.transactions.get(transaction_id)
            if state is None or state.stage is not Stage.ATTENTION:
                why.append(f"route {route} of {line} is held for {transaction_id}")
        return why

    def judge(self) -> list[str]:
        """What is wrong with the money."""
        topics = {name: self.broker.everything(name) for name in self.broker.topics}
        told = "\n".join(f"{at} {who} {what}" for at, who, what in self.world.notes)
        evidence = Evidence(
            clients=self._clients(),
            ledgers={centre.name: centre.rows() for centre in self.centres},
            violations={centre.name: centre.violations() for centre in self.centres},
            stations={line.name: line.station_id for line in self.plant.installation.line},
            topics=topics,
            texts={"notes": told.encode()},
            secrets=_SECRETS,
        )
        found = [f"{finding.number}: {each}" for finding in report(evidence) for each in finding.offenders]
        return [*found, *self._sent_too_late(evidence)]

    def _sent_too_late(self, evidence: Evidence) -> Iterator[str]:
        """Requests that a centre has booked although the log did not hold that they go out before their time was over.

        The money report does not know when a time was over for whom: by the broker's clock, as its owner measured it.
        """
        for line, station in evidence.stations.items():
            booked = {
                (row["business_date"], row["trace_number"])
                for rows in evidence.ledgers.values()
                for row in rows
                if row["station"] == station
            }
            orders = map(wire.decode, evidence.topics[f"dispatch.{line}"])
            send_by_ms = {each.transaction_id: each.send_by_ms for each in orders if isinstance(each, SendRequest)}
            for message in evidence.topics[f"sent.{line}"]:
                sent = wire.decode(message)
                if not isinstance(sent, TelegramSent) or sent.attempt:
                    continue
                late_ms = message.timestamp_ms - send_by_ms[sent.transaction_id] - CLOCK_TOLERANCE_MS
                if late_ms > 0 and (sent.business_date, sent.trace_number) in booked:
                    yield f"{sent.transaction_id} went onto {line} after its time to be sent"
                booked.discard((sent.business_date, sent.trace_number))  # a former owner may write it once more

    def _takeovers(self) -> int:
        return sum(
            isinstance(wire.decode(message), LineTaken)
            for line in self.plant.lines
            for message in self.broker.everything(f"sent.{line}")
        )

    def _clients(self) -> list[ClientRecord]:
        """What the clients wrote down.

        Inquiries do not say what was asked for, and the client library inquires when its session has broken. So of
        a reference that was used for two contents, they are told about the one that was taken.
        """
        paper, taken = self.merchants.paper, self.latest.transactions
        amounts: dict[str, set[int]] = {}
        for each in paper.records:
            amounts.setdefault(each.transaction_id, set()).add(each.amount)
        twice = {name for name, asked in amounts.items() if len(asked) > 1}
        return [
            replace(each, amount=taken[each.transaction_id].amount)
            if each.transaction_id in taken and (inquired or each.transaction_id in twice)
            else each
            for inquired, records in ((False, paper.records), (True, paper.inquiries))
            for each in records
        ]

    def count(self) -> None:
        """How the transactions ended."""
        counters = self.world.counters
        counters["simulated seconds"] += self.world.now_us // SECOND
        counters["records written"] += len(self.broker.journal)
        taken = sum(len(self.broker.topics[f"sent.{line}"][0].messages) > 0 for line in self.plant.lines)
        counters["lines taken over"] += self._takeovers() - taken
        counters["transactions"] += len(self.latest.transactions)
        for state in self.latest.transactions.values():
            counters[f"ended {state.stage}"] += 1
        for cancel in self.latest.cancels.values():
            counters["cancels"] += 1
            counters["cancel telegrams"] += cancel.attempt


@held()  # within it an interrupt would be taken for the fault of whichever process runs
def play(plan: Plan) -> Result:
    """Play a plan. Within `standins.substituted`."""
    whole = Whole(plan)
    with standins.inhabited(whole.world):
        whole.play()
        failures = list(whole.world.troubles)
        if not failures:
            failures = whole.judge()
        whole.count()
        topics = {name: whole.broker.everything(name) for name in whole.broker.topics}
        history = History(whole.world.notes, whole.broker.journal, topics)
        _end(whole)
    return Result(plan, failures, whole.world.counters, whole.imp.drawn, whole.world.now_us // MS, history)


def _end(whole: Whole) -> None:
    """End every process, so that nothing of this world runs on into the next."""
    whole.world.end()


@contextmanager
def quiet() -> Iterator[None]:
    """While simulations run: time and chance are theirs, no log lines, no collection of garbage within a step."""
    logging.disable(logging.CRITICAL)
    gc.disable()
    try:
        with standins.substituted():
            yield
    finally:
        gc.enable()
        logging.disable(logging.NOTSET)


def many(seeds: Iterable[int]) -> Iterator[Result]:
    """The runs of these seeds, one after the other."""
    with quiet():
        for number, seed in enumerate(seeds, 1):
            yield play(plan_of(seed))
            if number % _SWEEP == 0:
                gc.collect()
