"""A way that a process can be cut off by: ``python -m ops.forwarder --listen HOST:PORT --to HOST:PORT``.

Whoever connects there is connected to the other address, and bytes go both ways as they come. Frozen (SIGSTOP) it is a
network that loses everything and says nothing: connections stand, and nothing passes.
"""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Sequence

from ops.ports import Address, read_address

_CHUNK = 65_536


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _serve(listen: Address, to: Address) -> None:
    async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            other_reader, other_writer = await asyncio.open_connection(*to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pass(reader, other_writer), _pass(other_reader, writer))

    server = await asyncio.start_server(called, *listen)
    async with server:
        await server.serve_forever()


def _address(text: str) -> Address:
    try:
        return read_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main(argv: Sequence[str]) -> None:
    """Forward until it is ended."""
    parser = argparse.ArgumentParser(prog="forwarder")
    parser.add_argument("--listen", type=_address, required=True)
    parser.add_argument("--to", type=_address, required=True)
    arguments = parser.parse_args(argv)
    asyncio.run(_serve(arguments.listen, arguments.to))


if __name__ == "__main__":
    main(sys.argv[1:])
