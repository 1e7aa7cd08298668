"""HOW a service runs: the log and its two implementations, the loop over owned partitions, and everything around it.

Imports nothing else of ours and knows no payments: it moves bytes. `log` is the contract, `kafka` and `memory` keep it,
`owned` is the loop of a service that owns the state of its partitions, `bridge` joins the log to an event loop,
`config`, `telemetry`, `logs` and `service` are what every process has in common.
"""
