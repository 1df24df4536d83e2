"""moves.xlsx: what people decide on. Texts stay texts, whatever they begin with; equal proposals are equal bytes."""

import io
import json
import warnings
from dataclasses import replace

import openpyxl
import pandas as pd
import pytest
from small_books import ACCOUNTS, AMS, CSMS, OWNED, PODS, WIDE_AMS, WITH_CSMS, book_of, frame, write_book

from rebalancer.book import Book
from rebalancer.plan import propose
from rebalancer.run_directory import read_run
from rebalancer.surfaces import workbook
from rebalancer.surfaces.workbook import FILE, MOST_CHARACTERS, moves_workbook, shortened, visible
from rebalancer.verify import verify_run

DANGEROUS = [
    '=HYPERLINK("http://evil","x")', "+1", "-2+3", "@SUM(A1)", "\t=1+1", "\uff1d1+1", "=1", "{=1}", "'=1", "\n=1",
    "http://example.com", "mailto:a@b.c", "internal:Lists!A1", "_x0041_", "1E5", "00123", "TRUE", "#N/A", "😀 =1",
]  # fmt: skip


@pytest.fixture(scope="module")
def proposal():
    return propose(book_of(), workers=1, time_limit=10)


def opened(proposal):
    """The workbook as openpyxl reads it."""
    files, _ = moves_workbook(proposal)
    return openpyxl.load_workbook(io.BytesIO(files[FILE]))


def column(sheet, title):
    """The cells below a header."""
    (found,) = [cells for cells in sheet.iter_cols() if cells[0].value == title]
    return found[1:]


def named(proposal, names):
    """The proposal with other account names and reasons: text from a CRM and text made of ids."""
    ids = proposal.moves["account_id"].tolist()
    accounts = proposal.book.accounts.copy()
    accounts["name"] = [dict(zip(ids, names, strict=False)).get(i, "other") for i in accounts["account_id"]]
    book = replace(proposal.book, tables={**proposal.book.tables, "accounts": accounts})
    reasons = [names[i % len(names)] for i in range(len(ids))]
    return replace(proposal, book=book, moves=proposal.moves.assign(reason=reasons))


def test_the_sheet_holds_the_moves_in_their_order(proposal):
    sheet = opened(proposal)["Moves"]
    moves = proposal.moves
    assert [cell.value for cell in column(sheet, "Account")] == moves["account_id"].tolist()
    assert [cell.value for cell in column(sheet, "To AM")] == moves["to_am"].tolist()
    assert [cell.value for cell in column(sheet, "ARR")] == moves["arr"].tolist()
    assert [cell.value for cell in column(sheet, "Revenue at risk")] == moves["disruption"].tolist()
    assert [cell.value for cell in column(sheet, "Reason")] == moves["reason"].tolist()
    assert [cell.value for cell in column(sheet, "Forced")] == ["yes" if x else None for x in moves["forced"]]
    assert [cell.value for cell in column(sheet, "Name")] == ["Dune", "Gale", "Fjord"]


def test_the_sheet_is_made_to_be_read(proposal):
    sheet = opened(proposal)["Moves"]
    assert sheet.freeze_panes == "C2"
    assert sheet.auto_filter.ref == f"A1:R{len(proposal.moves) + 1}"
    assert column(sheet, "ARR")[0].number_format == "$#,##0"
    assert column(sheet, "Units")[0].number_format == "#,##0.00"
    assert column(sheet, "Reason")[0].alignment.wrap_text
    assert {cell.number_format for cell in column(sheet, "Account")} == {"@"}
    assert sheet.column_dimensions["L"].width > 50


def test_only_the_readers_columns_can_be_written_and_they_are_empty(proposal):
    sheet = opened(proposal)["Moves"]
    assert sheet.protection.sheet
    for cells in sheet.iter_cols(min_row=2):
        free = cells[0].column_letter in "PQR"
        assert all(cell.protection.locked is not free for cell in cells)
        assert not free or all(cell.value is None for cell in cells)
    assert [sheet[f"{letter}1"].value for letter in "PQR"] == ["Decision", "Override", "Comment"]


def test_decisions_and_overrides_are_chosen_from_lists(proposal):
    book = opened(proposal)
    rules = {str(rule.sqref): rule.formula1 for rule in book["Moves"].data_validations.dataValidation}
    last = len(proposal.moves) + 1
    assert rules == {f"P2:P{last}": '"Approve,Reject,Hold"', f"Q2:Q{last}": "Lists!$A$1:$A$3"}
    assert book["Lists"].sheet_state == "hidden"
    assert [cell.value for cell in book["Lists"]["A"]] == ["M-1", "M-2", "M-3"]


@pytest.mark.parametrize("name", DANGEROUS)
def test_no_text_becomes_a_formula_a_link_or_a_number(proposal, name):
    book = opened(named(proposal, [name]))
    for sheet in book:
        for cells in sheet.iter_rows():
            assert all(cell.data_type != "f" and cell.hyperlink is None for cell in cells)
    cell = column(book["Moves"], "Name")[0]
    assert (cell.value, cell.data_type) == (name, "s")
    assert column(book["Moves"], "Reason")[0].value == name


