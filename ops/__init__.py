"""ops: the command `denbun`: broker for development, processes, demonstration, payments from the shell.

    denbun run SERVICE …   one service: ingress, router, egress, faults, simulator
    denbun up              the whole gateway on this machine, with an embedded Kafka and simulated centres
    denbun demo            every course of a payment, shown beside what is expected, and the money report
    denbun pay             one payment, and the story of its telegrams
    denbun faults …        cancels: the attention list, the history of one, a re-command, a case that is closed
    denbun topics create   the topics of an installation

Stands above the services and starts them as processes; none of them knows it.
"""
