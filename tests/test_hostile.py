"""Every hostile input of the reliability list that reading can meet, and what a user sees of it.

`CASES` is the table: number, file or maker in `corpus/`, and what is expected. A number up to 66 without a case has
its reason in `NOT_HERE`.
"""

import importlib.util
import os
import random
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
from helpers import write_book

from rebalancer.book import Book, load_book
from rebalancer.errors import InvalidInput, UsageError
from rebalancer.reading import limits

CORPUS = Path(__file__).parent / "corpus"
_spec = importlib.util.spec_from_file_location("corpus_make", CORPUS / "make.py")
make = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make)


@dataclass(frozen=True)
class Case:
    """One input: `source` is a file of the corpus without its ending, or a maker; `expect` maps codes to words."""

    source: str
    expect: dict = field(default_factory=dict)
    warns: tuple = ()
    read: dict = field(default_factory=dict)
    """Reading options."""
    ids: tuple | None = None
    """The account ids of the book that comes out."""
    sheet: bool = True
    """The same as XLSX has the same end."""


def error(source, expect, warns=(), **read):
    return Case(source, expect, warns, read)


def text_only(source, expect=(), warns=(), ids=None, **read):
    """A case of text files, which no sheet can hold."""
    return Case(source, dict(expect), warns, read, ids, sheet=False)


def ok(source, *ids, warns=(), **read):
    return Case(source, {}, warns, read, ids or None)


