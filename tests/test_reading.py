"""Any file: formats that hold the same book, options that say what is ambiguous, counts, and ids byte for byte."""

import csv
import datetime as dt
import importlib.util
import random
import string
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from helpers import messages, write_book
from pandas.testing import assert_frame_equal

from rebalancer.book import Book, load_book
from rebalancer.errors import InvalidInput, UsageError
from rebalancer.reading.options import ACCEPTABLE, WARNINGS
from rebalancer.reading.sheet import column_letters, column_number

_spec = importlib.util.spec_from_file_location("corpus_make", Path(__file__).parent / "corpus" / "make.py")
make = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make)

ACCOUNTS = [
    ["account_id", "name", "owner", "arr", "health", "renewal_date", "lock", "skills"],
    ["00123", "Acme", "E-1", "1200.5", "70.5", "2026-03-01", "true", "sap;bank"],
    ["123", "Beta, Inc.", "E-2", "3", "", "", "", ""],
]
AMS = [["am_id", "name"], ["E-1", "Eva"], ["E-2", "Emil"]]


def typed(text):
    """The accounts as a frame of real values."""
    frame = pd.DataFrame(ACCOUNTS[1:], columns=ACCOUNTS[0])
    frame["arr"] = [1200.5, 3.0]
    frame["health"] = [70.5, None]
    frame["renewal_date"] = [dt.date(2026, 3, 1), None]
    frame["lock"] = [True, None]
    return frame if not text else frame.astype(str)


def as_csv(folder):
    for name, rows in (("accounts", ACCOUNTS), ("ams", AMS)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    return folder


def as_parquet(folder):
    typed(False).to_parquet(folder / "accounts.parquet")
    pd.DataFrame(AMS[1:], columns=AMS[0]).to_parquet(folder / "ams.parquet")
    return folder


def as_sheets(folder):
    make.sheet(folder / "accounts.xlsx", ACCOUNTS, "Sheet1")
    make.sheet(folder / "ams.xlsx", AMS, "anything")
    return folder


def workbook(path):
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path))
    for name, rows in (("Accounts", ACCOUNTS), ("AMs", AMS), ("notes", [["hello"]])):
        page = book.add_worksheet(name)
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                page.write_string(i, j, value)
    page = book.get_worksheet_by_name("Accounts")
    page.write_number(1, 3, 1200.5)
    page.write_datetime(1, 5, dt.datetime(2026, 3, 1), book.add_format({"num_format": "d/m/yy"}))
    page.write_boolean(1, 6, True)
    book.close()
    return path


def as_one_workbook(folder):
    return workbook(folder / "plan.xlsx")


def as_directory_with_a_workbook(folder):
    workbook(folder / "plan.xlsx")
    return folder


FORMATS = [as_csv, as_parquet, as_sheets, as_one_workbook, as_directory_with_a_workbook]


@pytest.mark.parametrize("write", FORMATS)
def test_every_format_makes_the_same_book(tmp_path, write):
    book = load_book(write(tmp_path))
    frames = Book.from_frames(typed(False), pd.DataFrame(AMS[1:], columns=AMS[0]))
    for name in frames.tables:
        assert_frame_equal(book.tables[name], frames.tables[name])
    assert book.warnings == ()


def test_a_parquet_of_decimals_integers_and_categories_is_read_exactly(tmp_path):
    as_csv(tmp_path)
    (tmp_path / "accounts.csv").unlink()
    frame = pd.DataFrame(
        {
            "account_id": pd.array([9007199254740993, 9007199254740995], dtype="Int64"),
            "name": pd.Categorical(["x", "y"]),
            "owner": ["E-1", None],
            "arr": [Decimal("1200.50"), Decimal("1E+3")],
            "skills": [["sap", "bank"], None],
        }
    )
    frame.to_parquet(tmp_path / "accounts.parquet")
    book = load_book(tmp_path)
    assert book.accounts["account_id"].tolist() == ["9007199254740993", "9007199254740995"]
    assert book.accounts["arr"].tolist() == [1201, 1000]
    assert book.accounts["skills"].tolist() == [("sap", "bank"), ()]


