"""moves.xlsx: people write decisions into it, so its bytes may change; what it says of the moves may not."""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rebalancer.errors import Faults, printable
from rebalancer.reading.archive import open_archive
from rebalancer.verify.text import UnreadableError, columns_of, exact, read_csv
from rebalancer.verify.violation import Violation

WORKBOOK = "moves.xlsx"
SHEET = "Moves"
TEXTS = {
    "Name": "name", "From AM": "from_am", "To AM": "to_am", "From CSM": "from_csm", "To CSM": "to_csm", "Tier": "tier",
    "Forced": "forced", "Reason": "reason", "Next best seat": "next_best", "Its drawback": "next_best_drawback",
}  # fmt: skip
NUMBERS = {"Units": "units", "ARR": "arr", "Revenue at risk": "disruption",
           "Its extra disruption": "next_best_extra_disruption"}  # fmt: skip
"""Columns of the sheet, and those of moves.csv that they show."""

LONGEST = 16_000
"""Characters of which a cell surely holds the whole text."""

SHOWN = 10
DIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def check_workbook(file: Path, run: Path) -> Iterator[Violation]:
    """A violation for every cell beside the decisions that is not as the run has it, and for rows lost or added."""
    try:
        rows = _sheet(file)
        moves = _moves(run)
    except UnreadableError as error:
        yield Violation("manifest", str(error))
        return
    found = list(_differences(rows, moves))
    yield from (Violation("manifest", f"{WORKBOOK} {text}") for text in found[:SHOWN])
    if len(found) > SHOWN:
        yield Violation("manifest", f"{WORKBOOK} differs in {len(found) - SHOWN:,} more places")


def _differences(rows: list[tuple[int, dict[str, Any]]], moves: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    seen: set[str] = set()
    for number, row in rows:
        account = _plain(row.get("Account", ""))
        if account not in moves or account in seen:
            what = "is there twice" if account in seen else "is no move of the run"
            yield f'row {number:,}: "{printable(account)}" {what}'
            continue
        seen.add(account)
        for title, wanted in (*TEXTS.items(), *NUMBERS.items()):
            if title not in row or not _same(title, row[title], moves[account][wanted]):
                shown = printable(str(row.get(title, "nothing")))
                yield f'row {number:,}, column {title}: "{shown}" is not what the run says of {printable(account)}'
    for account in moves.keys() - seen:
        yield f"has no row for {printable(account)}"


def _same(title: str, cell: Any, text: str) -> bool:
    if title in TEXTS:
        wanted = {"true": "yes", "false": ""}[text] if title == "Forced" and text in ("true", "false") else text
        return len(wanted) > LONGEST or _plain(cell) == _plain(shown(wanted))
    number = exact(text)
    if number is None or not isinstance(cell, (int, float)):
        return number is None and cell == ""
    in_units = (float(number), float(number) / 100) if title == "Its extra disruption" else (float(number),)
    return any(math.isclose(float(cell), value, rel_tol=1e-12, abs_tol=1e-6) for value in in_units)


def shown(text: str) -> str:
    """The text as the sheet shows it: hidden characters are written out."""
    return "".join(ch.encode("unicode_escape").decode("ascii") if _hidden(ch) else ch for ch in text)


def _hidden(ch: str) -> bool:
    if ch in "\t\n":
        return False
    return unicodedata.category(ch) in ("Cc", "Cs") or ch in DIRECTIONAL or ord(ch) & 0xFFFE == 0xFFFE


def _plain(cell: Any) -> str:
    """The text of a cell, its spaces and line ends as one."""
    return " ".join(str(cell).split())


def _moves(run: Path) -> dict[str, dict[str, str]]:
    moves = columns_of(read_csv(run / "moves.csv", "moves.csv"), "moves.csv", ("account_id",))
    accounts = columns_of(read_csv(run / "inputs" / "accounts.csv", "inputs/accounts.csv"), "accounts.csv", ("name",))
    names = dict(zip(accounts["account_id"], accounts["name"], strict=True))
    moves["name"] = [names.get(account, "") for account in moves["account_id"]]
    wanted = {*TEXTS.values(), *NUMBERS.values()}
    if not wanted <= moves.keys():
        raise UnreadableError(f"moves.csv has no column {sorted(wanted - moves.keys())[0]}")
    rows = [{name: moves[name][at] for name in wanted} for at in range(len(moves["account_id"]))]
    keys = [_plain(shown(account)) for account in moves["account_id"]]
    return dict(zip(keys, rows, strict=True))


def _sheet(file: Path) -> list[tuple[int, dict[str, Any]]]:
    """The rows of the sheet by title, with their numbers; blank rows are left out."""
    from python_calamine import CalamineError, CalamineWorkbook

    faults = Faults()
    try:
        content = file.read_bytes()
        if open_archive(content, file.name, faults) is None:
            raise UnreadableError(str(faults.errors[0]))
        with CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
            lines = book.get_sheet_by_name(SHEET).to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError, KeyError) as error:
        raise UnreadableError(f"{file.name} was changed and cannot be read: {error}") from None
    titles = [_plain(cell) for cell in lines[0]] if lines else []
    rows = [(at, dict(zip(titles, line, strict=False))) for at, line in enumerate(lines[1:], start=2)]
    return [(at, row) for at, row in rows if any(cell != "" for cell in row.values())]
