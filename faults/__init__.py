"""faults: owns the life of every cancel (障害取消), from doubt to its end.

In:    timeouts, undelivered, cancel-reports, operator-commands (its share of the partitions)
Out:   cancels (its state, before anything else), dispatch.<line>, settlements, attention, operator-answers
Owns:  the cancels of its partitions: single writer
If it is killed here: what it had read and not yet done with is read again by the partitions' next owner, which has the
state from `cancels` and gives the same order once more; the line's owner knows a copy by its attempt. Deadlines stand
in the state and pass on the next owner. No cancel is given up: its ends are 8950 or 8960, nothing sent, or a person;
and what a person has is not forgotten before he has closed it.
"""
