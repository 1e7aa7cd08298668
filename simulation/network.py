"""The network: connections between processes of the world, and what can befall them.

A connection keeps its bytes in order and delivers them after a while, in other pieces than they were sent in. It may be
reset, go dead in one direction or both without a word, or stand still for a while and then deliver everything.
"""

import asyncio
import errno
from collections.abc import Callable
from functools import partial
from typing import Any

from simulation.world import MS, Process, World

Address = tuple[Any, Any]
CALLER = "192.0.2.1"  # the address of whoever calls; only who is called has a name here
_LATENCY_US = (200, 3 * MS)
_GIVES_UP_US = 6_000 * MS  # then the system of a machine tells that the other end does not answer


class End:
    """One end of a connection: the transport of its process's protocol."""

    def __init__(self, wire: "Wire", process: Process, loop: Any) -> None:
        self.wire = wire
        self.process = process
        self.peer: End
        self.protocol: Any = None
        self.dead_way = False  # nothing more arrives at the other end
        self._loop = loop
        self._closing = False
        self._lost = False
        self._eof_sent = False
        self._paused = False
        self._kept: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._arrives_us = 0  # nothing sent later arrives earlier

    # --- asyncio.Transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (CALLER, self.wire.address[1]) if name == "peername" else default

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        self.process.point("write to a connection")
        if self._closing or self._eof_sent:
            return
        world = self.process.world
        if len(data) > 1 and world.happens(0.05):
            cut = world.chance.randrange(1, len(data))
            self._send(self.peer.arrived, bytes(data[:cut]))
            self._send(self.peer.arrived, bytes(data[cut:]))
        else:
            self._send(self.peer.arrived, bytes(data))

    def write_eof(self) -> None:
        if not self._closing and not self._eof_sent:
            self._eof_sent = True
            self._send(self.peer.ended)

    def close(self) -> None:
        if self._closing:
            return
        self.write_eof()
        self._closing = True
        self._loop.call_soon(self.lose, None)

    def abort(self) -> None:
        if self._lost:
            return
        self._closing = True
        self._send(self.peer.reset)
        self._loop.call_soon(self.lose, None)

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        kept, self._kept = self._kept, []
        for act, arguments in kept:
            act(*arguments)

    # --- from the other end

    def _send(self, act: Callable[..., None], *arguments: Any) -> None:
        world = self.process.world
        self._arrives_us = max(self._arrives_us, self.wire.moves_us, world.now_us + world.between(*_LATENCY_US))
        world.at(self._arrives_us, None, self.peer.come, self, act, arguments)

    def come(self, sender: "End", act: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        """Something has come over the network."""
        if sender.dead_way:
            return
        if self.process.dead:
            if act != self.reset:
                sender.died()
            return
        self.process.world.after(0, self.process, act, *arguments)

    def died(self) -> None:
        """The process at the other end is no more, and its machine says so."""
        if not self.process.dead and not self.peer.dead_way:
            self.process.world.after(0, self.process, self.reset)

    def arrived(self, data: bytes) -> None:
        """Bytes for the protocol."""
        if self._closing:
            return
        if self._paused:
            self._kept.append((self.arrived, (data,)))
            return
        self._loop.call_soon(self._received, data)

    def _received(self, data: bytes) -> None:
        if not self._lost and not self._closing:
            self.protocol.data_received(data)

    def ended(self) -> None:
        """The other end sends no more."""
        if self._paused:
            self._kept.append((self.ended, ()))
        else:
            self._loop.call_soon(self._eof)

    def _eof(self) -> None:
        if not self._lost and not self.protocol.eof_received():
            self.close()

    def reset(self) -> None:
        """The connection has broken."""
        self._loop.call_soon(self.lose, ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))

    def lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = self._closing = True
            self.wire.gone()
            self.protocol.connection_lost(error)

    def come_in(self, listener: "Listener") -> None:
        """Be the end of whoever listens, if it still does."""
        if listener.closed:
            self._lost = self._closing = True
            self._send(self.peer.reset)
            self.wire.gone()
        else:
            self._loop.call_soon(self.begin, listener.factory())

    def begin(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.connection_made(self)

    def bury(self, *, silently: bool) -> None:
        """Its process is dead; `silently`: with its machine."""
        if self._lost:
            return
        self._lost = self._closing = True
        if silently:
            self.dead_way = True
            self.process.world.after(_GIVES_UP_US, None, self.wire.reset)
        elif not self._eof_sent:
            self._send(self.peer.reset if self.process.world.happens(0.5) else self.peer.ended)
        self.wire.gone()


class Wire:
    """A connection: two ends."""

    def __init__(self, network: "Network", address: Address, caller: Process, called: Process) -> None:
        self.address = address
        self.moves_us = 0  # nothing arrives before
        self.name = f"{caller.name}─{called.name}"
        self._network = network
        self._open = 2
        self.ends: tuple[End, End]

    def gone(self) -> None:
        """One of its ends has nothing more to do with it."""
        self._open -= 1
        if self._open == 0:
            self._network.wires.pop(self, None)

    def reset(self) -> None:
        """Both ends notice that it has broken; what was under way is lost."""
        for end in self.ends:
            end.dead_way = True
            if not end.process.dead:
                end.process.world.after(0, end.process, end.reset)

    def fall_silent(self, *, both: bool) -> None:
        """Nothing arrives any more, and nobody is told."""
        for end in self.ends if both else self.ends[:1]:
            end.dead_way = True
        self._network.world.after(_GIVES_UP_US, None, self.reset)

    def stand_still(self, until_us: int) -> None:
        """What is sent from now on arrives later."""
        self.moves_us = max(self.moves_us, until_us)


class _Socket:
    def __init__(self, address: Address) -> None:
        self._address = address

    def getsockname(self) -> Address:
        return self._address


class Listener:
    """An address where a process takes connections: the server of its loop."""

    def __init__(
        self, network: "Network", process: Process, loop: Any, factory: Callable[[], Any], address: Address
    ) -> None:
        self.process = process
        self.loop = loop
        self.factory = factory
        self.closed = False
        self.sockets = [_Socket(address)]
        self._network = network
        self._address = address

    def close(self) -> None:
        self.closed = True
        if self._network.listeners.get(self._address) is self:
            del self._network.listeners[self._address]


class Network:
    """Everything between the machines."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.listeners: dict[Address, Listener] = {}
        self.wires: dict[Wire, None] = {}
        self.unplugged: set[str] = set()  # machines that nobody reaches
        self._port = 40_000

    def listen(self, process: Process, loop: Any, factory: Callable[[], Any], address: Address) -> Listener:
        """Take connections at an address. Raises `OSError` where another does."""
        host, port = address
        if port == 0:
            self._port += 1
            port = self._port
        if (host, port) in self.listeners:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        listener = self.listeners[host, port] = Listener(self, process, loop, factory, (host, port))
        process.at_end.append(listener.close)
        return listener

    def _bury(self, end: End) -> None:
        end.bury(silently=end.process.node.name in self.unplugged)

    async def connect(self, process: Process, loop: Any, factory: Callable[[], Any], address: Address) -> Any:
        """Call an address. Raises `OSError`."""
        await asyncio.sleep(self.world.between(*_LATENCY_US) / 1_000_000)
        if address[0] in self.unplugged or process.node.name in self.unplugged:
            await asyncio.sleep(_GIVES_UP_US / 1_000_000)  # nobody answers
            raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")
        listener = self.listeners.get(address)
        if listener is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        wire = Wire(self, address, process, listener.process)
        near, far = End(wire, process, loop), End(wire, listener.process, listener.loop)
        near.peer, far.peer = far, near
        wire.ends = (near, far)
        self.wires[wire] = None
        for end in (near, far):
            end.process.at_end.append(partial(self._bury, end))
        self.world.after(0, far.process, far.come_in, listener)
        near.begin(factory())
        return near, near.protocol
