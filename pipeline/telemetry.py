"""What every service shows of itself over HTTP: ``/metrics`` (Prometheus), ``/livez`` and ``/readyz``.

Served by a thread of its own, so that a busy service still answers. ``/livez`` says whether the process should be
killed and started anew; ``/readyz`` says whether it does its work now, and if not, why.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

Check = Callable[[], str | None]


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


class TelemetryServer:
    """Serves metrics and health on `host`:`port` (0: a free one, then in `.port`) until `close`."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        class Handler(BaseHTTPRequestHandler):
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
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise OSError(
                error.errno, f"metrics address {host}:{port}: {error.strerror}: choose another metrics_port"
            ) from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="telemetry", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