def test_ids_that_look_like_formulas_and_numbers_stay_text():
    accounts, ams = frame(ACCOUNTS), frame(AMS)
    accounts["account_id"] = ["=1+1", "00123", "1E5", "+A", "@B", "-2", "TRUE"]
    ams["am_id"] = accounts["owner"].replace({"M-1": "=M1", "M-2": "+M2", "M-3": "007"}).unique()[[0, 1, 3]]
    accounts["owner"] = accounts["owner"].replace({"M-1": "=M1", "M-2": "+M2", "M-3": "007"})
    made = propose(Book.from_frames(accounts, ams, effective_date="2026-01-15"), workers=1, time_limit=10)
    book = opened(made)
    assert [cell.value for cell in column(book["Moves"], "Account")] == made.moves["account_id"].tolist()
    assert {cell.data_type for cell in column(book["Moves"], "Account")} == {"s"}
    assert [cell.value for cell in book["Lists"]["A"]] == made.books["am_id"].tolist()
    assert not any(cell.data_type == "f" for sheet in book for cells in sheet.iter_rows() for cell in cells)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a\\x00b"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb", "a\\rb"),
        ("tab\there\nline", "tab\there\nline"),
        ("\u202eevil", "\\u202eevil"),
        ("\ufffe", "\\ufffe"),
        ("Ünï 😀 日本", "Ünï 😀 日本"),
    ],
)
def test_what_excel_refuses_is_written_out(proposal, text, shown):
    assert visible(text) == shown
    assert column(opened(named(proposal, [text]))["Moves"], "Name")[0].value == shown


def test_half_a_character_is_written_out():
    assert visible("\ud800") == "\\ud800"


def test_a_text_beyond_a_cell_is_cut_and_told(proposal):
    made = named(proposal, ["x" * 40_000, "😀" * 20_000, "short"])
    files, told = moves_workbook(made)
    assert told == ["4 texts in moves.xlsx were cut to the 32,767 characters of a cell. moves.csv has them whole."]
    shown = column(openpyxl.load_workbook(io.BytesIO(files[FILE]))["Moves"], "Name")[0].value
    assert shown == "x" * (MOST_CHARACTERS - 1) + "…"


@pytest.mark.parametrize(("text", "kept"), [("abcd", "abcd"), ("abcde", "abc…"), ("😀😀", "😀😀"), ("a😀😀", "a😀…")])
def test_characters_are_counted_as_excel_counts_them(text, kept):
    assert shortened(text, 4) == kept


def test_too_many_moves_for_a_sheet_are_left_out_and_told(proposal, monkeypatch, tmp_path):
    monkeypatch.setattr(workbook, "MOST_ROWS", 2)
    files, told = moves_workbook(proposal)
    assert files == {}
    assert told == ["moves.xlsx was not written: 3 moves are more than the 2 rows of a sheet. moves.csv has them all."]
    with pytest.warns(UserWarning, match="was not written"):
        run = proposal.write(tmp_path / "run")
    assert verify_run(run) == []


def test_the_command_line_tells_what_was_left_out(run, monkeypatch, tmp_path):
    monkeypatch.setattr(workbook, "MOST_ROWS", 2)
    told = run("propose", write_book(tmp_path / "book"), "--out", "run", "--workers", 1)
    assert told.code == 0
    assert told.err.startswith("warning: moves.xlsx was not written: 3 moves")
    assert not (tmp_path / "run" / FILE).exists()


@pytest.mark.parametrize(
    "tables",
    [{}, {"accounts": WITH_CSMS, "csms": CSMS, "pods": PODS}, {"accounts": OWNED, "ams": WIDE_AMS}],
    ids=["moves", "pods", "no move"],
)
def test_equal_proposals_are_equal_bytes_hashed_verified_and_read_back(tables, tmp_path):
    made = propose(book_of(**tables), workers=1, time_limit=10)
    first, second = made.write(tmp_path / "a"), made.write(tmp_path / "b")
    data = [(tmp_path / place / FILE).read_bytes() for place in ("a", "b")]
    assert data[0] == data[1]
    assert FILE in json.loads((tmp_path / "a" / "manifest.json").read_text())["editable"]
    assert verify_run(first) == verify_run(second) == []
    assert read_run(first).run_id == made.run_id


@pytest.mark.parametrize(
    ("measure", "shown", "scale"),
    [("accounts", "#,##0", 1), ("units", "#,##0.00", 100), ("revenue_at_risk", "$#,##0", 1)],
)
def test_what_the_next_best_seat_costs_is_in_the_measure_of_the_run(measure, shown, scale):
    made = propose(book_of(), workers=1, time_limit=10, measure=measure)
    cells = column(opened(made)["Moves"], "Its extra disruption")
    known = made.moves["next_best_extra_disruption"]
    assert [cell.value for cell in cells] == [None if pd.isna(x) else x / scale for x in known]
    assert cells[0].number_format == shown


def test_nothing_is_told_where_everything_fits(proposal, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        proposal.write(tmp_path / "run")