LIMIT = "more than the limit of"
CASES = {
    1: [text_only("H01-byte-order-mark", ids=("A-1",))],
    2: [ok("utf16_le", "A-1"), ok("utf16_be", "A-1")],
    3: [ok("cp1252", "A-1", warns=("encoding",))],
    4: [error("mixed_encodings", {"encoding": "accounts.csv row 3: byte 51, in line 3, is not UTF-8, though others"})],
    5: [error("nul_bytes", {"nul": "NUL bytes"}), error("nul_in_sheet", {"nul": "NUL character"})],
    6: [
        text_only("H06-semicolon-decimal-comma", {"decimal": 'row 2, column health, value "70,5"'}, ("delimiter",)),
        text_only("H06-semicolon-decimal-comma", warns=("delimiter",), ids=("A-1",), decimal=","),
    ],
    7: [text_only(f"H07-{name}", ids=("A-1",)) for name in ("tab", "pipe", "sep-line")],
    8: [text_only("H08-unterminated-quote", {"csv": "row 3: the file is not a readable CSV from here on"})],
    9: [
        ok("H09-line-break-kept", "A-1", "A-2"),
        error("H09-line-break-shown", {"number": 'row 3, column arr, value "x"'}),
    ],
    10: [text_only("H10-one-more-field-everywhere", {"length": "row 2: the row has 5 fields and the header 4"})],
    11: [text_only("H11-short-and-long-rows", {"length": "row 4: the row has 5 fields and the header 4"})],
    12: [
        error("H12-empty", {"empty": "the file has no header"}),
        text_only("H12-spaces", {"empty": "the file has no header"}),
        error("H12-header-only", {"empty": "the accounts table has no rows"}),
        Case("H12-header-only", read={"allow_empty": True}, ids=()),
    ],
    13: [
        error("H13-grand-total", {"footer": 'row 3: row 3 looks like the footer of a report ("Grand Total")'}),
        ok("H13-grand-total", "A-1", warns=("footer",), accept="footer"),
        text_only("H13-salesforce-report", {"footer": "rows 4, 6, 7, 8, 9 look like the footer"}),
        text_only("H13-salesforce-report", warns=("footer",), ids=("A-1",), accept="footer"),
        error("footer_in_sheet", {"footer": "accounts.xlsx sheet accounts row 3: rows 3, 4 look like"}),
        error("titles_in_sheet", {"preamble": "the header seems to be in row 4, below 3 other lines"}),
        ok("titles_in_sheet", "A-1", warns=("preamble",), accept="preamble"),
    ],
    14: [error("ten_million_rows", {"large": LIMIT}), error("two_million_lines", {"large": LIMIT})],
    15: [error("truncated_xlsx", {"archive": "The file may be cut short"})],
    16: [ok("H16-leading-zeros", "00123", "123"), ok("ids_in_sheet", "00123", "123", "1E5")],
    17: [ok("H17-words-that-mean-something-else", "#N/A", "1E5", "NA", "TRUE", "nan", "null")],
    18: [
        error("eighteen_digits", {"digits": "more than 15 digits, and its last ones are lost"}),
        error("eighteen_digits_csv", {"digits": 'value "1.23457E+17"'}),
    ],
    19: [error("H19-one-blank-id", {"blank": "row 3, column account_id"})],
    20: [ok("H20-case-alone", "0015500000Xyy06AAB", "0015500000xyy06AAA", warns=("salesforce_id",))],
    21: [ok("H21-15-and-18", "0015500000Xyy06AAB", warns=("repeated_row", "salesforce_id"))],
    22: [
        error("H22-wrong-checksum", {"checksum": "the last three characters of this Salesforce id should be AAB"}),
        ok("H22-no-salesforce-ids", "0015500000Xyy06AAC", "A-2"),
    ],
    23: [
        ok("H23-exact-duplicate", "A-1", "A-2", warns=("repeated_row",)),
        error("H23-other-arr", {"duplicate": 'row 4, column account_id, value "A-1": the same account_id as in row 2'}),
    ],
    24: [
        error("H24-case-of-an-email", {"lookalike": 'it looks like the same AM as "eva@example.com"'}),
        ok("H24-case-of-an-email", "A-1", warns=("lookalike",), accept="lookalike"),
        error("H24-invisible", {"lookalike": "E-1\\\\u200b"}),
    ],
    25: [ok("H25-decomposed-owner", "A-1", warns=("normal_form",))],
    26: [error("H26-cyrillic-owner", {"unknown_id": 'Did you mean "Eva-1"?'})],
    27: [
        ok("H27-turkish-and-sharp-s", "ISTANBUL", "istanbul", "strasse", "straße", "İstanbul", "ıstanbul"),
        error("H27-owner", {"unknown_id": "there is no such am_id in ams"}),
    ],
    28: [
        ok("H28-odd-ids", "../../x", 'O\'Neil "x"', "a/b\\c;drop table accounts"),
        error("long_id", {"length": "an id has at most 200 characters"}),
    ],
    29: [
        error("H29-owner-three-times", {"tie": '"Owner" and "owner" could each be the column owner'}),
        error("H29-owner-twice", {"tie": '"Owner" and "owner" could each be the column owner'}),
    ],
    30: [
        ok("H30-reordered-headers", "A-1"),
        error("H30-other-language", {"column": "Columns found: Kundennummer, Firma, Betreuer, Umsatz"}),
        ok("H30-other-language", "A-1", map={
            "account_id": "Kundennummer", "accounts.name": "Firma", "owner": "Betreuer", "arr": "Umsatz"}),
    ],
    31: [
        error("zip_bomb", {"large": "bytes after unpacking"}),
        error("zip_bomb_by_ratio", {"large": "times larger after unpacking"}),
        error("lying_zip", {"archive": "can't be unpacked"}),
    ],
    32: [error("billion_laughs", {"archive": "declares XML entities"})],
    33: [error(name, {"archive": "declares XML entities"}) for name in ("external_entity", "external_dtd")],
    34: [
        ok("far_cell", "A-1", warns=("beyond_header",)),
        ok("farthest_cell", "A-1", warns=("beyond_header",)),
        error("lowest_cell", {"large": "rows in the sheet: 1,048,576"}),
    ],
    36: [ok("macros", "A-1", warns=("active_content",))],
    37: [error("uncalculated_formula", {"formula": "row 2, column D: the formula was never calculated", "blank": ""})],
    38: [error("error_cell", {"error_cell": "row 2, column D: the cell holds an error", "blank": ""})],
    39: [
        error("password", {"type": "a workbook protected by a password"}),
        error("old_excel", {"type": "an old Excel workbook (.xls)"}),
        error("html_as_csv", {"type": "a web page or XML"}),
        error("xlsx_as_csv", {"type": "a zip archive"}),
        error("zip_as_xlsx", {"type": "no Excel workbook"}),
    ],
    40: [
        error("outside_entry", {"archive": "points outside the archive"}),
        error("nested_zip", {"archive": "is an archive in the archive"}),
        error("link_entry", {"archive": "is a link"}),
        error("duplicate_entry", {"archive": "have the same name"}),
    ],
    41: [
        error("fifo", {"file": "not a regular file"}),
        error("directory", {"file": "not a regular file"}),
        error("device", {"file": "not a regular file"}),
        ok("link_to_file", "A-1"),
    ],
    42: [error("gzip_bomb", {"type": "a gzip archive"})],
    43: [
        error("pickled", {"type": "a Python pickle, which is never loaded"}),
        error("text_as_parquet", {"type": "the file is text"}),
        error("cut_parquet", {"parquet": "no readable Parquet file"}),
    ],
    44: [
        error("H44-duplicate-key", {"toml": "Cannot overwrite a value"}),
        error("H44-wrong-types", {"book_toml": "book.toml, key reading.accept: must be a list of texts"}),
        error("H44-unknown-keys", {"book_toml": 'book.toml, key colums: unknown key. Did you mean "columns"?'}),
        error("H44-yaml", {"toml": "not readable as TOML"}),
        error("pickled_settings", {"toml": "not readable as TOML"}),
    ],
    45: [error("H45-no-numbers", {"number": 'row 5, column arr, value "1e400": not a plain number'})],
    46: [ok("H46-negative-arr", "A-1", "A-2", warns=("negative_arr",))],
    47: [error("H47-out-of-range", {"range": "more than $1,000,000,000,000 can't be meant"})],
    48: [
        error("H48-signs-and-separators", {
            "currency": 'value "$1,200": the amount has a currency sign', "decimal": 'value "1.200,50"',
            "number": 'value "(450)": not a plain number'}),
        error("H48-thousands-with-points", {"decimal": 'row 2, column arr, value "1.200"'}),
        ok("H48-thousands-with-points", "A-1", "A-2", decimal=","),
        error("H48-mixed-currencies", {"mixed_currency": "2 currencies: EUR, USD"}),
        error("H48-mixed-signs", {"mixed_currency": "currencies are mixed ($, €)"}, accept="currency"),
    ],
    49: [ok("H49-more-than-2-31-cents", *(f"A-{n}" for n in range(9)))],
    50: [ok("H50-all-zero", "A-1", "A-2"), ok("H50-one-holds-nearly-all", "A-1", "A-2")],
    51: [error("text_at_row_9000", {"number": 'accounts.csv row 9,000, column arr, value "none"'})],
    52: [
        ok("H52-words-for-yes", *(f"A-{n}" for n in range(1, 6))),
        error("H52-other-words", {"flag": 'value "maybe": neither true nor false'}),
    ],
    53: [
        error("H53-dates", {
            "ambiguous_date": 'value "03/04/2026": the date could mean several days',
            "date": 'value "45000": a number, not a date'}),
        ok("H53-day-first", "A-1", "A-2", dates="DMY"),
        error("H53-day-first", {"date": 'value "13.4.2026 09:30"'}, dates="MDY"),
        ok("H53-year-9999", "A-1"),
        ok("dates_in_sheet", "A-1"),
        error("serial_in_sheet", {"date": 'value "45000": a number, not a date'}),
    ],
    54: [ok("H54-time-zones", "A-1", "A-2", warns=("time_zone",))],
    56: [
        error("H56-circle", {"family": "the parents go round in a circle: A -> B -> C -> A"}),
        error("H56-own-parent", {"family": "the account is its own parent"}),
    ],
    57: [ok("H57-parent-not-there", "A", "B", warns=("orphan_parent",))],
    58: [Case("deep_family")],
    59: [ok("H59-family-of-two-owners", "A", "B")],
    60: [
        error("H60-unknown-owner", {"unknown_id": 'Did you mean "EVA-01"?'}),
        ok("H60-unknown-owner", "A-1", warns=("unknown_id",), accept="unknown_id"),
        ok("H60-blank-owner", "A-1"),
        error("H60-queue", {"unknown_id": 'row 3, column owner, value "EMEA Queue"'}, ("queue",)),
        ok("H60-queue", "A-1", "A-2", warns=("queue",), queues=["EMEA Queue"]),
    ],
    61: [
        ok("H61-no-accounts-and-no-capacity", "A-1"),
        error("H61-negative-capacity", {"range": "row 2, column capacity, value \"-1\""}),
    ],
    62: [ok("H62-inactive", "A-1", warns=("inactive_owner",))],
    63: [error("H63-two-rows-two-capacities", {"duplicate": "ams.csv row 4"})],
    64: [ok("H64-lock-of-an-inactive", "A-1", warns=("inactive_owner",))],
    65: [ok("H65-nobody-may-take-it", "A-1")],
    66: [ok("H66-on-leave", "A-1")],
}  # fmt: skip

