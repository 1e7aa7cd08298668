"""ingress: owns the sessions of client servers; lets nothing in that is not sound, and no card number in clear.

In:    client frames over TCP/TLS (docs/client-protocol.md); replies (the partition of its slot, from now on)
Out:   requests, deliveries; frames to the clients
Owns:  its sessions, and the word whether a client confirmed a reply in time
If it is killed here: every session breaks. A request that was stored goes on; the client reconnects, to any ingress,
and inquires: the router addresses what is still owed to the new session. A reply that nobody comes for is lost by the
router's deadline, and cancelled. A confirmation that was not stored was never told as settled: no client relies on it.
"""
