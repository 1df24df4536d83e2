"""The tables of `size`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import pandas as pd

from rebalancer.cli.output import console, dollars, percent, say, table

if TYPE_CHECKING:
    from rebalancer.insight.csm_sizing import CsmSizing
    from rebalancer.insight.marginal import Marginal
    from rebalancer.insight.sizing import Sizing

Row = dict[Hashable, Any]


def print_sizing(found: Sizing) -> None:
    """The sizing for people."""
    for name in (*found.missing, *found.csms.missing):
        say(f"Not in the book: {name}.")
    for line in found.notes:
        say(line)
    say(_check(found))
    rows = _rows(found.needed[found.needed["by"].isin(("all", "tier", "region"))])
    _print_needed(rows, found.growth)
    _print_chart(found.chart[found.chart["by"] == "all"])
    _print_factors(_rows(found.factors))
    _print_csms(found.csms)


def _rows(frame: pd.DataFrame) -> list[Row]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def _check(found: Sizing) -> str:
    check = found.check
    fits = "which is a usual book" if check.agrees else "which is no usual book: size by tier instead"
    books = f"{_millions(check.arr_per_am_low)}-{_millions(check.arr_per_am_high)}"
    return (
        f"Quick check: {check.accounts:,} accounts and {_millions(check.arr)} ARR make {check.ams_low:.0f}-"
        f"{check.ams_high:.0f} AMs with {books} each, {fits}."
    )


def _millions(amount: float | None) -> str:
    return "" if amount is None else f"${amount / 1e6:,.1f}M"


def _name(row: Row) -> str:
    if row["by"] == "all":
        return "all"
    return str(row["tier"] or row["region"] or ("no account" if not row.get("accounts", 1) else "no region"))


def _number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _print_needed(rows: list[Row], growth: float) -> None:
    columns = ["", ">today", ">by units", ">by accounts", ">by ARR", "binds", ">gap", ">hire"]
    body = [
        (
            _name(row),
            _number(row["today"]) + (f" + {row['coming']:.1f}" if row["coming"] else ""),
            _number(row["units_needed"]),
            _span(row, "accounts"),
            _span(row, "arr"),
            row["binding"],
            f"{row['gap']:+.1f}",
            "" if row["hire"] is None else f"{row['hire']:,}",
        )
        for row in rows
    ]
    console().print(table("Full AMs today (+ to come) and needed, with the range of each view", columns, body))
    columns = ["", ">accounts", ">ARR", ">units", ">Net Ratio", ">cost a year", ">to hire", ">months left", "full on"]
    shown: list[tuple[str, ...]] = [
        (
            _name(row),
            f"{row['accounts']:,}",
            _millions(row["arr"]),
            _number(row["units"]),
            "" if row["net_ratio"] is None else f"{100 * row['net_ratio']:.1f} %",
            _dollars(row["cost"], ""),
            _dollars(row["hire_cost"], "") if row["hire"] else "",
            "over now" if row["months"] == 0 else _number(row["months"], 0),
            "" if not row["months"] else f"{row['full_on']:%Y-%m-%d}",
        )
        for row in rows
    ]
    console().print(
        table(f"Load, Net Ratio, cost, and how long the team lasts at {100 * growth:g} % growth", columns, shown)
    )
    total = rows[0]
    if total["average_cost"] is not None:
        say(f"A full-time AM costs {dollars(total['average_cost'])} a year on average.")
    say(_lasting(total, growth))


def _span(row: Row, view: str) -> str:
    """What a view needs, and its range in brackets."""
    if row[f"{view}_needed"] is None:
        return ""
    if not row["accounts"]:
        return "0.0"
    return f"{row[f'{view}_needed']:.1f} ({row[f'{view}_low']:.1f}-{row[f'{view}_high']:.1f})"


def _lasting(total: Row, growth: float) -> str:
    if total["months"] == 0:
        return "The team is over its capacity now."
    if growth <= 0:
        return "Without growth the team lasts; --growth 0.2 says until when it does at 20 % a year."
    if total["months"] is None:
        return f"At {100 * growth:g} % growth the team lasts for longer than can be told."
    when = f"{total['months']:.0f} months, on {total['full_on']:%Y-%m-%d}"
    return f"At {100 * growth:g} % growth the team is full in {when}."


def _print_chart(chart: pd.DataFrame) -> None:
    if chart.empty:
        return
    sizes = chart.drop_duplicates("accounts_per_am")
    heads = [f">{row['accounts_per_am']:g} ({_millions(row['arr_per_am'])})" for row in _rows(sizes)]
    body = [
        (f"{100 * float(ratio):.0f} %", *(f"{row['ams']:,}{' *' if row['advised'] else ''}" for row in _rows(part)))  # type: ignore[arg-type]
        for ratio, part in chart.groupby("net_ratio")
    ]
    title = "AMs needed by Net Ratio (rows) and accounts per AM with the ARR of such a book (columns); * advised"
    console().print(table(title, [">Net Ratio", *heads], body))


FACTORS = (
    ("attrition_risk", ">attrition risk", percent),
    ("contracts", ">contracts", lambda value: _number(value)),
    ("apart", ">ending apart", percent),
    ("products", ">products", lambda value: _number(value)),
    ("stakeholders", ">stakeholders", lambda value: _number(value)),
    ("wallet_share", ">wallet share", percent),
    ("unused_wallet", ">spent elsewhere", lambda value: _millions(value)),
    ("products_open", ">products not bought", lambda value: _number(value)),
)


def _print_factors(rows: list[Row]) -> None:
    known = [(name, head, text) for name, head, text in FACTORS if any(row[name] is not None for row in rows)]
    if not known:
        return
    body = [(_name(row), *(text(row[name]) for name, _, text in known)) for row in rows]
    title = (
        "Servicing load (risk, contracts; products and stakeholders for switching costs) and opportunity, per account"
    )
    console().print(table(title, ["", *(head for _, head, _ in known)], body))


def _print_csms(found: CsmSizing) -> None:
    columns = [
        "ARR of the account",
        ">accounts",
        ">without CSM",
        ">per CSM",
        ">CSMs needed",
        ">range",
        ">today",
        ">hire",
    ]
    body = [
        (
            row["band"],
            f"{row['accounts']:,}",
            f"{row['without_csm']:,}",
            "" if row["most"] is None else _per_csm(row),
            _number(row["needed"]),
            f"{row['needed_low']:.1f}-{row['needed_high']:.1f}",
            _number(row["today"]),
            "" if row["hire"] is None or row["band"] != "all" else f"{row['hire']:,}",
        )
        for row in _rows(found.bands)
    ]
    console().print(table("Full CSMs today and needed, by band of ARR", columns, body))
    for line in found.notes:
        say(line)


def _per_csm(row: Row) -> str:
    return f"up to {row['most']:g}" if row["fewest"] == row["most"] else f"{row['fewest']:g}-{row['most']:g}"


def print_marginal(found: Marginal) -> None:
    """What changes of the team are worth."""
    columns = [
        "region",
        "change",
        "AM",
        ">value",
        ">lies in",
        ">of moves",
        ">of cover",
        ">a unit",
        ">yearly cost",
        "plan",
    ]
    body = [
        (
            row["region"] or "any",
            row["change"],
            row["am_id"],
            _dollars(row["value"]),
            ""
            if row["value_low"] == row["value_high"]
            else f"{_dollars(row['value_low'])} .. {_dollars(row['value_high'])}",
            _dollars(row["moves_value"]),
            _dollars(row["cover_value"]),
            _dollars(row["per_unit"], ""),
            _dollars(row["cost"]) if row["change"] != "more capacity" else "",
            f"{row['status']}{'' if row['proven'] else ', not proven'}",
        )
        for row in _rows(found.regions)
    ]
    console().print(table("What a change of the team is worth: dollars its best plan exposes less", columns, body))
    curve = [
        (f"{row['ams']:+d}" if row["ams"] else "today", row["region"] or ("" if not row["ams"] else "any"),
         _dollars(row["exposure"]), _dollars(row["value"]), _dollars(row["marginal"], ""))
        for row in _rows(found.curve)
    ]  # fmt: skip
    columns = ["AMs", "where", ">exposed", ">value against today", ">of this AM"]
    console().print(table("AM by AM, each where he saves most", columns, curve))
    say(_concave(found))
    for line in found.notes:
        say(line)


def _concave(found: Marginal) -> str:
    """Whether each AM is worth no more than the one before, and where not."""
    if found.concave is None:
        return "Whether this is concave is not known: not every plan is proven best. A longer --time-limit helps."
    if found.concave:
        return "Concave: no AM is worth more than the one before."
    rise = found.curve["marginal"].diff()
    worst = found.curve.loc[[rise.idxmax()], "ams"].iloc[0]
    return f"Not concave here: AM {worst:+d} is worth {dollars(rise.max())} more than the one before."


def _dollars(amount: float | None, unknown: str = "not known") -> str:
    if amount is None:
        return unknown
    return f"-{dollars(-amount)}" if round(amount) < 0 else dollars(abs(amount))
