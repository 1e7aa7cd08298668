"""Who may ask a centre over HTTP. Pure: no web framework is needed for it.

A page that another site shows in the operator's browser must not command the centre: a request that changes something
carries the header `X-Denbun`, which no form and no foreign page can set without asking, and an `Origin`, where there is
one, that is the page's own. The `Host` is compared as well, so that a foreign name that points here is refused.
"""

import hmac
import ipaddress
from collections.abc import Mapping
from pathlib import Path

HEADER = "x-denbun"
_SHORTEST_TOKEN = 16  # characters


class AccessError(Exception):
    """The door cannot be opened so. The message says what is wrong, and the remedy."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(host: str, file: Path | None) -> str | None:
    """The token that requests must show; None: none, for this machine only. Raises `AccessError`."""
    if file is None:
        if is_loopback(host):
            return None
        raise AccessError(
            f"--http: {host} can be reached from other machines: give --token-file, or an address of this machine alone"
        )
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AccessError(f"--token-file: {file}: {getattr(error, 'strerror', None) or 'not text'}") from None
    if len(token) < _SHORTEST_TOKEN or not token.isascii():
        raise AccessError(f"--token-file: {file}: a token has at least {_SHORTEST_TOKEN} ASCII characters")
    return token


def refusal(headers: Mapping[str, str], *, changes: bool, token: str | None, port: int) -> tuple[int, str] | None:
    """Why a request with these headers (names in lower case) is refused: status and text; None: it is not."""
    host = headers.get("host", "")
    if token is None and not is_loopback(_name_in(host)):
        return 403, f"Host {host!r} is none of this machine: ask for 127.0.0.1:{port}"
    if token is not None and not hmac.compare_digest(headers.get("authorization", ""), f"Bearer {token}"):
        return 401, "show the token of --token-file: Authorization: Bearer …"
    if not changes:
        return None
    if HEADER not in headers:
        return 403, "a request that changes something carries the header X-Denbun: 1"
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        return 403, "this comes from a page of another origin"
    return None


def _name_in(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host
