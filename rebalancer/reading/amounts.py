"""Amounts as people and spreadsheets write them, made plain: `1.200,50` with a decimal comma is `1200.50`.

A separator that could mean two things is an error until `--decimal` says which it is.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from rebalancer.reading.options import AcceptedFaults
from rebalancer.reading.raw import RawTable, fault_rows
from rebalancer.tables import Column

PLAIN = r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})"
SPACE = "[ \u00a0\u202f'’]"
GROUPED = {
    ".": rf"[+-]?([0-9]{{1,3}}(({SPACE}|,)[0-9]{{3}})+|[0-9]{{1,30}})?(\.[0-9]{{0,30}})?",
    ",": rf"[+-]?([0-9]{{1,3}}(({SPACE}|\.)[0-9]{{3}})+|[0-9]{{1,30}})?(,[0-9]{{0,30}})?",
}
SEPARATED = rf"[+-]?[0-9]{{1,30}}(({SPACE}|[.,])[0-9]{{1,30}})+"
THOUSANDS = r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+"
SIGN = "[$€£¥]|[A-Z]{3}"
SIGNED = re.compile(rf"([+-]?)(?:({SIGN})\s*([^A-Z$€£¥]+)|([^A-Z$€£¥]+?)\s*({SIGN}))")

NOT_PLAIN = "Write plain digits with a point, such as 120000 or 0.75, without currency signs or separators."


def plain_amounts(text: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults) -> pd.Series:
    """Plain decimals with a point; empty where a value can't be read, after noting the fault."""
    if not text.astype(bool).any():
        return text
    shown = text
    if column.kind == "money":
        text, unread = _without_signs(text, column, raw, faults)
        shown = shown.mask(unread, "")
    decimal = raw.options.decimal
    if decimal is not None:
        fits = text.str.fullmatch(GROUPED[decimal]) & text.str.contains("[0-9]")
        other = "." if decimal == "," else ","
        plain = text.str.replace(rf"{SPACE}|[{other}]", "", regex=True).str.replace(",", ".", regex=False)
        text = plain.where(fits, text.mask(text == "", "").where(text == "", "?"))
        cure = f'Write digits with the decimal "{decimal}", as --decimal says.'
        fault_rows(text == "?", shown, column, raw, faults, "number", "not a number.", cure)
        return text.mask(text == "?", "")
    _note_ambiguous(text, shown, column, raw, faults)
    unclear = _ambiguous(text, column)
    wrong = (text != "") & ~text.str.fullmatch(PLAIN) & ~unclear
    fault_rows(wrong, shown, column, raw, faults, "number", "not a plain number.", NOT_PLAIN)
    return text.mask(wrong | unclear, "")


def _ambiguous(text: pd.Series, column: Column) -> pd.Series:
    """Values with separators, and amounts such as `1.200` in a column where no point is surely a decimal one."""
    separated = text.str.fullmatch(SEPARATED) & ~text.str.fullmatch(PLAIN)
    if column.kind != "money":
        return separated.astype(bool)
    pointed = text.str.contains(".", regex=False) & ~separated
    grouped = text.str.fullmatch(THOUSANDS)
    unclear = grouped & bool((grouped | ~pointed).all())
    return (separated | unclear).astype(bool)


def _note_ambiguous(text: pd.Series, shown: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults) -> None:
    wrong = _ambiguous(text, column)
    cure = "Say what separates decimals with --decimal . or --decimal , or write plain digits with a point."
    problem = "the separators could be of thousands or of decimals."
    fault_rows(wrong, shown, column, raw, faults, "decimal", problem, cure)


def _without_signs(
    text: pd.Series, column: Column, raw: RawTable, faults: AcceptedFaults
) -> tuple[pd.Series, pd.Series]:
    """Amounts without their currency sign where that is accepted, and which ones could not be freed of it."""
    found = [_signed(value) for value in text]
    signs = {match[2] or match[5] for match in found if match}
    has = pd.Series([match is not None for match in found], index=text.index, dtype=bool)
    if not signs:
        return text, has
    if len(signs) > 1 or not faults.accepts("currency"):
        several = f"currencies are mixed ({', '.join(sorted(signs))})." if len(signs) > 1 else ""
        cure = "Convert them to one." if several else "Remove it, or drop it with --accept currency."
        code = "mixed_currency" if several else "currency"
        fault_rows(has, text, column, raw, faults, code, several or "the amount has a currency sign.", cure)
        return text.mask(has, ""), has
    faults.error("currency", f"the sign {signs.pop()} is dropped.", file=raw.file, column=raw.label(column.name))
    bare = [f"{match[1]}{(match[3] or match[4]).strip()}" if match else value
            for match, value in zip(found, text, strict=True)]  # fmt: skip
    return pd.Series(bare, index=text.index, dtype=str), pd.Series(np.zeros(len(text), dtype=bool), index=text.index)


def _signed(value: str) -> re.Match[str] | None:
    """The match of an amount with a sign of currency; None where it is plain."""
    return SIGNED.fullmatch(value) if value and not (value[0].isdigit() and value[-1].isdigit()) else None