def test_a_number_cell_is_never_misread_by_an_option(tmp_path):
    path = make.sheet(tmp_path / "accounts.xlsx", [make.HEADER, ["A-1", "x", "", 1.234], ["A-2", "y", "", 2000]])
    make.sheet(tmp_path / "ams.xlsx", AMS)
    for decimal in (None, ".", ","):
        assert load_book(tmp_path, decimal=decimal).accounts["arr"].tolist() == [1, 2000], path


# Where the tables are


def test_two_files_of_one_table_are_refused_until_book_toml_says_which(tmp_path):
    as_csv(tmp_path)
    as_parquet(tmp_path)
    found = messages(lambda: load_book(tmp_path))
    assert found[0] == (
        "accounts.csv: accounts.csv and accounts.parquet could each be the table accounts. "
        'Keep one, or write files.accounts = "accounts.csv" in book.toml.'
    )
    (tmp_path / "book.toml").write_text('[files]\naccounts = "accounts.csv"\nams = "ams.parquet"\n', encoding="utf-8")
    assert len(load_book(tmp_path).accounts) == 2


def test_book_toml_names_files_and_sheets(tmp_path):
    workbook(tmp_path / "plan.xlsx").rename(tmp_path / "q4.xlsx")
    settings = '[files]\naccounts = "q4.xlsx#Accounts"\nams = "people.csv"\n'
    write_book(tmp_path, accounts=None, ams=None, settings=settings, people="am_id,name\nE-1,Eva\nE-2,Emil\n")
    assert [count.file for count in load_book(tmp_path).row_counts] == ["q4.xlsx sheet Accounts", "people.csv"]
    write_book(tmp_path, accounts=None, ams=None, settings=settings.replace("#Accounts", "#Account"))
    assert (
        'q4.xlsx: there is no sheet \'Account\': "Accounts", "AMs", "notes".'
        in messages(lambda: load_book(tmp_path))[0]
    )


def test_a_workbook_without_a_sheet_for_a_table_says_what_it_has(tmp_path):
    path = make.sheet(tmp_path / "plan.xlsx", [make.HEADER, make.ROW])
    assert messages(lambda: load_book(path)) == [
        'plan.xlsx: the workbook has no sheet "ams". Sheets found: "accounts".'
    ]


def test_a_sheet_nearly_named_as_a_table_is_a_warning(tmp_path):
    import xlsxwriter

    book = xlsxwriter.Workbook(str(tmp_path / "plan.xlsx"))
    for name, rows in (("accounts", ACCOUNTS), ("ams", AMS), ("csm", [["csm_id", "name"]])):
        page = book.add_worksheet(name)
        for i, row in enumerate(rows):
            page.write_row(i, 0, row)
    book.close()
    assert [str(fault) for fault in load_book(tmp_path / "plan.xlsx").warnings] == [
        'plan.xlsx: the sheet "csm" is not read. Did you mean "csms"?'
    ]


def test_faults_of_a_sheet_name_file_sheet_row_and_column(tmp_path):
    path = make.sheet(tmp_path / "accounts.xlsx", [make.HEADER, make.ROW, ["A-2", "x", "E-9", "12k"]])
    write_book(tmp_path, accounts=None)
    found = messages(lambda: load_book(tmp_path))
    assert found[0].startswith('accounts.xlsx sheet accounts row 3, column arr, value "12k": not a plain number.')
    assert found[1].startswith('accounts.xlsx sheet accounts row 3, column owner, value "E-9": there is no such am_id')
    assert path.exists()


# Options


def amounts(tmp_path, *values, **read):
    rows = "".join(f'A-{n},x,E-1,"{value}"\n' for n, value in enumerate(values))
    return (
        load_book(write_book(tmp_path, accounts=f"account_id,name,owner,arr\n{rows}"), **read).accounts["arr"].tolist()
    )


@pytest.mark.parametrize(
    ("decimal", "text", "value"),
    [
        (",", "1.200,50", 1201), (",", "1200,5", 1201), (",", "1.200.000", 1_200_000), (",", "1 200,4", 1200),
        (",", "-1.200,5", -1201), (",", "12", 12), (",", ",5", 1), (".", "1,200.50", 1201), (".", "1'200.4", 1200),
        (".", "1,200", 1200), (".", "1200.5", 1201), (".", "1\u00a0200", 1200),
    ],
)  # fmt: skip
def test_amounts_are_read_as_the_decimal_says(tmp_path, decimal, text, value):
    assert amounts(tmp_path, text, decimal=decimal) == [value]


