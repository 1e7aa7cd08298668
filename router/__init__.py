"""router: owns the state of every transaction, decides its way and its deadlines.

In:    requests, reports, deliveries, settlements (its share of the partitions); lines (all of it)
Out:   transactions (its state, before anything else), dispatch.<line>, replies, timeouts, undelivered
Owns:  the transactions of its partitions: single writer. Deadlines and waiting requests it writes to its own inputs
If it is killed here: what it had read and not yet done with is read again by the partitions' next owner, which has the
state from `transactions`. An intent that was stored but not dispatched is dispatched then, or refused by its deadline;
what was dispatched twice is sent once, by the line's owner. Deadlines stand in the state and pass on the next owner.
"""
