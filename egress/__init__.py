"""egress: owns the lines 回線 to the partners; puts every telegram on its line once, and says what came of it.

In:    dispatch.<line>, line-orders; telegrams from the partner; sent.<line>, holds and trace-numbers (what the line's
       last owner left)
Out:   sent.<line>, reports, cancel-reports, lines, holds, trace-numbers, strays, line-answers; telegrams to the partner
Owns:  its lines: their sockets, trace numbers 処理通番, routes 経路, report timers
If it is killed here: each line gets a new owner, which reads what is on the line in `sent`. What has a sent record and
no outcome is in doubt, and never sent again; what has none was never on the line and goes out if its deadline allows.
"""
