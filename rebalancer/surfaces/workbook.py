"""moves.xlsx: the moves for people to decide on. Every text is a text, whatever it begins with; nothing is a formula.

The same proposal gives the same bytes.
"""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pandas as pd

from rebalancer.proposal import Proposal
from rebalancer.units import HUNDREDTHS

FILE = "moves.xlsx"
MOST_ROWS = 1_048_575
"""Rows of a sheet below its header."""

MOST_CHARACTERS = 32_767
"""Of a cell, as Excel counts them: UTF-16 units."""

CREATED = datetime(2000, 1, 1)
"""The same in every file, so that equal proposals are equal bytes."""

DECISIONS = ["Approve", "Reject", "Hold"]
DIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
KEPT_CONTROLS = frozenset("\t\n")

Kind = Literal["text", "long", "money", "number", "units", "flag", "entry"]
FORMATS: dict[Kind, dict[str, Any]] = {
    "text": {"num_format": "@"},
    "long": {"num_format": "@", "text_wrap": True},
    "money": {"num_format": "$#,##0"},
    "number": {"num_format": "#,##0"},
    "units": {"num_format": "#,##0.00"},
    "flag": {"num_format": "@", "align": "center"},
    "entry": {"num_format": "@", "text_wrap": True, "locked": False, "bg_color": "#FFF9E5"},
}
HEADER = {"bold": True, "text_wrap": True, "valign": "vcenter", "bg_color": "#E8ECF1", "bottom": 1}


@dataclass(frozen=True)
class Column:
    """A column of the sheet: where its values come from (empty: nowhere, it is filled in by hand)."""

    title: str
    source: str
    kind: Kind
    width: int


def _columns(measure: str) -> tuple[Column, ...]:
    """Columns of the sheet; the last three are the reader's. `measure` is that of the run."""
    in_measure: Kind = {"revenue_at_risk": "money", "units": "units"}.get(measure, "number")  # type: ignore[assignment]
    return (
        Column("Account", "account_id", "text", 16),
        Column("Name", "name", "text", 28),
        Column("From AM", "from_am", "text", 12),
        Column("To AM", "to_am", "text", 12),
        Column("From CSM", "from_csm", "text", 12),
        Column("To CSM", "to_csm", "text", 12),
        Column("Tier", "tier", "text", 12),
        Column("Units", "units", "units", 9),
        Column("ARR", "arr", "money", 13),
        Column("Revenue at risk", "disruption", "money", 13),
        Column("Forced", "forced", "flag", 8),
        Column("Reason", "reason", "long", 60),
        Column("Next best seat", "next_best", "text", 18),
        Column("Its extra disruption", "next_best_extra_disruption", in_measure, 13),
        Column("Its drawback", "next_best_drawback", "long", 40),
        Column("Decision", "decision", "entry", 12),
        Column("Override", "", "entry", 14),
        Column("Comment", "comment", "entry", 40),
    )


def moves_workbook(
    proposal: Proposal, decided: Mapping[str, str] | None = None, comments: Mapping[str, str] | None = None
) -> tuple[dict[str, bytes], list[str]]:
    """The file by its name, none where there are too many moves for a sheet, and what the reader must be told.

    `decided` and `comments`, by account, are what reviewers wrote of an earlier run.
    """
    if len(proposal.moves) > MOST_ROWS:
        said = f"{FILE} was not written: {len(proposal.moves):,} moves are more than the {MOST_ROWS:,} rows of a sheet"
        return {}, [f"{said}. moves.csv has them all."]
    sheet = _Sheet(proposal, decided or {}, comments or {})
    data = sheet.written()
    cut = f"{sheet.cut:,} texts in {FILE} were cut to the {MOST_CHARACTERS:,} characters of a cell."
    return {FILE: data}, [f"{cut} moves.csv has them whole."] if sheet.cut else []


