"""How long the telegram codec takes: ``python -m bench.codec``. Prints microseconds a telegram, best of five rounds."""

import time
from collections.abc import Callable

from schemas.telegrams import Role, load_partner, packaged

ROUNDS = 5
TIMES = 20_000
ROLES = (Role.SALE_REQUEST, Role.SALE_REPORT, Role.FAULT_CONFIRM, Role.FAULT_CONFIRM_REPORT)


def best_us(work: Callable[[], object]) -> float:
    """Microseconds one call takes in the best round."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(TIMES):
            work()
        rounds.append((time.perf_counter() - begun) / TIMES * 1e6)
    return min(rounds)


def main() -> None:
    """Measure and print."""
    headings = f"{'fields':>7}{'bytes':>7}{'encode µs':>11}{'decode µs':>11}{'match key µs':>14}"
    print(f"{'partner':10}{'telegram':24}{headings}")
    for name in packaged():
        begun = time.perf_counter()
        partner = load_partner(name)
        loaded_ms = (time.perf_counter() - begun) * 1e3
        for role in ROLES:
            values = partner.telegrams[role].sample()
            if role is Role.SALE_REQUEST:  # a card is rarely given with track 2, security code and instalments at once
                for absent in ("track2", "installments", "tax_other"):
                    del values[absent]
            data = partner.encode(role, values)
            encode = best_us(lambda p=partner, r=role, v=values: p.encode(r, v))  # type: ignore[misc]
            decode = best_us(lambda p=partner, d=data: p.decode(d))  # type: ignore[misc]
            match = best_us(lambda p=partner, r=role, v=values: p.match_key(r, v))  # type: ignore[misc]
            row = f"{len(values):>7}{len(data):>7}{encode:>11.1f}{decode:>11.1f}{match:>14.2f}"
            print(f"{name:10}{role.value:24}{row}")
        print(f"{name:10}loading and compiling {len(Role)} layouts: {loaded_ms:.0f} ms")


if __name__ == "__main__":
    main()
