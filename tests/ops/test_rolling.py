"""The order of a rolling restart, what ends it early, and the way back; on a stage that only keeps what runs."""

import re
import sys
import threading
from pathlib import Path

import pytest

from ops.processes import ProcessError
from ops.rolling import Roll, RollError
from ops.stage_desk import DeskError, StageDesk, give

ORDER = [f"{service}-{node}" for node in (0, 1) for service in ("router", "faults", "egress", "ingress")]


class StageOnPaper:
    """What `Roll` needs of a stage. `broken`: services that no version but the first one starts."""

    def __init__(self, folder: Path, nodes: int = 2) -> None:
        self.nodes = nodes
        self.runs = dict.fromkeys(ORDER, sys.executable)
        self.done: list[str] = []
        self.broken: set[str] = set()
        self.refusing: set[str] = set()
        self.plan = self
        self.file = folder / "denbun.toml"

    def open_lines(self) -> int:
        return 4

    def wait_open(self, count: int) -> None:
        assert count == 4
        assert None not in self.runs.values()

    def end(self, name: str) -> None:
        assert all(runs for other, runs in self.runs.items() if other != name), "two are down at once"
        self.runs[name] = ""

    def begin(self, name: str, python: str) -> None:
        assert self.runs[name] == ""
        if name in self.broken and python != sys.executable:
            raise ProcessError(f"{name} ended with status 1")
        self.runs[name] = python
        self.done.append(name)

    def check_command(self, name: str, python: str) -> list[str]:
        return [python, "-c", "import sys; sys.exit('no such option')" if name in self.refusing else ""]


@pytest.fixture
def stage(tmp_path: Path) -> StageOnPaper:
    return StageOnPaper(tmp_path)


@pytest.fixture
def other(tmp_path: Path) -> str:
    """Another interpreter with denbun in its environment, as far as a roll looks; it creates no topics."""
    path = tmp_path / "python"
    script = f'#!/bin/sh\nif [ "$2" = -m ]; then exit 0; fi\nexec "{sys.executable}" "$@"\n'
    path.write_text(script)
    path.chmod(0o755)
    return str(path)


def rolling(stage: StageOnPaper) -> tuple[Roll, list[str]]:
    said: list[str] = []
    return Roll(stage, said.append), said  # type: ignore[arg-type]


def test_node_by_node_everything_is_replaced_and_the_way_back_is_the_opposite(stage: StageOnPaper, other: str) -> None:
    roll, said = rolling(stage)
    roll.forward(other)
    assert stage.done == ORDER
    assert set(stage.runs.values()) == {other}
    assert said[0] == "to version 0.1.0: 8 processes, one after the other"
    assert [re.sub(r"\d+\.\d s", "N s", line) for line in said[1:3]] == [
        "router-0: ended in N s, at work again after N s", "faults-0: ended in N s, at work again after N s",
    ]  # fmt: skip
    stage.done.clear()
    roll.back()
    assert stage.done == ORDER[::-1]
    assert set(stage.runs.values()) == {sys.executable}
    with pytest.raises(RollError, match="there is no way back"):
        roll.back()


def test_what_does_not_come_up_is_put_back_and_the_rest_can_be_rolled_back(stage: StageOnPaper, other: str) -> None:
    roll, said = rolling(stage)
    stage.broken = {"egress-0"}
    with pytest.raises(
        RollError, match=r"^egress-0 does not come up, and runs as before; .* ended with status 1\nCorrect"
    ):
        roll.forward(other)
    assert said[-1] == "egress-0 does not come up; what ran before is put back"
    replaced = {name for name, python in stage.runs.items() if python == other}
    assert replaced == {"router-0", "faults-0"}
    assert stage.runs["egress-0"] == sys.executable
    stage.done.clear()
    roll.back()
    assert stage.done == ["faults-0", "router-0"]
    assert set(stage.runs.values()) == {sys.executable}


def test_where_a_service_would_not_take_its_configuration_nothing_is_replaced(stage: StageOnPaper, other: str) -> None:
    roll, _ = rolling(stage)
    stage.refusing = {"faults-1"}
    with pytest.raises(
        RollError, match=r"^faults-1 of version 0\.1\.0 would not start \(no such option\); nothing was re"
    ):
        roll.forward(other)
    assert stage.done == []


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_what_is_no_interpreter_with_denbun_is_refused(stage: StageOnPaper, python: str) -> None:
    roll, _ = rolling(stage)
    with pytest.raises(RollError, match=rf"^{python} is no interpreter in whose environment denbun is installed \("):
        roll.forward(python)
    assert stage.done == []


def test_one_node_alone_is_not_rolled(tmp_path: Path, other: str) -> None:
    roll, _ = rolling(StageOnPaper(tmp_path, nodes=1))
    with pytest.raises(RollError, match="--nodes 2 or more"):
        roll.forward(other)


def test_a_stack_that_ends_lets_what_is_not_replaced_yet_be(stage: StageOnPaper, other: str) -> None:
    roll = Roll(stage, lambda _: None, lambda: len(stage.done) == 2)  # type: ignore[arg-type]
    with pytest.raises(RollError, match="egress-0 and what comes after it were not replaced"):
        roll.forward(other)
    assert stage.done == ORDER[:2]


# --- who takes the order


def test_an_order_is_heard_out_and_its_status_given(tmp_path: Path) -> None:
    desk = StageDesk(tmp_path)
    try:
        assert (tmp_path / "control.sock").stat().st_mode & 0o777 == 0o600

        def carry_out() -> None:
            order = desk.orders.get(timeout=10)
            order.say(f"asked for {order.asked['roll']}")
            order.say("終わり")
            order.end(3)

        threading.Thread(target=carry_out, daemon=True).start()
        heard: list[str] = []
        assert give(tmp_path, {"roll": "this"}, heard.append) == 3
        assert heard == ["asked for this", "終わり"]
    finally:
        desk.close()
    with pytest.raises(DeskError, match=rf"^no `denbun up` runs in {tmp_path} \(No such file or directory\): start it"):
        give(tmp_path, {}, print)


def test_who_orders_while_the_stack_ends_is_told(tmp_path: Path) -> None:
    desk = StageDesk(tmp_path)
    heard: list[str] = []
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.append(give(tmp_path, {"roll": {}}, heard.append)), daemon=True)
    asking.start()
    waiting = desk.orders.get(timeout=10)
    desk.orders.put(waiting)
    desk.close()
    asking.join(10)
    assert (heard, statuses) == (["denbun up ends: nothing was done"], [1])
