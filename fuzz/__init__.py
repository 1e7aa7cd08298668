"""fuzz: any bytes at every place where bytes come in from outside, and what must hold whatever they are.

Each target is one function of `data: bytes` that raises for a finding and for nothing else (`fuzz.targets`). `make
test` runs all of them on the committed corpus and on mutations of it; ``python -m fuzz`` lets atheris look for more,
guided by the code it reaches. Not shipped.
"""
