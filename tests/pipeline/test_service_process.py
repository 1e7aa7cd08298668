"""A service as a process: its exit status, its last words, and its end on a signal."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GO = 30
KINDS = ["threaded", "async"]

_THREADED = """
import sys
from pipeline import logs
from pipeline.service import run_threaded
logs.configure("demo", "node-a")

def work(stop):
    {body}

sys.exit(run_threaded("demo", work))
"""

_ASYNC = """
import asyncio
import sys
from pipeline import logs
from pipeline.service import run_async
logs.configure("demo", "node-a")

async def work(stop):
    {body}

sys.exit(run_async("demo", work))
"""

THREADED_WAIT = 'print("started", flush=True); assert stop.wait(60); print("drained", flush=True)'
ASYNC_WAIT = 'print("started", flush=True); await stop.wait(); print("drained", flush=True)'


def start(program: str, body: str) -> "subprocess.Popen[str]":
    source = textwrap.dedent(program).format(body=body)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", source],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lines_of(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(("program", "body"), [(_THREADED, "pass"), (_ASYNC, "pass")], ids=KINDS)
def test_work_that_returns_ends_with_status_0(program: str, body: str) -> None:
    with start(program, body) as process:
        out, err = process.communicate(timeout=GO)
    assert (process.returncode, err) == (0, "")
    assert [line["event"] for line in lines_of(out)] == ["stopped"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(("program", "body"), [(_THREADED, THREADED_WAIT), (_ASYNC, ASYNC_WAIT)], ids=KINDS)
def test_a_signal_stops_it_in_order(program: str, body: str, number: signal.Signals) -> None:
    with start(program, body) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=GO)
    assert (process.returncode, err) == (0, "")
    events = lines_of(out)
    assert [line["event"] for line in events] == ["stopping", "stopped"]
    assert events[0]["signal"] == number.name
    assert "drained" in out


def test_a_second_signal_shortens_the_wait_for_others_and_leaves_the_rest_of_the_end() -> None:
    body = """
    from pipeline.service import stop_of
    class Server:
        def __init__(self):
            self.patient = asyncio.Event()
        async def stop(self):
            print("draining", flush=True)
            await self.patient.wait()
            print("closed", flush=True)
        def hurry(self):
            self.patient.set()
    print("started", flush=True)
    await stop.wait()
    await stop_of(stop, Server())
"""
    with start(_ASYNC, textwrap.dedent(body).replace("\n", "\n    ")) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGTERM)
        while process.stdout.readline() != "draining\n":
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=GO)
    assert (process.returncode, err) == (0, "")
    assert "closed" in out
    assert [(line["event"], line.get("again")) for line in lines_of(out)] == [("stopping", True), ("stopped", None)]


@pytest.mark.parametrize("program", [_THREADED, _ASYNC], ids=KINDS)
def test_work_that_fails_ends_with_status_1_and_says_why(program: str) -> None:
    with start(program, 'raise RuntimeError("record requests/0@7 is damaged: call support")') as process:
        out, err = process.communicate(timeout=GO)
    assert process.returncode == 1
    assert err == "demo: record requests/0@7 is damaged: call support\n"
    (line,) = lines_of(out)
    assert (line["event"], line["level"], line["kind"]) == ("halted", "error", "RuntimeError")
    assert line["reason"] == "record requests/0@7 is damaged: call support"
    assert "RuntimeError" in str(line["exception"])


@pytest.mark.parametrize("program", [_THREADED, _ASYNC], ids=KINDS)
def test_what_the_system_refuses_is_said_without_a_traceback(program: str) -> None:
    with start(program, 'raise OSError(98, "Address already in use")') as process:
        out, err = process.communicate(timeout=GO)
    assert (process.returncode, err) == (1, "demo: Address already in use\n")
    (line,) = lines_of(out)
    assert (line["event"], line["reason"], "exception" in line) == ("halted", "Address already in use", False)


@pytest.mark.parametrize("program", [_THREADED, _ASYNC], ids=KINDS)
def test_the_last_words_hold_no_card_number(program: str) -> None:
    with start(program, 'raise RuntimeError("cannot use " + "4111" * 1 + "1" * 12)') as process:
        out, err = process.communicate(timeout=GO)
    assert err == "demo: cannot use ********\n"
    assert "4111111111111111" not in out


def test_a_task_that_is_left_over_is_ended_with_the_loop() -> None:
    body = 'global left; left = asyncio.create_task(asyncio.sleep(60)); print("started", flush=True)'
    with start(_ASYNC, body) as process:
        _, err = process.communicate(timeout=GO)
    assert (process.returncode, err) == (0, "")


# --- what callbacks raise


@pytest.mark.parametrize(
    "mistake",
    [
        'loop.call_soon(lambda: {}["missing"])',
        'loop.call_later(0.001, lambda: {}["missing"])',
        'loop.call_soon_threadsafe(lambda: {}["missing"])',
        "loop.create_task(wrong())",
    ],
    ids=["a callback", "a timer", "from a thread", "a task that nobody awaits"],
)
def test_what_a_callback_raises_ends_the_work_in_order_and_the_process_in_status_1(mistake: str) -> None:
    body = f"""
    import gc
    loop = asyncio.get_running_loop()
    async def wrong():
        return {{}}["missing"]
    {mistake}
    while not stop.is_set():
        await asyncio.sleep(0.001)
        gc.collect()
    print("drained", flush=True)
