"""What every service shows of itself over HTTP: ``/metrics`` (Prometheus), ``/livez`` and ``/readyz``.

Served by a thread of its own, so that a busy service still answers. ``/livez`` says whether the process should be
killed and started anew; ``/readyz`` says whether it does its work now, and if not, why.
"""

import contextlib
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

Check = Callable[[], str | None]

_log = logging.getLogger(__name__)


class Health:
    """Named checks; each gives None when all is well, or a sentence about what is not."""

    def __init__(self) -> None:
        self._live: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}

    def live(self, name: str, check: Check) -> None:
        """Add a check whose failure means: start this process anew."""
        self._live[name] = check

    def ready(self, name: str, check: Check) -> None:
        """Add a check whose failure means: not doing its work now."""
        self._ready[name] = check

    def troubles(self, *, ready: bool) -> dict[str, str]:
        """The failing checks and what they say."""
        checks = {**self._live, **(self._ready if ready else {})}
        return {name: said for name, check in checks.items() if (said := _said(check)) is not None}


def _said(check: Check) -> str | None:
    try:
        return check()
    except Exception as error:  # noqa: BLE001  a probe without an answer would say less
        return f"the check itself failed: {type(error).__name__}"


_MOST = 32  # connections at once; beyond them the one that is here longest goes
_BACKLOG = 64
_STANDS_STILL_S = 5.0  # neither a request nor a reader of the answer may
_WHOLE_S = 10.0  # from the connection to the end of the answer


class _Server(ThreadingHTTPServer):
    """Of connections that never end a request, none keeps a probe out.

    Each has a thread; who is here longest is hung up on when there are too many, and everybody after a while.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = _BACKLOG

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._lock = threading.Lock()
        self._open: dict[Any, float] = {}  # since when, in this order
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open[request] = time.monotonic()
            oldest = next(iter(self._open)) if len(self._open) > _MOST else None
            if oldest is not None:
                self._hang_up(oldest)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Some times a second: hang up on who has been here too long."""
        with self._lock:
            for request, since in list(self._open.items()):
                if time.monotonic() - since < _WHOLE_S:
                    break
                self._hang_up(request)

    def _hang_up(self, request: Any) -> None:
        """Its thread waits for bytes: it finds the end of them, and closes."""
        self._open.pop(request, None)
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  the base class's
        """Who hangs up on us, or is hung up on, is nobody's business; anything else is."""
        error = sys.exception()
        if not isinstance(error, OSError):
            _log.error("a request for metrics or health failed", exc_info=error)


class TelemetryServer:
    """Serves metrics and health on `host`:`port` (0: a free one, then in `.port`) until `close`."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = _STANDS_STILL_S

            def do_GET(self) -> None:
                match self.path.split("?", 1)[0]:
                    case "/metrics":
                        self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                    case "/livez":
                        self._health(health.troubles(ready=False))
                    case "/readyz":
                        self._health(health.troubles(ready=True))
                    case _:
                        self._answer(404, "text/plain", b"only /metrics, /livez and /readyz are here\n")

            def _health(self, troubles: dict[str, str]) -> None:
                body = json.dumps({"ok": not troubles, "troubles": troubles}, ensure_ascii=False).encode() + b"\n"
                self._answer(503 if troubles else 200, "application/json", body)

            def _answer(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
                """Probes every few seconds say nothing new."""

        try:
            self._server = _Server((host, port), Handler)
        except OSError as error:
            raise OSError(
                error.errno, f"metrics address {host}:{port}: {error.strerror}: choose another metrics_port"
            ) from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="telemetry", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
