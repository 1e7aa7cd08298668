"""How long lines are closed when a node dies, and when its egress is stopped in order, as the centres see it.

Two nodes, each the preferred owner of a line to every partner, under light load. (a) Every process of one node is
killed at once; counted is from the kill until all its lines are open again on the other node. (b) The egress of one
node is told to end; counted is, line by line, from its closing 閉局 to its being open on the other node. Each time the
node comes back, and the next turn begins when its lines have gone back to it. The nodes take turns.

The centres are asked every few milliseconds, so that no figure is finer than that.
"""

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.budgets import NONE, Budget, Report, Row, load_rows, only, plain_table, shortened, spread, verdicts
from bench.gateway import Say, loading
from bench.load import SLOW_MS, Measured, Steadily
from bench.nodes import LIMIT_S, NODES, money, preferring, settle
from ops.installations import node_named
from ops.stage import SERVICES, Stage, playing

_LOOK_S = 0.005
_KILLED, _STOPPED = Budget("final", 3.0), Budget("final", 1.0)


class Change(NamedTuple):
    """A line was seen open, or seen closed."""

    at_s: float
    line: str
    opened: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """One end of a node, or of its egress; its return. All in seconds."""

    node: str
    all_open_s: float  # from the signal until all its lines were open again
    closed_s: dict[str, float]  # how long each of them was closed
    back_s: dict[str, float]  # how long each was closed when it went back
    shaken: list[str]  # lines of the other node that were closed meanwhile
    abrupt: int  # lines that went back without a closing 閉局


@dataclass(frozen=True, slots=True)
class Ends:
    """All turns of one kind, and the load meanwhile."""

    turns: list[Turn]
    load: Measured

    @property
    def failed(self) -> int:
        """Payments of which the caller was not told that they are approved."""
        return sum(self.load.others.values())


@dataclass(frozen=True, slots=True)
class TakeoverFigures:
    """Everything. `offences`: the money report's, and payments without an end; must be empty."""

    session_ms: int
    killed: Ends
    stopped: Ends
    invariants: dict[str, str]  # what was looked at, by invariant
    offences: list[str] = field(default_factory=list)


class Board:
    """Which lines the centres see open, and how that has changed. Its methods raise `ControlError`."""

    def __init__(self, stage: Stage, stack: ExitStack) -> None:
        self._stage = stage
        self._controls = [stack.enter_context(stage.control(partner)) for partner in stage.centres]
        self._names = {line.station_id: line.name for line in stage.installation.line}
        self._open: set[str] = set()
        self.changes: list[Change] = []

    def look(self) -> None:
        """Ask the centres."""
        found = {self._names[station] for control in self._controls for station in control.ping()["open"]}
        now = time.monotonic()
        self.changes += [Change(now, line, line in found) for line in sorted(found ^ self._open)]
        self._open = found

    def reopened(self, lines: AbstractSet[str], since_s: float) -> dict[str, tuple[float, float]]:
        """When each of these was closed first, and opened last, since then; waits until all lines are open.

        Raises `TimeoutError`.
        """
        until = time.monotonic() + LIMIT_S
        while True:
            self.look()
            closed = {each.line: each.at_s for each in reversed(self._since(since_s)) if not each.opened}
            if closed.keys() >= lines and len(self._open) == len(self._names):
                opened = {each.line: each.at_s for each in self._since(since_s) if each.opened}
                return {line: (closed[line], opened[line]) for line in lines}
            if time.monotonic() > until:
                raise TimeoutError(
                    f"{', '.join(sorted(lines))} did not change hands within {LIMIT_S:g} s: "
                    f"see {self._stage.folder / 'logs'}"
                )
            time.sleep(_LOOK_S)

    def closed(self, since_s: float) -> set[str]:
        """The lines that were closed since then."""
        return {each.line for each in self._since(since_s) if not each.opened}

    def closings(self) -> int:
        """How many closings 閉局 the gateway has asked for."""
        return sum(control.counters().get("closing_request", 0) for control in self._controls)

    def _since(self, since_s: float) -> list[Change]:
        return [each for each in self.changes if each.at_s >= since_s]


