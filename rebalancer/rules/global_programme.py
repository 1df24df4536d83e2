"""Global programme: whom a global account manager leads, and with how few AMs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rebalancer.rules.gating import NO_GATE, GateBlock
from rebalancer.rules.rule import Arcs, Rule
from rebalancer.snapshot import NONE, Snapshot

OVERLAP = "overlap"

NAMED = 5
"""Families that a warning names."""


class GlobalProgramme(Rule):
    """A GAM is changed last: an account that its own GAM owns stays there, and no plan changes `gam`. Among plans of
    equal disruption, the accounts of a GAM's families lie with few AMs:

    least sum over pairs of a GAM and another AM of y, where y >= x_a for every seat a that brings an account of one of
    the GAM's families to that AM.

    Too many families of one GAM, a GAM who has left, and global families without one are warned of. From the commercial
    account management playbook.
    """

    name = "global_programme"

    def allowed(self, snapshot: Snapshot, arcs: Arcs) -> np.ndarray | None:
        """Only today's AM where that is the account's GAM, is there, and the planner named nobody else."""
        accounts = snapshot.accounts
        led = (snapshot.gam != "") & (snapshot.gam == snapshot.frame["owner"].to_numpy(dtype=object))
        stays = led & snapshot.owner_present & (accounts.assign_to == NONE)
        if not stays.any():
            return None
        return ~arcs.of_accounts(stays) | (arcs.of_accounts(accounts.owner) == arcs.am)

    def gates(self, snapshot: Snapshot, arcs: Arcs) -> Iterator[GateBlock]:
        """One gate per GAM and AM who may hold an account of the GAM's families, the GAM's own book aside."""
        if not overlap_counts(snapshot):
            return
        gams, code = np.unique(snapshot.gam.astype(str), return_inverse=True)
        own = np.append(snapshot.ams.numbers(gams.tolist()), NONE)
        of_gam = arcs.of_accounts(code.reshape(-1))
        counted = (gams[of_gam] != "") & (arcs.am != own[of_gam])
        pair = of_gam.astype(np.int64) * len(snapshot.ams) + arcs.am
        pairs, place = np.unique(pair[counted], return_inverse=True)
        gate = np.full(len(arcs), NO_GATE)
        gate[counted] = place.reshape(-1)
        ids = snapshot.ams.ids
        names = tuple(f"{gams[p // len(ids)]} + {ids[p % len(ids)]}" for p in pairs.tolist())
        yield GateBlock(names, gate, OVERLAP, np.ones(len(names), dtype=np.int64))


def overlap_counts(snapshot: Snapshot) -> bool:
    """The model keeps GAMs and AMs together, and some account in the plan has a GAM."""
    return snapshot.model.programme.overlap == "on" and bool((snapshot.gam != "").any())


def programme_warnings(snapshot: Snapshot) -> Iterator[str]:
    """What the programme needs and no plan gives: a GAM for every family, and no more families than a GAM can lead."""
    families = snapshot.led_families
    alone = families.loc[families["gam"] == "", "root"]
    if len(alone):
        many = "global family has" if len(alone) == 1 else "global families have"
        yield f"{len(alone):,} {many} no GAM: {_few(alone.tolist())}."
    most = snapshot.model.programme.families_per_gam
    led_by = families[families["gam"] != ""].groupby("gam", sort=True)["root"].agg(list).to_dict()
    for gam, led in led_by.items():
        if gam in snapshot.ams.gone:
            yield f"GAM {gam} has left: {_few(led)} {'needs' if len(led) == 1 else 'need'} a new one."
        if most is not None and len(led) > most:
            yield f"GAM {gam} leads {len(led):,} global families; {most:,} is the most."


def _few(ids: list[str]) -> str:
    more = f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more
