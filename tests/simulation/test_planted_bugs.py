"""Bugs that are planted are found: each broken rule of the money path makes some run among the first fail."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from rich.console import Console
from simulated import first_failure

import egress.core
import faults.core
import router.core
from egress.core import LineCore
from egress.numbers import TraceNumbers
from egress.preparing import Preparing
from egress.routes import Routes
from egress.tenure import Tenure
from faults.shell import Faults
from ingress.acts import Send, StoreDelivered
from ingress.core import Session
from pipeline.log import Message
from pipeline.owned import OwnedLoop
from router.shell import Transactions
from schemas.client_frames import Settled
from schemas.records import Stage
from simulation.command import simulate
from simulation.plan import plan_of
from simulation.run import play, quiet
from simulation.shrink import alike, shrunk

SEEDS = range(400)
Plant = Callable[[pytest.MonkeyPatch], None]


def hold_no_route(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Routes, "hold", lambda *_: False)


def send_again_after_a_takeover(patch: pytest.MonkeyPatch) -> None:
    take = LineCore.take
    patch.setattr(LineCore, "take", lambda self, found, now_ms: take(self, found._replace(sent=()), now_ms))


def forget_the_deadlines_on_a_restart(patch: pytest.MonkeyPatch) -> None:
    restore = Transactions.restore

    def forgetful(self: Transactions, message: Message) -> None:
        restore(self, message)
        assert message.key is not None
        self.timers.set(message.key.decode(), None)

    patch.setattr(Transactions, "restore", forgetful)


def let_a_late_report_change_the_end(patch: pytest.MonkeyPatch) -> None:
    received = router.core._received

    def flip(record: Any, state: Any, world: Any, now_ms: int) -> Any:
        open_again = msgspec.structs.replace(state, stage=Stage.DISPATCHED)
        return received(record, open_again, world, now_ms)

    patch.setattr(router.core, "_received", flip)


def name_another_original(patch: pytest.MonkeyPatch) -> None:
    original = Preparing.original

    def wrong(self: Preparing, order: Any) -> Any:
        found = original(self, order)
        return found._replace(trace_number=found.trace_number + 1) if isinstance(found, tuple) else found

    patch.setattr(Preparing, "original", wrong)


def tell_settled_before_it_is_stored(patch: pytest.MonkeyPatch) -> None:
    ack = Session._ack

    def hasty(self: Session, frame: Any, now_ms: int) -> Any:
        acts = ack(self, frame, now_ms)
        told = Settled(reference=frame.reference, delivery_no=frame.delivery_no, confirmed=True)
        return [*acts, Send(told)] if any(isinstance(act, StoreDelivered) for act in acts) else acts

    patch.setattr(Session, "_ack", hasty)


def hear_no_acknowledgement(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Session, "_ack", lambda *_: [])


def send_what_is_too_late(patch: pytest.MonkeyPatch) -> None:
    job_of = egress.core.job_of

    def patient(*order: Any) -> Any:
        job = job_of(*order)
        job.send_by_ms += 60_000
        return job

    patch.setattr(egress.core, "job_of", patient)


def act_although_another_owns_the_states(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(OwnedLoop, "_settle", lambda *_: None)


def send_although_another_owns_the_line(patch: pytest.MonkeyPatch) -> None:
    def advance(self: Tenure) -> None:
        while self._stored and not self._ended:
            offset, at = self._stored.popleft()
            self._last_stored = at
            self._perform(self._core.stored(offset, self._now()))

    patch.setattr(Tenure, "_advance", advance)


def use_trace_numbers_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TraceNumbers, "of", lambda self, offset, *_: self._first + offset % 4)


def lose_the_attention_list(patch: pytest.MonkeyPatch) -> None:
    written = Faults._written

    def forgetful(self: Faults, *arguments: Any) -> Any:
        return [each for each in written(self, *arguments) if not each.topic.endswith("attention")]

    patch.setattr(Faults, "_written", forgetful)


def keep_inherited_telegrams_to_itself(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LineCore, "_inherit", lambda *_: None)


def forget_whose_cancel_it_is(patch: pytest.MonkeyPatch) -> None:
    command = faults.core._command
    patch.setattr(faults.core, "_command", lambda *about: msgspec.structs.replace(command(*about), partner=None))


PLANTED: Sequence[Plant] = (
    hold_no_route,
    send_again_after_a_takeover,
    forget_the_deadlines_on_a_restart,
    let_a_late_report_change_the_end,
    name_another_original,
    tell_settled_before_it_is_stored,
    hear_no_acknowledgement,
    send_what_is_too_late,
    act_although_another_owns_the_states,
    send_although_another_owns_the_line,
    use_trace_numbers_again,
    lose_the_attention_list,
    keep_inherited_telegrams_to_itself,
    forget_whose_cancel_it_is,
)


def test_a_run_that_fails_is_made_smaller_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_no_route(monkeypatch)
    found = first_failure(SEEDS)
    assert found is not None
    seed, _ = found
    with quiet():
        whole = play(plan_of(seed))
        smallest = shrunk(whole, lambda: None)
    assert alike(whole.failures[0]) in map(alike, smallest.failures)
    fewer = smallest.plan.limits
    assert fewer.without_payments or fewer.without_faults
    console = Console(record=True, width=200, file=io.StringIO())
    assert simulate(runs=1, seed=seed, jobs=1, limits=fewer, trace=True, keep_going=False, console=console) == 1
    text = console.export_text()
    assert smallest.failures[0] in text
    assert "the faults are over" in text or smallest.simulated_ms * 1_000 < whole.plan.safety_us


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert first_failure(SEEDS) is not None