"""
    with start(_ASYNC, textwrap.dedent(body).replace("\n", "\n    ")) as process:
        out, err = process.communicate(timeout=GO)
    assert process.returncode == 1, out + err
    assert err.splitlines()[-1] == "demo: 'missing'"
    assert "drained" in out
    assert [line["event"] for line in lines_of(out)] == ["a callback failed", "halted"]


def test_work_that_does_not_end_after_a_mistake_is_given_up() -> None:
    body = """
    from pipeline import service
    service._END_S = 0.05
    asyncio.get_running_loop().call_soon(lambda: {}["missing"])
    await asyncio.Event().wait()
"""
    with start(_ASYNC, textwrap.dedent(body).replace("\n", "\n    ")) as process:
        out, err = process.communicate(timeout=GO)
    assert (process.returncode, err) == (1, "demo: 'missing'\n"), out


def test_a_socket_that_is_gone_ends_nothing() -> None:
    body = """
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({
        "message": "Fatal error on transport", "exception": ConnectionResetError(104, "reset"), "transport": None})
    loop.call_exception_handler({"message": "an unclosed transport"})
"""
    with start(_ASYNC, textwrap.dedent(body).replace("\n", "\n    ")) as process:
        out, _ = process.communicate(timeout=GO)
    assert process.returncode == 0, out
    assert lines_of(out)[-1]["event"] == "stopped"


def test_the_loops_heartbeat_is_seen_from_another_thread() -> None:
    program = """
import asyncio
import sys
import threading
import time
from pipeline import logs
from pipeline.pulse import Pulse
from pipeline.service import run_async
logs.configure("demo", "node-a")
pulse = Pulse("the loop", 1.0)
hung, seen = threading.Event(), threading.Event()

def look():
    assert hung.wait(20)
    assert pulse.stalled() is None
    while pulse.stalled() is None:
        time.sleep(0.01)
    print(pulse.stalled(), flush=True)
    seen.set()

async def work(stop):
    threading.Thread(target=look).start()
    await asyncio.sleep(0)
    hung.set()
    assert seen.wait(20)

sys.exit(run_async("demo", work, pulse))
"""
    with start(program.replace("{", "{{").replace("}", "}}"), "") as process:
        out, err = process.communicate(timeout=GO)
    assert (process.returncode, err) == (0, ""), out
    assert "the loop has not turned for 1 s" in out
