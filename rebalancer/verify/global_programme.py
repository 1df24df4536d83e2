"""The global account programme, recounted: who works with which GAM, and what the programme lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rebalancer.verify.facts import Facts


def pairs(facts: Facts, seats: Mapping[str, tuple[str, str]]) -> int | None:
    """How many pairs of a GAM and another book with accounts of that GAM's families there are in those seats.

    None where no planned account has a GAM, or the model does not count them.
    """
    led = {name: facts.gams[name] for name in seats if name in facts.gams}
    if facts.model.programme.overlap == "off" or not led:
        return None
    found = {(gam, facts.book_of(seats[name][0])) for name, gam in led.items()}
    return sum(facts.book_of(gam) != book_id for gam, book_id in found)


def unsaid(facts: Facts, warnings: Sequence[str]) -> Iterator[str]:
    """What the warnings of a plan ought to say of GAMs and do not."""
    led, alone = _families(facts)
    most = facts.model.programme.families_per_gam
    if alone and not any(sentence.startswith(f"{len(alone):,} global famil") for sentence in warnings):
        yield f"{len(alone):,} global families have no GAM, and no warning says so"
    for gam, roots in sorted(led.items()):
        said = [sentence for sentence in warnings if sentence.startswith(f"GAM {gam} ")]
        if most is not None and len(roots) > most and not any(f" leads {len(roots):,} " in text for text in said):
            yield f"GAM {gam} leads {len(roots):,} global families, more than {most:,}, and no warning says so"
        left = facts.ams[gam].departed if gam in facts.ams else False
        if left and not any(" has left" in text for text in said):
            yield f"GAM {gam} has left, and no warning says so"


def _families(facts: Facts) -> tuple[dict[str, set[str]], set[str]]:
    """The families of each GAM, and the global families that have none."""
    led: dict[str, set[str]] = {}
    for account_id, gam in facts.gams.items():
        led.setdefault(gam, set()).add(facts.roots[account_id])
    known = {root for roots in led.values() for root in roots}
    everyone = {**facts.accounts, **facts.excluded}
    marked = {facts.roots[name] for name, account in everyone.items() if account.is_global}
    return led, marked - known