@pytest.mark.parametrize(
    ("decimal", "text"), [(",", "1.20"), (",", "1,2,3"), (".", "1.200,50"), (".", "12,00"), (",", "12.5"), (".", "-")]
)
def test_an_amount_against_the_decimal_is_an_error(tmp_path, decimal, text):
    assert (
        f'value "{text}": not a number. Write digits with the decimal "{decimal}"'
        in messages(lambda: amounts(tmp_path, text, decimal=decimal))[0]
    )


@pytest.mark.parametrize("text", ["1,200", "1.200,50", "1 200", "1'200", "1,2"])
def test_separators_that_could_mean_two_things_are_an_error(tmp_path, text):
    assert messages(lambda: amounts(tmp_path, text)) == [
        f'accounts.csv row 2, column arr, value "{text}": the separators could be of thousands or of decimals. '
        "Say what separates decimals with --decimal . or --decimal , or write plain digits with a point."
    ]


def test_points_that_could_be_of_thousands_are_an_error_unless_one_is_surely_decimal(tmp_path):
    assert len(messages(lambda: amounts(tmp_path, "1.200", "15.000", "7"))) == 2
    assert amounts(tmp_path, "1.200", "15.50") == [1, 16]


@pytest.mark.parametrize("text", ["$1200", "$ 1200", "1200 €", "EUR 1200", "1200 USD", "-$1200"])
def test_a_currency_sign_is_dropped_only_where_that_is_accepted(tmp_path, text):
    assert "--accept currency" in messages(lambda: amounts(tmp_path, text))[0]
    assert amounts(tmp_path, text, "5", accept=["currency"]) == [-1200 if "-" in text else 1200, 5]


def test_dates_are_read_in_the_order_given(tmp_path):
    accounts = "account_id,name,owner,arr,renewal_date\nA-1,x,E-1,1,03/04/2026\nA-2,x,E-1,1,2026-12-31\n"
    write_book(tmp_path, accounts=accounts)
    for order, day in (("DMY", "2026-04-03"), ("MDY", "2026-03-04")):
        dates = load_book(tmp_path, dates=order).accounts["renewal_date"].dt.strftime("%Y-%m-%d").tolist()
        assert dates == [day, "2026-12-31"]


def test_options_of_book_toml_are_those_of_the_call(tmp_path):
    settings = '[reading]\ndecimal = ","\ndates = "DMY"\nqueues = ["Pool"]\naccept = ["queue", "delimiter"]\n'
    accounts = "account_id;name;owner;arr;renewal_date\nA-1;x;Pool;1.200,5;3.4.2026\n"
    book = load_book(write_book(tmp_path, accounts=accounts, settings=settings))
    assert book.accounts.loc[0, ["owner", "arr"]].tolist() == ["", 1201]
    assert book.warnings == ()


@pytest.mark.parametrize(
    ("read", "message"),
    [
        ({"accept": "fotter"}, r'^"fotter" can\'t be accepted\. Did you mean "footer"\?$'),
        ({"accept": ["duplicate"]}, r"^\"duplicate\" can't be accepted\. Codes: footer, "),
        ({"decimal": ";"}, r'^decimal ";" is none of ., ,\.$'),
        ({"dates": "dmy"}, r'^dates "dmy" is none of YMD, DMY, MDY\.$'),
    ],
)
def test_an_option_that_does_not_exist_is_a_mistake_of_the_call(tmp_path, read, message):
    with pytest.raises(UsageError, match=message):
        load_book(write_book(tmp_path), **read)


def test_every_code_that_can_be_accepted_is_documented():
    text = (Path(__file__).parents[1] / "docs" / "reading.md").read_text(encoding="utf-8")
    assert [code for code in (*ACCEPTABLE, *WARNINGS) if f"`{code}`" not in text] == []


# Counts


