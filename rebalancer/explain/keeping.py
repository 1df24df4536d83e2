"""Keeping: the answer to what it costs to keep an account where it is today, as numbers and in a planner's words."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from rebalancer.explain.words import amount, counted, listed, more, plain
from rebalancer.rules.rule import OVERLOAD_SCALE

SHOWN_CHANGES = 10

Answer = Literal["priced", "stays", "left_out", "nothing_to_keep", "not_legal", "impossible"]
"""priced: `levels` say what it costs. stays: it does so anyway. nothing_to_keep: nobody owns it, or its owner has left.
not_legal: no legal plan is left, or none was found. impossible: it contradicts the book.
"""

CHANGE_COLUMNS = ["account_id", "change", "from_am", "run_to", "kept_to", "run_csm", "kept_csm", "units", "arr"]


@dataclass(frozen=True)
class LevelChange:
    """One level in the run and in the plan that keeps the account."""

    name: str
    run_value: int
    kept_value: int
    run_bound: int | None
    kept_bound: int | None
    proven: bool
    """Both values are proven least, so `extra` is exact."""

    @property
    def extra(self) -> int:
        """What the plan found with the account kept has more than the run."""
        return self.kept_value - self.run_value

    @property
    def least(self) -> int | None:
        """The difference of the two least values is at least this; None where no bound is known."""
        return None if self.kept_bound is None else self.kept_bound - self.run_value

    @property
    def most(self) -> int | None:
        """The difference of the two least values is at most this; None where no bound is known."""
        return None if self.run_bound is None else self.kept_value - self.run_bound

    def record(self) -> dict[str, Any]:
        """The level as JSON."""
        return {**vars(self), "extra": self.extra, "least": self.least, "most": self.most}


@dataclass(frozen=True)
class Keeping:
    """The answer. `changes` has `CHANGE_COLUMNS`: accounts of which the two plans differ, but for the one asked for;
    `change` is appears, disappears, elsewhere (another AM) or csm (another CSM alone).
    """

    account_id: str
    am_id: str
    csm_id: str
    """The CSM that is kept as well; empty where there is none, or where CSMs take no part."""
    answer: Answer
    measure: str
    why: str = ""
    levels: tuple[LevelChange, ...] = ()
    changes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CHANGE_COLUMNS), repr=False)
    shortages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def proven(self) -> bool:
        """Nothing depends on a search that has not ended."""
        if self.answer == "not_legal":
            return not self.levels or bool(self.levels[0].kept_bound)
        return all(level.proven for level in self.levels)

    def text(self) -> str:
        """The answer in a planner's words."""
        return "\n".join([*self._headline(), *self._change_words(), *(f"Note: {text}" for text in self.warnings)])

    def _headline(self) -> Iterator[str]:
        keeping = f"Keeping {self.account_id} with {self.am_id}{f' and {self.csm_id}' if self.csm_id else ''}"
        if self.answer == "nothing_to_keep":
            yield f"There is nothing to keep: {self.why}"
        elif self.answer in ("stays", "left_out"):
            yield f"{keeping} costs nothing: {self.why}"
        elif self.answer == "impossible":
            yield f"{keeping} is impossible: {self.why}"
        elif self.answer == "not_legal":
            known = "no legal plan is left" if self.proven else f"no legal plan was found{self._in_time()}"
            yield f"{keeping} is not possible within the limits: {known}."
            yield from (f"  {sentence}" for sentence in self.shortages)
        else:
            yield f"{keeping} {self._cost()}{self._instead()}."
            yield f"{self._vector()}."
            unproven = next((level for level in self.levels if not level.proven), None)
            if unproven is not None:
                yield self._interval(unproven)
            if self.why:
                yield self.why

    def _in_time(self) -> str:
        return " before the interruption" if self.interrupted else " in the time; that there is none is not proven"

    def _cost(self) -> str:
        parts = [self._difference(level) for level in self.levels if level.extra]
        sure = " (proven)" if self.proven else " in the plans found"
        if not parts:
            return f"costs nothing more{sure}"
        verb = "costs" if next(level.extra for level in self.levels if level.extra) > 0 else "means"
        return f"{verb} {' and '.join(parts)}{sure}"

    def _difference(self, level: LevelChange) -> str:
        if level.name == "overload":
            word = "more" if level.extra > 0 else "less"
            return f"{abs(level.extra) / OVERLOAD_SCALE:.4f} {word} overload (1 is a whole limit)"
        if level.name == "continuity":
            return f"{abs(level.extra):,} {'more' if level.extra > 0 else 'fewer'} CSM changes and pod breaks"
        return more(self.measure, level.extra)

    def _instead(self) -> str:
        moved = self.changes[self.changes["change"] == "appears"]
        return f", and moves {listed(moved['account_id'])} instead" if len(moved) else ""

    def _vector(self) -> str:
        """Every level that decides, before and after."""
        shown = []
        for level in self.levels:
            if level.name == "disruption":
                shown.append(f"{amount(self.measure, level.run_value)} -> {amount(self.measure, level.kept_value)}")
            else:
                shown.append(f"{level.name} {level.run_value:,} -> {level.kept_value:,}")
        return "; ".join(shown)

    def _interval(self, level: LevelChange) -> str:
        """What is known of a difference whose two plans are not both proven."""
        least, most = level.least, level.most
        if least is None or most is None:
            return f"Not proven: a bound on the {level.name} is missing, so the least cost is not known."
        show = self._amount_of(level.name)
        above = level.name != "overload" and any(other.kept_value or other.run_value for other in self.levels[:1])
        where = f"least {level.name}{' at these overloads' if above else ''}"
        if least <= 0:
            return f"Not proven: the {where} rises by at most {show(most)}, and perhaps not at all."
        return f"Not proven: the {where} rises by {show(least)} to {show(most)}."

    def _amount_of(self, name: str) -> Any:
        return (lambda value: amount(self.measure, value)) if name == "disruption" else (lambda value: f"{value:,}")

    def _change_words(self) -> Iterator[str]:
        titles = {
            "appears": "Moves instead",
            "disappears": "No longer moves",
            "elsewhere": "Goes to another AM",
            "csm": "Gets another CSM",
        }
        for change, title in titles.items():
            group = self.changes[self.changes["change"] == change]
            if len(group):
                yield f"{title} ({counted(len(group), 'account')}):"
                yield from (f"  {_change_line(row)}" for row in group.head(SHOWN_CHANGES).to_dict("records"))
                if len(group) > SHOWN_CHANGES:
                    yield f"  and {len(group) - SHOWN_CHANGES:,} more"


def _change_line(row: dict[Hashable, Any]) -> str:
    what = {
        "appears": f"{row['from_am'] or 'nobody'} -> {row['kept_to']}",
        "disappears": f"stays with {row['kept_to']} instead of {row['run_to']}",
        "elsewhere": f"{row['kept_to']} instead of {row['run_to']}",
        "csm": f"{row['kept_csm'] or 'none'} instead of {row['run_csm'] or 'none'}",
    }[str(row["change"])]
    return f"{row['account_id']}: {what} ({plain(row['units'])} units, ${row['arr']:,} ARR)"