class _Turns:
    """Ends nodes and has them come back."""

    def __init__(self, stage: Stage, board: Board, say: Say) -> None:
        self._stage = stage
        self._board = board
        self._say = say

    def killed(self, node: int) -> Turn:
        """Kill every process of a node at once."""
        return self._turn(node, [f"{service}-{node}" for service in SERVICES], signal.SIGKILL)

    def stopped(self, node: int) -> Turn:
        """End the egress of a node in order."""
        return self._turn(node, [f"egress-{node}"], signal.SIGTERM)

    def _turn(self, node: int, names: Sequence[str], how: signal.Signals) -> Turn:
        board, lines = self._board, preferring(self._stage, node)
        processes = [self._stage.services[name] for name in names]
        settle(self._stage)
        board.look()
        ended_s = time.monotonic()
        for process in processes:
            process.send(how)
        gaps = board.reopened(lines, ended_s)
        for process in processes:
            if process.wait(LIMIT_S) is None:
                raise TimeoutError(f"{process.name} did not end within {LIMIT_S:g} s: see {process.log}")
        returned_s, closings = time.monotonic(), board.closings()
        for process in processes:
            process.start()
        back = board.reopened(lines, returned_s)
        for process in processes:
            process.wait_ready()
        turn = Turn(
            node=node_named(node),
            all_open_s=round(max(opened for _, opened in gaps.values()) - ended_s, 3),
            closed_s=_lengths(gaps),
            back_s=_lengths(back),
            shaken=sorted(board.closed(ended_s) - lines),
            abrupt=max(0, len(lines) - (board.closings() - closings)),
        )
        self._say(
            f"{turn.node}: {how.name}, all lines open after {turn.all_open_s:.2f} s, closed for at most "
            f"{max(turn.closed_s.values()):.2f} s; back within {max(turn.back_s.values()):.2f} s"
        )
        return turn


def _lengths(gaps: dict[str, tuple[float, float]]) -> dict[str, float]:
    return {line: round(opened - closed, 3) for line, (closed, opened) in gaps.items()}


def measure(
    servers: str, prefix: str, folder: Path, *, times: int, rate: int, session_ms: int | None, say: Say
) -> TakeoverFigures:  # fmt: skip
    """Measure on this broker. Raises what a stage raises, `ControlError`, `LoadError`, `RecordError`."""
    waits: dict[str, Any] = {} if session_ms is None else {"kafka": {"session_timeout_ms": session_ms}}
    with playing(folder, servers=servers, prefix=prefix, nodes=NODES, waits=waits, story=False, say=say) as stage:
        with ExitStack() as stack, loading(stage) as load:
            turns = _Turns(stage, Board(stage, stack), say)

            def repeated(turn: Callable[[int], Turn]) -> Ends:
                load.begin(Steadily(rate))
                found = [turn(number % NODES) for number in range(times)]
                return Ends(found, load.end())

            say(f"takeover: kill -9 of a whole node, {times} times, {rate} payments a second")
            killed = repeated(turns.killed)
            say(f"takeover: SIGTERM of a node's egress, {times} times, {rate} payments a second")
            stopped = repeated(turns.stopped)
            say("takeover: judging the money")
            invariants, offences = money(stage, load)
        return TakeoverFigures(stage.installation.kafka.session_timeout_ms, killed, stopped, invariants, offences)


# --- the report -----------------------------------------------------------------------------------------------------


def rows(figures: TakeoverFigures) -> Iterator[Row]:
    """Every figure, in the order of the table."""
    killed, stopped = figures.killed, figures.stopped
    yield from spread("kill -9 of a node: all lines open again", [turn.all_open_s for turn in killed.turns], _KILLED)
    yield from spread("its lines go back to it: closed", _each(killed.turns, "back_s"), None)
    yield from _around(killed, "kill -9")
    yield from spread("SIGTERM of its egress: each line closed", _each(stopped.turns, "closed_s"), _STOPPED)
    yield from spread("its lines go back to it: closed", _each(stopped.turns, "back_s"), None)
    yield from _around(stopped, "SIGTERM", Budget("final", 0))
    yield Row("money wrong, or without an end", "", len(figures.offences), None, (NONE,))


def _each(turns: Iterable[Turn], name: str) -> list[float]:
    return [seconds for turn in turns for seconds in getattr(turn, name).values()]


def _around(ends: Ends, what: str, none_fails: Budget | None = None) -> Iterator[Row]:
    yield Row(f"{what}: lines of the other node closed meanwhile", "", sum(len(turn.shaken) for turn in ends.turns))
    yield Row(f"{what}: lines that went back without a closing", "", sum(turn.abrupt for turn in ends.turns))
    yield from load_rows(ends.load, f"{what}, load")
    yield Row(
        f"{what}: payments not approved (of {ends.load.latency.count:,})", "", ends.failed, None, only(none_fails)
    )
    yield Row(f"{what}: payments slower than {SLOW_MS / 1_000:g} s", "", ends.load.slow)


def report(figures: TakeoverFigures) -> Report:
    """The figures beside their budgets."""
    title = f"takeover: {NODES} nodes, a session on the broker lasts {figures.session_ms:,} ms"
    others = [
        f"{what}: {count} × {told}"
        for what, ends in (("kill -9", figures.killed), ("SIGTERM", figures.stopped))
        for told, count in ends.load.others.items()
    ]
    return Report(
        table=plain_table(title, rows(figures)),
        offences=[*others, *shortened(figures.offences)],
        figures={"takeover": asdict(figures), "verdicts": verdicts(rows(figures))},
        lost=bool(figures.offences),
    )