def test_rows_read_are_rows_kept_and_rows_rejected(tmp_path):
    accounts = "account_id,name,owner,arr\nA-1,a,E-1,1\n\nA-1,a,E-1,1\nA-2,b,E-1,2\nGrand Total,,,4\n"
    book = load_book(write_book(tmp_path, accounts=accounts), accept="footer")
    assert [str(count) for count in book.row_counts] == [
        "accounts: 4 rows read from accounts.csv: 2 kept, 2 rejected.",
        "ams: 2 rows read from ams.csv: 2 kept, 0 rejected.",
    ]
    for count in book.row_counts:
        assert count.read == count.kept + count.rejected


def test_rows_are_counted_where_the_book_is_refused(tmp_path):
    accounts = "account_id,name,owner,arr\nA-1,a,E-1,x\nA-2,b,E-1\nA-3,c,E-9,y\nA-4,d,E-1,1\n"
    with pytest.raises(InvalidInput) as raised:
        load_book(write_book(tmp_path, accounts=accounts))
    assert raised.value.__notes__[0] == "accounts: 4 rows read from accounts.csv: 1 kept, 3 rejected."


# Byte for byte


def test_columns_of_a_sheet_are_numbered_as_excel_does():
    for number, letters in ((1, "A"), (26, "Z"), (27, "AA"), (2602, "CVB"), (16_384, "XFD")):
        assert (column_number(letters), column_letters(number)) == (number, letters)


LOOKALIKES = [
    "00123", "123", "1E5", "1e5", "TRUE", "true", "NA", "null", "#N/A", "nan", "None", "-0", "+1", "=1+1", "@x",
    "01002",
    "0015500000Xyy06", "123456789012345678", "2026-01-01", "1.0", "1,5", "_x0041_", "'quoted", "a;b", "a|b",
    'say "hi"',
    "Café", "Cafe\u0301", "İstanbul", "straße", "日本", "😀", "a\u200bb", "\u202eabc", "sep=;", "Total SA",
    "x#y",
    "%20",
]  # fmt: skip
ALPHABET = string.ascii_letters + string.digits + " .,;|'\"#=+-@_/\\%&<>éßİ日😀\u00a0\u200b"


def words(count, seed):
    """Distinct texts of ids: those that look like something else, then random ones."""
    rng = random.Random(seed)
    found = dict.fromkeys(LOOKALIKES)
    while len(found) < count:
        kinds = (string.digits, string.hexdigits, ALPHABET)
        text = "".join(rng.choices(rng.choice(kinds), k=rng.randint(1, 30))).strip()
        if text:
            found[text] = None
    return list(found)[:count]


def check_ids_survive(folder, count, seed):
    """Ids, names and regions of a book are the same texts after CSV, XLSX, Parquet and a frame."""
    ids = words(count, seed)
    others, codes = ids[::-1], ids[1:] + ids[:1]
    rows = [[key, name, "E-1", "1", zip_code] for key, name, zip_code in zip(ids, others, codes, strict=True)]
    header = ["account_id", "name", "owner", "arr", "region"]
    frame = pd.DataFrame(rows, columns=header)
    with (folder / "accounts.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    ams = pd.DataFrame({"am_id": ["E-1"], "name": ["Eva"]})
    books = [load_book(write_book(folder, accounts=(folder / "accounts.csv").read_bytes()))]
    (folder / "accounts.csv").unlink()
    make.sheet(folder / "accounts.xlsx", [header, *rows])
    books.append(load_book(folder))
    (folder / "accounts.xlsx").unlink()
    frame.to_parquet(folder / "accounts.parquet")
    books += [load_book(folder), Book.from_frames(frame, ams)]
    expected = frame.sort_values("account_id", ignore_index=True)
    for book in books:
        for column in ("account_id", "name", "region"):
            assert book.accounts[column].tolist() == expected[column].tolist()


def test_ids_zip_codes_and_names_survive_every_format(tmp_path):
    check_ids_survive(tmp_path, 200, seed=1)


@pytest.mark.long
def test_five_thousand_ids_zip_codes_and_names_survive_every_format(tmp_path):
    check_ids_survive(tmp_path, 5_000, seed=2)
