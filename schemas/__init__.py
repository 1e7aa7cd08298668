"""WHAT the services agree on: topics, records, refusals, sealing, and the telegrams of the partners.

Imports nothing else of ours. `records` are the facts that travel over the topics, `topics` says where each travels,
`avro` how it is written, `refusals` why a request may be turned away, `sealing` how card data is closed before it
reaches a topic, `telegrams` what goes over a partner's line.
"""
