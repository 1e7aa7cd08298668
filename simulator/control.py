"""Commands to a running centre, from another process: line-wise JSON over TCP.

control = Control("127.0.0.1", 7310)
control.behave(role="sale_request", amount=4000, do="silent")
control.ledger()
"""

import socket
from types import TracebackType
from typing import Any, Self

import msgspec


class ControlError(Exception):
    """The centre did not take a command, or cannot be reached."""


class Control:
    """One connection to a centre's control port. Every method raises `ControlError`."""

    def __init__(self, host: str, port: int, timeout_s: float = 10.0) -> None:
        try:
            self._socket = socket.create_connection((host, port), timeout_s)
        except OSError as error:
            raise ControlError(f"no centre takes commands at {host}:{port}: {error.strerror or error}") from error
        self._file = self._socket.makefile("rb")

    def ping(self) -> dict[str, Any]:
        """The partner's name, the ports it listens on, the stations that are open."""
        answer: dict[str, Any] = self._ask("ping")
        return answer

    def ledger(self) -> list[dict[str, Any]]:
        """All entries: fields of `simulator.ledger.Entry`, with `stands` and `balance`."""
        answer: list[dict[str, Any]] = self._ask("ledger")
        return answer

    def balance(self) -> int:
        """The merchants' claim in the centre's books, in yen."""
        return int(self._ask("balance"))

    def violations(self) -> list[dict[str, Any]]:
        """The broken rules: broken, station, text."""
        answer: list[dict[str, Any]] = self._ask("violations")
        return answer

    def counters(self) -> dict[str, int]:
        """Telegrams that passed, by role."""
        answer: dict[str, int] = self._ask("counters")
        return answer

    def story(self, since: int = 0) -> list[dict[str, Any]]:
        """The telegrams that passed, in order: fields of `simulator.centre.Told`."""
        answer: list[dict[str, Any]] = self._ask("story", since=since)
        return answer

    def behave(self, **rule: Any) -> None:
        """Put a rule before all others; its form is told in `simulator.rules`."""
        self._ask("behave", rule=rule)

    def clear(self) -> None:
        """Have no rules any more."""
        self._ask("clear")

    def drop_lines(self) -> None:
        """Break every connection."""
        self._ask("drop_lines")

    def refuse_opening(self, refuse: bool) -> None:
        """Refuse every opening from now on, or no more."""
        self._ask("refuse_opening", refuse=refuse)

    def stop_listening(self) -> None:
        """Take no new connections; those there are go on."""
        self._ask("stop_listening")

    def listen_again(self) -> None:
        """Take new connections, on the same ports."""
        self._ask("listen_again")

    def keepalive(self) -> int:
        """Send a keep-alive on every open line; gives their number."""
        return int(self._ask("keepalive"))

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, what: str, **more: Any) -> Any:
        try:
            self._socket.sendall(msgspec.json.encode({"do": what, **more}) + b"\n")
            line = self._file.readline()
        except OSError as error:
            raise ControlError(f"{what}: the centre does not answer: {error}") from error
        if not line:
            raise ControlError(f"{what}: the centre has gone")
        answer = msgspec.json.decode(line, type=dict[str, Any])
        if "error" in answer:
            raise ControlError(f"{what}: {answer['error']}")
        return answer["ok"]