NOT_HERE = {
    35: "300,000 rows take a while: test_a_sheet_of_300000_rows_is_read_in_bounds, long",
    55: "nothing here writes SQLite; that no NaN leaves reading is test_fuzzed_files_never_break_reading",
}
"""Numbers without a row in the table, and why."""


def place(case, folder):
    """The book directory of a case."""
    write_book(folder)
    if case.source[0] != "H":
        getattr(make, case.source)(folder)
        return folder
    for file in CORPUS.glob(f"{case.source}.*"):
        shutil.copy(file, folder / file.name.removeprefix(f"{case.source}."))
    return folder


def as_sheets(folder):
    """CSV tables of a directory as XLSX files, every cell as text."""
    for file in folder.glob("*.csv"):
        make.sheet(file.with_suffix(".xlsx"), make_rows(file), file.stem)
        file.unlink()
    return folder


def make_rows(file):
    import csv

    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.reader(lines))


def outcome(folder, **read):
    """The book of a directory, or the error with its faults."""
    try:
        return load_book(folder, **read), None
    except InvalidInput as raised:
        return None, raised


def judge(case, folder):
    """Fail unless the book ends as the case says."""
    book, error = outcome(folder, **case.read)
    if error is not None:
        assert {fault.code for fault in error} == set(case.expect), str(error)
        return str(error)
    assert not case.expect, [str(warning) for warning in book.warnings]
    assert {fault.code for fault in book.warnings} == set(case.warns), [str(fault) for fault in book.warnings]
    if case.ids is not None:
        assert tuple(book.accounts["account_id"]) == tuple(sorted(case.ids))
    return None


