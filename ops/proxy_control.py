"""Commands to a running `ops.line_proxy`, from another process: one JSON object a line over TCP."""

import json
import socket
from types import TracebackType
from typing import Any, Self

from ops.line_faults import LineFault


class ProxyError(Exception):
    """The proxy did not take a command. The message says why."""


class ProxyControl:
    """One connection to a proxy's control port. Every method raises `OSError` where it does not answer."""

    def __init__(self, host: str, port: int, timeout_s: float = 10.0) -> None:
        self._socket = socket.create_connection((host, port), timeout_s)
        self._file = self._socket.makefile("rb")

    def do(self, line: str, fault: LineFault, *, count: int = 0, ms: int = 0) -> None:
        """Do this to a line. Raises `ProxyError`."""
        self._ask(do=str(fault), line=line, count=count, ms=ms)

    def heal(self, line: str | None = None) -> None:
        """Be a good network again, for one line or for all; what was held back comes, what was swallowed is cut."""
        self._ask(do="heal", line=line)

    def counts(self) -> dict[str, int]:
        """How often something has been done, by fault: connections cut, telegrams doubled and so on."""
        counts: dict[str, int] = self._ask(do="counts")
        return counts

    def count(self, fault: LineFault | None = None) -> int:
        """The same, of all faults or of one."""
        counts = self.counts()
        return sum(counts.values()) if fault is None else counts.get(fault, 0)

    def links(self, line: str) -> int:
        """How many connections of the line go through the proxy now."""
        return int(self._ask(do="links", line=line))

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

    def _ask(self, **command: Any) -> Any:
        self._socket.sendall(json.dumps(command).encode() + b"\n")
        line = self._file.readline()
        if not line:
            raise ConnectionError("the line proxy has gone")
        answer = json.loads(line)
        if "error" in answer:
            raise ProxyError(answer["error"])
        return answer["ok"]
