"""Recheck: recomputes the certificate of a run from its inputs, by plain knapsacks and without a solver.

The Problem is built anew from `inputs/` by the rules; multipliers come from `certificate.npz`, and nothing else of the
run is believed but the plan itself. Any multipliers prove something, so changed ones can only prove less.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rebalancer.certificate import proven
from rebalancer.errors import UsageError
from rebalancer.proposal import Proposal, amount
from rebalancer.rebuilt import chosen_arcs, formulation_of
from rebalancer.run_directory import read_run
from rebalancer.verify import Violation


@dataclass(frozen=True)
class Recheck:
    """What the multipliers of a run prove: no plan costs less than `bound`, and this one costs `value`.

    `legal` is whether that is said of legal plans, or of plans with no more overload than this one in any component.
    `left_out` names rules that the bound knows nothing of. `violations` are claims of the run that do not hold.
    """

    value: int
    bound: int
    legal: bool
    measure: str
    left_out: tuple[str, ...]
    violations: tuple[Violation, ...]

    @property
    def gap(self) -> float:
        """`(value - bound) / max(1, value)`."""
        return (self.value - self.bound) / max(1, self.value)

    def text(self) -> str:
        """The answer in one sentence."""
        plans = "legal plan" if self.legal else "plan with this overload"
        least, cost = (amount(number, self.measure) for number in (self.bound, self.value))
        without = f" The bound leaves out: {', '.join(self.left_out)}." if self.left_out else ""
        return f"No {plans} costs less than {least}; this one costs {cost}; gap {100 * self.gap:.4f} %.{without}"


def recheck(run: str | Path) -> Recheck:
    """Recompute the bound of a run directory. Raises `RebalancerError` where it can't be read or has no certificate."""
    proposal = read_run(run)
    formulation = formulation_of(proposal)
    problem = formulation.problem
    chosen = chosen_arcs(formulation, proposal.assignments)
    if not problem.is_complete(chosen):
        fault = Violation("certificate", "the plan is none that the rules admit, so nothing can be proven of it")
        return Recheck(proposal.value, 0, proposal.legal, proposal.record["measure"], (), (fault,))
    values = dict(zip((level.name for level in problem.levels), problem.values(chosen), strict=True))
    held = {item.level: item for item in proposal.certificates if item.level in values}
    bounds = {name: proven(problem, chosen, item) or 0 for name, item in held.items()}
    if "disruption" not in bounds:
        raise UsageError(f'"{run}" holds no certificate of its disruption. `rebalancer propose` writes one.')
    faults = tuple(_false_claims(proposal, values, bounds))
    left_out = ("gates",) if any(level.gate_cost.any() for level in problem.levels if level.name in bounds) else ()
    return Recheck(
        values["disruption"],
        bounds.get("disruption", 0),
        values["overload"] == 0,
        proposal.record["measure"],
        left_out,
        faults,
    )


def _false_claims(proposal: Proposal, values: dict[str, int], bounds: dict[str, int]) -> list[Violation]:
    """What the record says of a level that its plan or the multipliers contradict."""
    found = []
    for level in proposal.record["levels"]:
        name, claimed = level["name"], level["certificate_bound"]
        if level["value"] != values[name]:
            found.append(f"{name} is {values[name]:,} by the rules, and {level['value']:,} by the record")
        if name not in bounds:
            continue
        if claimed is not None and claimed > bounds[name]:
            found.append(f"the multipliers prove {bounds[name]:,} for {name}, and the record claims {claimed:,}")
        if level["proof"] == "certificate" and level["value"] > bounds[name]:
            found.append(f"{name} is said to be proven by the certificate, which proves {bounds[name]:,} only")
    return [Violation("certificate", message) for message in found]