ALL = [(number, case) for number, cases in CASES.items() for case in cases]
NAMES = [f"H{number}-{case.source}-{'-'.join(case.read)}" for number, case in ALL]


@pytest.mark.parametrize(("number", "case"), ALL, ids=NAMES)
def test_a_hostile_input_ends_as_promised(number, case, tmp_path):
    said = judge(case, place(case, tmp_path))
    for words in case.expect.values():
        assert words.replace("\\\\", "\\") in said


IN_SHEETS = [(number, case) for number, case in ALL if case.sheet and case.source[0] == "H" and number != 44]


@pytest.mark.parametrize(
    ("number", "case"), IN_SHEETS, ids=[f"H{n}-{case.source}-{'-'.join(case.read)}" for n, case in IN_SHEETS]
)
def test_the_same_as_a_sheet_ends_the_same(number, case, tmp_path):
    judge(case, as_sheets(place(case, tmp_path)))


def test_every_number_up_to_66_is_covered_or_has_its_reason():
    assert set(CASES) | set(NOT_HERE) == set(range(1, 67))
    assert not set(CASES) & set(NOT_HERE)


def test_every_file_of_the_corpus_is_used():
    sources = {case.source for _, case in ALL}
    assert {file.name.split(".")[0] for file in CORPUS.glob("H*")} == {name for name in sources if name[0] == "H"}


# Beyond the table


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    folder, stat = write_book(tmp_path), os.fstat
    seen = []

    def grows(handle):
        seen.append(handle)
        if len(seen) == 2:
            with (folder / "accounts.csv").open("a") as file:
                file.write("A-2,x,E-1,1\n")
        return stat(handle)

    monkeypatch.setattr("rebalancer.reading.files.os.fstat", grows)
    with pytest.raises(InvalidInput, match="the file changed while it was read"):
        load_book(folder)


@pytest.mark.parametrize("path", ["https://example.com/book", "s3://bucket/book", "file:///etc"])
def test_nothing_is_fetched(path):
    with pytest.raises(UsageError, match="is a URL; nothing is fetched"):
        load_book(path)


def test_a_single_file_that_is_no_workbook_is_no_book(tmp_path):
    folder = write_book(tmp_path)
    with pytest.raises(UsageError, match="is no book"):
        load_book(folder / "accounts.csv")


def test_limits_count_the_rows_below_the_header_and_can_be_lifted(tmp_path, monkeypatch):
    folder = write_book(tmp_path, ams="am_id,name\nE-1,Eva\n")
    monkeypatch.setattr(limits, "MAX_ROWS", 1)
    assert len(load_book(folder).accounts) == 1
    monkeypatch.setattr(limits, "MAX_ROWS", 0)
    with pytest.raises(InvalidInput, match=r"lines in the file: 2, more than the limit of 1\. Split the file, or"):
        load_book(folder)
    assert len(load_book(folder, accept="large").accounts) == 1


