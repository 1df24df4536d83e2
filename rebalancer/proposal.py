"""Proposal: the answer, as frames that join back to the book by its ids. What notebooks hold."""

from __future__ import annotations

import html
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from rebalancer.book import Book
from rebalancer.certificate import Certificate
from rebalancer.coverage import CoverageModel
from rebalancer.errors import UsageError
from rebalancer.units import HUNDREDTHS

SCHEMA_VERSION = 1

LEGAL_STATUSES = ("optimal", "feasible", "no_change")


@dataclass(frozen=True)
class Proposal:
    """A plan that was checked without the solver.

    `record` is the content of `proposal.json`. `assignments`, `books` and `csms` have the columns of the CSV files of a
    run directory (`docs/columns.md`); `moves` is the moved part of `assignments`, most costly first.
    """

    book: Book = field(repr=False)
    model: CoverageModel = field(repr=False)
    record: Mapping[str, Any] = field(repr=False)
    assignments: pd.DataFrame = field(repr=False)
    moves: pd.DataFrame = field(repr=False)
    books: pd.DataFrame = field(repr=False)
    csms: pd.DataFrame = field(repr=False)
    timings: Mapping[str, float] = field(repr=False, default_factory=dict)
    certificates: tuple[Certificate, ...] = field(repr=False, default=())

    @property
    def run_id(self) -> str:
        """Hash of inputs, model, options that matter, and version."""
        return str(self.record["run_id"])

    @property
    def status(self) -> str:
        """optimal, feasible, no_change, over_capacity or baseline."""
        return str(self.record["status"])

    @property
    def legal(self) -> bool:
        """Every book ends within its limits."""
        return bool(self.record["legal"])

    @property
    def warnings(self) -> list[str]:
        """What the reader must know, one sentence each."""
        return list(self.record["warnings"])

    def level(self, name: str) -> dict[str, Any] | None:
        """One level of the objective: name, value, bound, gap, proof. None where the run had no such level."""
        return next((level for level in self.record["levels"] if level["name"] == name), None)

    @property
    def value(self) -> int:
        """The disruption of the plan, in the measure that was minimised."""
        return int(self._disruption["value"])

    @property
    def bound(self) -> int | None:
        """No legal plan costs less than this (no plan with this overload, where none is legal)."""
        return self._disruption["bound"]

    @property
    def gap(self) -> float | None:
        """`(value - bound) / max(1, value)` of the disruption."""
        return self._disruption["gap"]

    @property
    def _disruption(self) -> dict[str, Any]:
        level = self.level("disruption")
        assert level is not None
        return level

    def summary(self) -> str:
        """The proposal in a few lines of text."""
        return "\n".join(self.headline())

    def headline(self) -> list[str]:
        """Sentences: what happens, how close to least, and what is short."""
        moves, record = self.record["moves"], self.record
        dollars = record["disruption"]["revenue_at_risk"]
        what = (
            f"{moves['accounts']:,} of {len(self.assignments):,} accounts move"
            f" ({moves['forced']:,} of them forced), ${moves['arr']:,} ARR, ${dollars:,} at risk"
        )
        if moves["csm_changes"]:
            what += f"; {moves['csm_changes']:,} CSM changes, {moves['pod_breaks']:,} pods broken"
        if self.status == "no_change":
            what = "No change is needed"
        return [f"{what}.", *self._proof_words(), *([] if self.legal else _first(record["shortages"]))]

    def _proof_words(self) -> list[str]:
        level = self._disruption
        plans = "legal plan" if self.legal else "plan with this overload"
        if level["proof"] is not None:
            how = "by the certificate" if level["proof"] == "certificate" else "solver-proven"
            proof = f"No {plans} costs less: {self._amount(level['value'])} ({how})."
        elif level["bound"] is not None:
            gap = f"gap {100 * level['gap']:.2f} %"
            proof = (
                f"No {plans} costs less than {self._amount(level['bound'])}; "
                f"this one costs {self._amount(level['value'])} ({gap})."
            )
        else:
            proof = f"It costs {self._amount(level['value'])}; how close to the least that is, is not known."
        continuity = self.level("continuity")
        if level["proof"] != "certificate" and level["certificate_bound"] is not None:
            own = (level["value"] - level["certificate_bound"]) / max(1, level["value"])
            proof += f" The multipliers alone prove {self._amount(level['certificate_bound'])} (gap {100 * own:.2f} %)."
        if continuity is not None and continuity["proof"] is None:
            proof += f" CSM changes and pod breaks: {continuity['value']:,}, not proven to be the fewest."
        if self.status == "baseline":
            return [proof, "The search found no better plan than the one made step by step without it."]
        if self.legal:
            return [proof]
        overload = self.level("overload")
        known = overload is not None and (overload["bound"] or 0) > 0
        none = "No legal plan exists" if known else "No legal plan was found in the time"
        return [f"NOT LEGAL. {none}; this is the plan with the least overload found, not one to apply.", proof]

    def _amount(self, value: int) -> str:
        return amount(value, self.record["measure"])

    @cached_property
    def csm_changes(self) -> pd.DataFrame:
        """The rows of `assignments` whose CSM changes."""
        return self.assignments[self.assignments["csm_changed"]].reset_index(drop=True)

    def book_after(self) -> Book:
        """The book as the proposal leaves it: new owners and CSMs, owned since the effective date."""
        plan = self.assignments.set_index("account_id")
        accounts = self.book.accounts.copy()
        order = accounts["account_id"]
        day = pd.Timestamp(self.book.effective_date)
        for column, since, to in (("owner", "owner_since", "to_am"), ("csm", "csm_since", "to_csm")):
            new = plan[to].loc[order].to_numpy()
            changed = new != accounts[column].to_numpy()
            accounts[column] = new
            accounts[since] = accounts[since].mask(pd.Series(changed), day).astype("datetime64[s]")
        return Book(
            {**self.book.tables, "accounts": accounts}, self.book.effective_date, self.book.model, self.book.overrides
        )

    def explain(self, account_id: str | None = None, *, am: str | None = None, keep: bool = False) -> str:
        """Why an account moves or stays, and its next best seats; with `keep`, what keeping it where it is would cost.

        With `am` in its place, the whole book of that AM or pool.
        """
        if (account_id is None) == (am is None) or (keep and account_id is None):
            raise UsageError("explain takes either an account or am=..., and keep=True goes with an account.")
        if am is not None:
            from rebalancer.explain.book import explain_book

            return explain_book(self, am).text()
        if keep:
            from rebalancer.explain.keep import keep as cost_of_keeping

            return cost_of_keeping(self, str(account_id)).text()
        from rebalancer.explain.account import explain_account

        return explain_account(self, str(account_id))

    def write(self, path: str) -> str:
        """Write the run directory, moves.xlsx in it; see `rebalancer.run_directory.write_run`."""
        from rebalancer.run_directory import write_run
        from rebalancer.surfaces.workbook import moves_workbook

        extra, told = moves_workbook(self)
        for text in told:
            warnings.warn(text, stacklevel=2)
        return str(write_run(self, path, extra))

    def __repr__(self) -> str:
        return f"Proposal({self.status}: {self.headline()[0]})"

    def _repr_html_(self) -> str:
        """Headline, heatmap before and after, and the first moves, for notebooks."""
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in self.headline())
        return f"<div>{lines}{self._heatmap_html()}{self._moves_html()}</div>"

    def _heatmap_html(self) -> str:
        colours = {"green": "#c8e6c9", "yellow": "#fff3b0", "red": "#f5b7b1"}
        rows = []
        for book in self.books.to_dict("records"):
            cells = [f"<td>{html.escape(str(book['am_id']))}</td>"]
            for when in ("before", "after"):
                share = book[f"utilization_{when}"]
                shown = "" if np.isnan(share) else f"{100 * share:.0f} %"
                colour = colours[str(book[f"band_{when}"])]
                cells.append(
                    f'<td style="background:{colour};color:#000">{shown}</td><td>{book[f"accounts_{when}"]}</td>'
                )
            rows.append(f"<tr>{''.join(cells)}</tr>")
        head = "<tr><th>AM</th><th>before</th><th>accounts</th><th>after</th><th>accounts</th></tr>"
        return f"<table>{head}{''.join(rows[:HTML_ROWS])}</table>{_more(len(rows))}"

    def _moves_html(self) -> str:
        columns = ["account_id", "from_am", "to_am", "tier", "units", "arr", "disruption", "reason"]
        head = "".join(f"<th>{column}</th>" for column in columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(str(row[column]))}</td>' for column in columns)}</tr>"
            for row in self.moves.head(HTML_ROWS).to_dict("records")
        )
        return f"<table><tr>{head}</tr>{body}</table>{_more(len(self.moves))}"


def amount(value: int, measure: str) -> str:
    """A disruption in the words of the measure that was minimised."""
    if measure == "revenue_at_risk":
        return f"${value:,} at risk"
    if measure == "units":
        return f"{value / HUNDREDTHS:,.2f} units moved"
    return f"{value:,} {'change' if value == 1 else 'changes'} of owner"


SHOWN_SHORTAGES = 40
"""Sentences of a headline on what is short; `record` has all."""


def _first(sentences: Sequence[str]) -> list[str]:
    more = len(sentences) - SHOWN_SHORTAGES
    told = [f"And {more:,} more limits are broken; proposal.json names them all."] if more > 0 else []
    return [*sentences[:SHOWN_SHORTAGES], *told]


HTML_ROWS = 30
"""Rows of each table in a notebook; the frames hold all."""


def _more(rows: int) -> str:
    return f"<p>and {rows - HTML_ROWS:,} more</p>" if rows > HTML_ROWS else ""
