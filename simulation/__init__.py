"""simulation: the whole gateway in one thread, under a clock and a chance of its own: a seed is a whole history.

The services, the client library and the centres are the real ones, from their shells down. What stands under them is
replaced: threads by greenlets, the event loop, sockets, the broker, the clock, chance. One scheduler decides what
happens next; it may end, freeze or cut off a process at any of its steps. After the faults everything must settle, and
the money report judges.
"""
