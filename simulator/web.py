"""A centre over HTTP: the page, and what programs ask and order. Needs the extra `documents`.

GET  /                                the page
GET  /api/state /api/scenarios /api/counters /api/violations /api/suspicions
GET  /api/ledger?last=50  /api/telegrams?last=50     the newest (card numbers masked, other card data hidden)
GET  /api/record                      what happened, as a scenario file
POST /api/scenario {"scenario": "month-end"}         or a whole one
POST /api/rule     {"rule": {"do": "silent", "role": "sale_request"}}
POST /api/clear    {}                 no rules any more
POST /api/event    {"event": {"do": "close"}}        see simulator/timeline.py

Answers are those of the control port: {"ok": …}, or {"error": …} with status 400. A POST needs the header X-Denbun.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from schemas.telegrams import PartnerSpec
from simulator.access import read_token, refusal
from simulator.deeds import FITTING, JAPANESE, REQUESTS, SILENT, Deed
from simulator.desk import Desk
from simulator.rule_files import codes_for, every_code
from simulator.server import Address

_QUESTIONS = ("state", "scenarios", "violations", "suspicions", "counters", "ledger", "telegrams", "record")
_ORDERS = {"scenario": "use", "rule": "behave", "clear": "clear", "event": "event"}
_MOST_ROWS = 1_000
_LARGEST = 1 << 20  # bytes of a body
_BODY_S = 2  # within which a body comes
_STOP_S = 3  # within which what is being answered is answered when the centre stops
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class _Server(uvicorn.Server):
    """One that leaves the process's signals alone: they end the centre, which ends this."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Page:
    """The HTTP door of a centre. Raises `AccessError`."""

    def __init__(self, address: Address, token_file: Path | None) -> None:
        self.port = 0
        self._address = address
        self._token = read_token(address[0], token_file)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        folder = Path(__file__).parent / "templates"
        templates = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True)
        self._page = templates.get_template("simulator.html")
        self._desk: Desk | None = None

    async def start(self, desk: Desk) -> None:
        """Serve until `stop`. Raises `OSError`."""
        self._desk = desk
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            door = socket.create_server((host.strip("[]"), port), family=family)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            text = f"--http {host}:{port}: {why}: choose another address"
            raise OSError(error.errno, text) from error
        self.port = int(door.getsockname()[1])
        config = uvicorn.Config(
            self.app(),
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_STOP_S,
            ws="none",
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[door]))

    async def stop(self) -> None:
        """Serve no more."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await self._serving

    @property
    def _at_desk(self) -> Desk:
        assert self._desk is not None, "it has not been started"
        return self._desk

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/", self._shown, methods=["GET"]),
                Route("/api/{name}", self._asked, methods=["GET"]),
                Route("/api/{name}", self._ordered, methods=["POST"]),
            ]
        )

    def _refused(self, request: Request, *, changes: bool) -> Response | None:
        found = refusal(request.headers, changes=changes, token=self._token, port=self.port)
        return None if found is None else _answer({"error": found[1]}, found[0])

    async def _shown(self, request: Request) -> Response:
        """The page itself knows nothing secret: what it shows it asks for, with the token."""
        if self._token is None and (refused := self._refused(request, changes=False)) is not None:
            return refused
        page = self._page.render(with_token=self._token is not None, **_choices(self._at_desk.partner))
        return HTMLResponse(page, headers=_HEADERS)

    async def _asked(self, request: Request) -> Response:
        if (refused := self._refused(request, changes=False)) is not None:
            return refused
        name = request.path_params["name"]
        if name not in _QUESTIONS:
            return _answer({"error": f"nothing is told at /api/{name}: one of {', '.join(_QUESTIONS)}"}, 404)
        command: dict[str, Any] = {"do": name}
        if name in ("ledger", "telegrams"):
            last = request.query_params.get("last", "50")
            if not (last.isascii() and last.isdecimal() and 0 < int(last) <= _MOST_ROWS):
                return _answer({"error": f"last: {last!r}: give a number from 1 to {_MOST_ROWS}"}, 400)
            command["last"] = int(last)
        return await self._told(command, plain=name == "record")

    async def _ordered(self, request: Request) -> Response:
        if (refused := self._refused(request, changes=True)) is not None:
            return refused
        name = request.path_params["name"]
        if name not in _ORDERS:
            return _answer({"error": f"nothing is ordered at /api/{name}: one of {', '.join(_ORDERS)}"}, 404)
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_S):
                async for part in request.stream():
                    body += part
                    if len(body) > _LARGEST:
                        return _answer({"error": f"the body is longer than {_LARGEST} bytes"}, 413)
        except (TimeoutError, ClientDisconnect):
            return _answer({"error": f"the body did not come within {_BODY_S} s"}, 408)
        try:
            given = msgspec.json.decode(bytes(body) or b"{}", type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _answer({"error": f"not a JSON object: {error}"}, 400)
        return await self._told({**given, "do": _ORDERS[name]})

    async def _told(self, command: dict[str, Any], *, plain: bool = False) -> Response:
        told = await self._at_desk.answer(msgspec.json.encode(command))
        if plain and "ok" in told:
            return PlainTextResponse(told["ok"], headers=_HEADERS)
        return _answer(told, 400 if "error" in told else 200)


def _choices(partner: PartnerSpec) -> dict[str, object]:
    """What the page's form offers: telegrams, deeds, which deed makes sense for which, and the codes it can give."""
    meanings = {code: each.japanese for code, each in partner.result_codes.items()}
    meanings |= {code: each.japanese for code, each in partner.error_codes.items()}
    telegrams = partner.telegrams
    return {
        "roles": {role.value: telegram.japanese for role, telegram in telegrams.items()},
        "types": {role.value: telegrams[role].type_code for role in REQUESTS if role in telegrams},
        "fields": {
            role.value: [name for name in ("amount", "pan", "terminal_id") if name in telegrams[role].names]
            for role in REQUESTS
            if role in telegrams
        },
        "deeds": {deed.value: word for deed, word in JAPANESE.items()},
        "fitting": {deed.value: [role.value for role in roles if role in telegrams] for deed, roles in FITTING.items()},
        "silent": sorted(SILENT),
        "codes": {
            deed.value: [[code, meanings[code]] for code in every_code(deed, partner)]
            for deed in Deed
            if codes_for(deed, partner)
        },
    }


def _answer(told: dict[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(told), status, _HEADERS, "application/json")