class _Sheet:
    """The workbook in the making; `cut` counts the texts that were too long."""

    def __init__(self, proposal: Proposal, decided: Mapping[str, str], comments: Mapping[str, str]) -> None:
        import xlsxwriter

        self.proposal, self.cut = proposal, 0
        self.written_before = {"decision": decided, "comment": comments}
        self.columns = _columns(proposal.record["measure"])
        self.file = io.BytesIO()
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self.book = xlsxwriter.Workbook(self.file, options)
        self.book.set_properties({"created": CREATED, "title": f"Moves of {proposal.run_id}"})
        self.formats = {kind: self.book.add_format({"valign": "top", **how}) for kind, how in FORMATS.items()}

    def written(self) -> bytes:
        """The bytes of the file."""
        sheet = self.book.add_worksheet("Moves")
        lists = self.book.add_worksheet("Lists")
        self._write_head(sheet)
        frame = self._frame()
        for number, column in enumerate(self.columns):
            self._write_column(sheet, number, column, frame)
        self._write_lists(lists)
        self._add_choices(sheet, max(len(frame), 1))
        self.book.close()
        return self.file.getvalue()

    def _frame(self) -> pd.DataFrame:
        accounts = self.proposal.book.accounts
        names = pd.Series(accounts["name"].to_numpy(dtype=object), index=accounts["account_id"].to_numpy(dtype=object))
        moves = self.proposal.moves
        before = {name: [said.get(account, "") for account in moves["account_id"]]
                  for name, said in self.written_before.items()}  # fmt: skip
        return moves.assign(name=names.reindex(moves["account_id"].to_numpy(dtype=object)).to_numpy(), **before)

    def _write_head(self, sheet: Any) -> None:
        sheet.write_row(0, 0, [column.title for column in self.columns], self.book.add_format(HEADER))
        sheet.set_row(0, 32)
        sheet.freeze_panes(1, 2)
        sheet.autofilter(0, 0, max(1, len(self.proposal.moves)), len(self.columns) - 1)
        sheet.set_landscape()
        sheet.repeat_rows(0)
        sheet.fit_to_pages(1, 0)
        sheet.protect("", {"autofilter": True, "sort": True, "format_columns": True, "format_rows": True})

    def _write_column(self, sheet: Any, number: int, column: Column, frame: pd.DataFrame) -> None:
        style = self.formats[column.kind]
        sheet.set_column(number, number, column.width, style)
        if not column.source:
            for row in range(1, len(frame) + 1):
                sheet.write_blank(row, number, None, style)
            return
        write: Callable[[Any, int, int, Any, Any], None] = {
            "text": self._write_text,
            "long": self._write_text,
            "entry": self._write_text,
            "flag": self._write_flag,
        }.get(column.kind, self._write_number)
        scale = HUNDREDTHS if column.kind == "units" and column.source.startswith("next_best") else 1
        for row, value in enumerate(frame[column.source], start=1):
            write(sheet, row, number, value if scale == 1 or pd.isna(value) else value / scale, style)

    def _write_text(self, sheet: Any, row: int, column: int, value: Any, style: Any) -> None:
        text = visible(str(value))
        kept = shortened(text)
        self.cut += kept != text
        sheet.write_string(row, column, kept, style) if kept else sheet.write_blank(row, column, None, style)

    def _write_flag(self, sheet: Any, row: int, column: int, value: Any, style: Any) -> None:
        self._write_text(sheet, row, column, "yes" if value else "", style)

    def _write_number(self, sheet: Any, row: int, column: int, value: Any, style: Any) -> None:
        if pd.isna(value) or not math.isfinite(value):
            sheet.write_blank(row, column, None, style)
        else:
            sheet.write_number(row, column, value, style)

    def _write_lists(self, lists: Any) -> None:
        """What may be chosen, on a sheet that is not shown."""
        lists.hide()
        lists.protect()
        self.ams = [str(am) for am in self.proposal.books["am_id"]]
        for row, am in enumerate(self.ams):
            self._write_text(lists, row, 0, am, self.formats["text"])

    def _add_choices(self, sheet: Any, rows: int) -> None:
        """Lists for the reader's columns, so that what comes back can be read."""
        decision = next(number for number, column in enumerate(self.columns) if column.title == "Decision")
        again = {"error_title": "Not in the list", "ignore_blank": True}
        sheet.data_validation(
            1, decision, rows, decision,
            {**again, "validate": "list", "source": DECISIONS, "error_message": "Approve, Reject or Hold."},
        )  # fmt: skip
        source = f"=Lists!$A$1:$A${max(1, len(self.ams))}"
        sheet.data_validation(
            1, decision + 1, rows, decision + 1,
            {**again, "validate": "list", "source": source, "error_message": "The id of an AM of this book."},
        )  # fmt: skip


def visible(text: str) -> str:
    """The text with what Excel refuses, and what turns the direction of text around, written out."""
    if text.isprintable():  # nothing hidden is
        return text
    return "".join(_escaped(ch) if _hidden(ch) else ch for ch in text)


def _hidden(ch: str) -> bool:
    if ch in KEPT_CONTROLS:
        return False
    return unicodedata.category(ch) in ("Cc", "Cs") or ch in DIRECTIONAL or ord(ch) & 0xFFFE == 0xFFFE


def _escaped(ch: str) -> str:
    return ch.encode("unicode_escape").decode("ascii")


def shortened(text: str, most: int = MOST_CHARACTERS) -> str:
    """The text cut to so many UTF-16 units, with an ellipsis where it was cut."""
    if 2 * len(text) <= most:
        return text
    data = text.encode("utf-16-le")
    if len(data) <= 2 * most:
        return text
    return data[: 2 * (most - 1)].decode("utf-16-le", errors="ignore") + "…"