def test_a_file_name_in_book_toml_stays_in_the_book(tmp_path):
    for name in ("../x.csv", "/etc/passwd", f"C:{2 * chr(92)}x.csv"):
        with pytest.raises(InvalidInput, match="the file is not in the book"):
            load_book(write_book(tmp_path, settings=f'[files]\naccounts = "{name}"\n'))


PEAK = """
import pathlib, re, sys, time
from rebalancer.book import load_book
start = time.time()
try:
    print(len(load_book(sys.argv[1]).accounts))
except Exception as error:
    print(type(error).__name__)
print(time.time() - start)
print(int(re.search("VmHWM[^0-9]+([0-9]+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024)
"""
"""The peak of this process alone: getrusage would count that of the process which started it."""


def measured(folder):
    """What came out of reading in a process of its own, its seconds and megabytes."""
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", PEAK, folder], capture_output=True, text=True, check=True)
    came, seconds, megabytes = done.stdout.split()
    return came, float(seconds), float(megabytes)


@pytest.mark.parametrize("maker", ["farthest_cell", "far_cell", "zip_bomb", "ten_million_rows"])
def test_a_file_as_a_weapon_stays_within_500_megabytes_and_10_seconds(tmp_path, maker):
    _, seconds, megabytes = measured(place(Case(maker), tmp_path))
    assert seconds < 10
    assert megabytes < 500


@pytest.mark.long
def test_a_sheet_of_300000_rows_is_read_in_bounds(tmp_path):
    came, seconds, megabytes = measured(place(Case("many_rows"), tmp_path))
    assert came == "300000"
    assert seconds < 30
    assert megabytes < 1000


# Fuzzing

SEEDS = sorted(CORPUS.glob("*.accounts.csv"))
LARGER = "account_id,name,owner,arr,region,notes\n" + "".join(f"A-{n},Name {n},E-1,{n},EMEA,note\n" for n in range(20))
CELLS = [
    "", " ", "NA", "1E5", "-1", "0", "1,5", "1.5", "NaN", "\x00", "\ufeff", '"', '""', "=1+1", "é", "\u202e", "9" * 40,
    "2026-13-01", "true", ";", "\n", "\r", "Grand Total", "E-1", "0015500000Xyy06", "x" * 300,
]  # fmt: skip


def mutated(content, rng):
    """The bytes with a few of them, or of its cells, changed, cut, doubled or moved."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        kind = rng.randrange(6)
        at = rng.randrange(len(content) + 1)
        if kind == 0:
            content = content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
        elif kind == 1:
            content = content[:at] + content[at + rng.randrange(20) :]
        elif kind == 2:
            content = content[:at] + content[max(0, at - 30) :]
        elif kind == 3:
            content = (
                content[:at] + rng.choice([b",", b";", b"\t", b'"', b"\r", b"\n", b"\xff", b"\x00"]) + content[at:]
            )
        else:
            parts = re.split(rb"([,;\n])", content)
            parts[rng.randrange(len(parts))] = rng.choice(CELLS).encode()
            content = b"".join(parts)
    return content


def fuzz(folder, count, seed):
    """Read that many mutated files; every end is a book that validates, or errors that say something."""
    rng = random.Random(seed)
    ends = {"book": 0, "errors": 0}
    for number in range(count):
        content = mutated(rng.choice(SEEDS).read_bytes() if rng.random() < 0.6 else LARGER.encode(), rng)
        write_book(folder, accounts=content)
        start = time.monotonic()
        book, error = outcome(folder, accept=("footer", "unknown_id"))
        ends["errors" if book is None else "book"] += 1
        if book is None:
            assert all(fault.problem and fault.code for fault in error)
        else:
            again = Book.from_frames(**book.text_tables(), effective_date=book.effective_date)
            pd.testing.assert_frame_equal(book.accounts, again.accounts)
            assert book.accounts["account_id"].is_unique
            assert (book.accounts["account_id"] != "").all()
            assert set(book.accounts["owner"]) <= {"", *book.ams["am_id"]}
            assert book.accounts["arr"].dtype == "int64"
        assert time.monotonic() - start < 10, (number, content)
    return ends


def test_fuzzed_files_never_break_reading(tmp_path):
    ends = fuzz(tmp_path, 300, seed=1)
    assert min(ends.values()) > 20, ends


@pytest.mark.long
def test_ten_thousand_fuzzed_files_never_break_reading(tmp_path):
    ends = fuzz(tmp_path, 10_000, seed=2)
    assert min(ends.values()) > 500, ends
