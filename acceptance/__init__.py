"""The acceptance of the gateway 受入試験, step by step of the roadmap (R26): cases as data, their judge, the evidence.

`catalogue/*.toml` hold the cases of every partner; `catalogue` reads them for one partner and one environment;
`judging` compares what was observed with what was expected; `workbook` and `pages` write the evidence. What plays the
cases (on a stage with simulated centres, or on an installation that is up) stands in `ops`.
"""
