"""simulator: the centre of a card network, as far as the gateway can see it from its end of the line.

It answers, stays silent, answers late or twice, turns round, refuses, breaks the line, closes, is overloaded, as its
scenario tells it (`simulator/scenario.py`); it keeps a ledger of what it has booked and cancelled, and writes down
every violation of the line's rules that it can prove. Shares the telegram layouts with the gateway and nothing else, so
that a wrong idea of the rules is not on both sides. Who uses it without the gateway reads docs/simulator.md.
"""
