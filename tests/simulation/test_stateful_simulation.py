"""Hypothesis does the mischief, step by step; whatever it thinks of, everything settles and the money is right."""

from contextlib import ExitStack
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from simulated import quiet_plan, whole_world

from schemas.records import Kind
from schemas.telegrams import FAULT_COMMANDS, ORDINARY_REQUESTS
from simulation.broker import SESSION_US
from simulation.machines import NODES, SERVICES
from simulation.plan import CUSTOMERS, Manner, Payment
from simulation.world import MS
from simulator.deeds import FITTING, Deed
from simulator.rules import Rule

nodes = st.sampled_from(NODES)
services = st.sampled_from(SERVICES)
deeds = st.sampled_from([each for each in Deed if set(ORDINARY_REQUESTS) <= set(FITTING[each])])
commands = st.sampled_from([each for each in Deed if set(FAULT_COMMANDS) <= set(FITTING[each])])


class Gateway(RuleBasedStateMachine):
    """The whole gateway, and somebody who wishes it ill."""

    @initialize(seed=st.integers(0, 1_000))
    def begin(self, seed: int) -> None:
        self.exits = ExitStack()
        self.whole = self.exits.enter_context(whole_world(quiet_plan(seed)))
        self.payments = 0

    @precondition(lambda self: self.payments < 8)
    @rule(
        customer=st.sampled_from(sorted(CUSTOMERS)), kind=st.sampled_from([Kind.SALE, Kind.AUTHORISATION]),
        manner=st.sampled_from(Manner), then=st.sampled_from([None, Kind.CANCEL, Kind.REFUND]),
        again=st.sampled_from([None, 0, 200]), request=deeds, command=commands, times=st.integers(1, 3),
    )  # fmt: skip
    def pay(
        self, customer: str, kind: Kind, manner: Manner, then: Kind | None, again: int | None, request: Deed,
        command: Deed, times: int,
    ) -> None:  # fmt: skip
        number = self.payments = self.payments + 1
        amount = 10_000 * number
        centre = next(each for each in self.whole.centres if each.name == CUSTOMERS[customer])
        centre.centre.rules.add(Rule(do=command, role=tuple(FAULT_COMMANDS), amount=amount, times=times))
        centre.centre.rules.add(Rule(do=request, role=tuple(ORDINARY_REQUESTS), amount=amount))
        self.whole.merchants.begin(
            Payment(
                number=number, at_us=0, customer=customer, kind=kind, amount=amount, wait_ms=2_000, manner=manner,
                leaves_us=100 * MS, then=then, then_amount=amount, again_us=None if again is None else again * MS,
                again_more=0, inquires_us=None,
            )
        )  # fmt: skip

    @rule(node=nodes, service=services)
    def crash(self, node: str, service: str) -> None:
        if (process := self.whole.machines.running.get((node, service))) is not None:
            process.kill()

    @rule(node=nodes, service=services)
    def stop(self, node: str, service: str) -> None:
        if (process := self.whole.machines.running.get((node, service))) is not None:
            self.whole.machines.stop(process)

    @rule(node=nodes, service=services, long=st.booleans(), ms=st.integers(1, 900))
    def freeze(self, node: str, service: str, long: bool, ms: int) -> None:
        if (process := self.whole.machines.running.get((node, service))) is not None:
            self.whole.broker.watch(process)
            process.freeze(ms * MS + (SESSION_US if long else 0))

    @rule(data=st.data(), silently=st.booleans())
    def cut_a_connection(self, data: Any, silently: bool) -> None:
        wires = list(self.whole.network.wires)
        if wires:
            chosen = data.draw(st.sampled_from(wires), label="connection")
            if silently:
                chosen.fall_silent(both=True)
            else:
                chosen.reset()

    @rule(node=nodes, ms=st.integers(-300, 300))
    def step_a_clock(self, node: str, ms: int) -> None:
        self.whole.machines.nodes[node].offset_us = ms * MS

    @rule(ms=st.sampled_from([1, 3, 10, 50, 300, 1_000, 2_500]))
    def let_time_pass(self, ms: int) -> None:
        self.whole.world.run(self.whole.world.now_us + ms * MS)

    @invariant()
    def nothing_that_must_not_happen_has_happened(self) -> None:
        assert self.whole.world.troubles == []

    def teardown(self) -> None:
        if not hasattr(self, "exits"):
            return
        with self.exits:
            self.whole.imp.end()
            self.whole.settle()
            assert self.whole.world.troubles == []
            if self.payments:
                assert self.whole.judge() == []


TestGateway = Gateway.TestCase
TestGateway.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
