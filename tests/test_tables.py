"""Reading one table: text first, value by value, with a whole message for every kind of fault."""

import csv
import datetime as dt
import io
import tempfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import messages, write_book
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.book import Book, load_book
from rebalancer.inputs import csv_text
from rebalancer.tables import TABLES, cell_text, number_text

PLAIN = "Write plain digits with a point, such as 120000 or 0.75, without currency signs or separators."


def load(tmp_path, **files):
    return load_book(write_book(tmp_path, **files))


def account(tmp_path, **values):
    """The one account of a book in which these columns have these values, as a Series."""
    row = {"account_id": "A-1", "name": "Acme", "owner": "E-1", "arr": "100", **values}
    text = io.StringIO()
    csv.writer(text).writerows([row.keys(), row.values()])
    return load(tmp_path, accounts=text.getvalue()).accounts.iloc[0]


def typed(name, *values):
    """The values of one accounts column read from a typed frame."""
    accounts = pd.DataFrame({"account_id": [f"A-{n}" for n in range(len(values))], "name": "", "owner": "", "arr": 0})
    accounts[name] = pd.Series(list(values), dtype=object)
    return Book.from_frames(accounts, pd.DataFrame({"am_id": ["E-1"], "name": ["Eva"]})).accounts[name].tolist()


# Text stays text


@pytest.mark.parametrize(
    "text", ["NA", "null", "#N/A", "nan", "None", "TRUE", "1E5", "00123", "0015E000012", "=1+1", "-"]
)
def test_what_looks_like_something_else_stays_the_text_it_is(tmp_path, text):
    ams = f"am_id,name\n{text},Eva\n"
    one = account_with(tmp_path, ams, account_id=text, owner=text, name=text, region=text, industry=text)
    assert one[["account_id", "owner", "name", "region", "industry"]].tolist() == [text] * 5


def account_with(tmp_path, ams, **values):
    header, row = ",".join(["arr", *values]), ",".join(["0", *values.values()])
    return load(tmp_path, accounts=f"{header}\n{row}\n", ams=ams).accounts.iloc[0]


def test_ids_that_differ_by_leading_zeros_or_by_case_are_two_accounts(tmp_path):
    rows = "00123,,,1\n123,,,2\n0015E00001abcde,,,3\n0015E00001ABCDE,,,4\n"
    book = load(tmp_path, accounts=f"account_id,name,owner,arr\n{rows}")
    assert dict(zip(book.accounts["account_id"], book.accounts["arr"], strict=True)) == {
        "00123": 1, "123": 2, "0015E00001abcde": 3, "0015E00001ABCDE": 4,
    }  # fmt: skip


def test_spaces_around_a_field_are_dropped_and_those_inside_are_kept(tmp_path):
    one = account(tmp_path, name="  A  B\u00a0", owner=" E-1 ")
    assert (one["name"], one["owner"]) == ("A  B", "E-1")


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    book = load(tmp_path, accounts=b"\xef\xbb\xbfaccount_id,name,owner,arr\nA-1,Acme,E-1,100\n")
    assert book.accounts["account_id"].tolist() == ["A-1"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(tmp_path, end):
    assert (
        len(load(tmp_path, accounts=f"account_id,name,owner,arr{end}A-1,Acme,E-1,1{end}A-2,B,E-1,2{end}").accounts) == 2
    )


@pytest.mark.parametrize(
    "name", ["Acme\nUK", "Acme\r\nUK", "Acme\rUK", 'Ac"me', "Ac,me", "Ac;me", "日本", "Ac\u2028me"]
)
def test_a_name_keeps_its_line_breaks_quotes_and_alphabet_through_a_run_directory(tmp_path, name):
    assert account(tmp_path, name=name)["name"] == name
    written = csv_text(load_book(tmp_path).text_tables()["accounts"])
    (tmp_path / "accounts.csv").write_bytes(written.encode())
    assert load_book(tmp_path).accounts["name"].tolist() == [name]


def test_blank_lines_are_skipped_and_still_counted(tmp_path):
    text = "account_id,name,owner,arr\n\nA-1,Acme,E-1,1\n,,,\nA-2,Acme,E-1,x\n"
    assert messages(lambda: load(tmp_path, accounts=text)) == [
        f'accounts.csv row 5, column arr, value "x": not a plain number. {PLAIN}'
    ]


NO_CONTROLS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)


@given(rows=st.dictionaries(NO_CONTROLS.map(str.strip).filter(bool), NO_CONTROLS, min_size=1, max_size=9))
@settings(max_examples=25)
def test_any_id_and_name_without_control_characters_survives_byte_for_byte(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [("account_id", "name", "owner", "arr"), *((key, name, "", "0") for key, name in rows.items())]
    )
    with tempfile.TemporaryDirectory() as place:
        folder = write_book(Path(place), accounts=text.getvalue())
        first = csv_text(load_book(folder).text_tables()["accounts"])
        (folder / "accounts.csv").write_bytes(first.encode())
        again = csv_text(load_book(folder).text_tables()["accounts"])
    read = {line["account_id"]: line["name"] for line in csv.DictReader(io.StringIO(first, newline=""))}
    assert read == {key: name.strip() for key, name in rows.items()}
    assert again == first


# Money


@pytest.mark.parametrize(
    ("text", "dollars"),
    [
        ("0", 0), ("1.49", 1), ("1.5", 2), ("2.5", 3), ("0.4999999999999999999999", 0), (".5", 1), ("5.", 5), ("+7", 7),
        ("-0.4", 0), ("-0.5", -1), ("-1.49", -1), ("-1.5", -2), ("007", 7), ("9007199254740993", None),
        ("999999999999.4", 999_999_999_999), ("999999999999.5", 10**12), ("1000000000000", 10**12),
    ],
)  # fmt: skip
def test_money_is_whole_dollars_rounded_half_up_away_from_zero(tmp_path, text, dollars):
    if dollars is None:  # beyond a trillion
        assert "can't be meant" in messages(lambda: account(tmp_path, arr=text))[0]
    else:
        assert account(tmp_path, arr=text)["arr"] == dollars


@pytest.mark.parametrize("text", ["1000000000001", "1000000000000.5", "-1000000000001", "9" * 30])
def test_more_than_a_trillion_dollars_is_refused(tmp_path, text):
    assert messages(lambda: account(tmp_path, arr=text)) == [
        f'accounts.csv row 2, column arr, value "{text}": more than $1,000,000,000,000 can\'t be meant. '
        "Give the amount in dollars."
    ]


def test_the_largest_amount_survives_its_own_canonical_text(tmp_path):
    account(tmp_path, arr="999999999999.5")
    tables = load_book(tmp_path).text_tables()
    assert Book.from_frames(**tables).accounts["arr"].tolist() == [10**12]


def test_an_optional_amount_may_be_missing_and_counts_nothing(tmp_path):
    assert account(tmp_path, opportunity="")["opportunity"] == 0


# Every kind of fault, with its whole message

NOT_PLAIN = ["12k", "(450)", "12%", "1e400", "1E5", "NaN", "inf", "-", ".", "١٢", "1,2,", "--1"]


def test_what_is_not_plain_digits_is_no_number(tmp_path):
    rows = "".join(f'A-{n},,,"{text}","{text}"\n' for n, text in enumerate(NOT_PLAIN))
    assert messages(lambda: load(tmp_path, accounts=f"account_id,name,owner,arr,health\n{rows}")) == [
        f'accounts.csv row {row}, column {column}, value "{text}": not a plain number. {PLAIN}'
        for column in ("arr", "health")
        for row, text in enumerate(NOT_PLAIN, start=2)
    ]


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("arr", "", "the value is missing. Fill it in."),
        ("account_id", "", "the value is missing. Fill it in."),
        ("health", "100.5", "the value must lie between 0 and 100. Correct it."),
        ("health", "-1", "the value must lie between 0 and 100. Correct it."),
        ("stakeholders", "1000001", "the value must lie between 0 and 1,000,000. Correct it."),
        ("complexity", "0", "the value must lie between 0.01 and 100. Correct it."),
        ("contracts", "-1", "the value is below 0. Correct it."),
        ("lock", "maybe", "neither true nor false. Write true or false."),
        (
            "renewal_date",
            "03/04/2026",
            "the date could mean several days. "
            "Write the date as YYYY-MM-DD, or say what comes first with --dates DMY, MDY or YMD.",
        ),
        ("renewal_date", "2026-02-29", "not a date between 1900 and 9999. Write the date as YYYY-MM-DD."),
        ("renewal_date", "1899-12-31", "not a date between 1900 and 9999. Write the date as YYYY-MM-DD."),
        (
            "renewal_date",
            "45000",
            "a number, not a date. "
            "It looks like a day counted by Excel: save the column as dates, or write them as YYYY-MM-DD.",
        ),
        ("renewal_date", "2026-01-01 or later", "not a date between 1900 and 9999. Write the date as YYYY-MM-DD."),
        ("tier", "Mid-Market", 'not one of strategic, enterprise, mid_market, smb. Did you mean "mid_market"?'),
        ("tier", "huge", "not one of strategic, enterprise, mid_market, smb."),
    ],
)
def test_a_bad_value_is_named_with_row_column_and_cure(tmp_path, column, text, message):
    assert messages(lambda: account(tmp_path, **{column: text})) == [
        f'accounts.csv row 2, column {column}, value "{text}": {message}'
    ]


def test_every_entry_of_a_list_must_be_known(tmp_path):
    assert messages(lambda: load(tmp_path, ams="am_id,name,tiers\nE-1,Eva,smb;tiny\n")) == [
        'ams.csv row 2, column tiers, value "smb;tiny": every entry must be one of strategic, enterprise, mid_market, '
        'smb. Separate several by ";".'
    ]


def test_an_id_has_a_length(tmp_path):
    assert account(tmp_path, account_id="x" * 200)["account_id"] == "x" * 200
    assert messages(lambda: account(tmp_path, account_id="x" * 201)) == [
        f'accounts.csv row 2, column account_id, value "{"x" * 57}...": an id has at most 200 characters. '
        "Shorten it in the source."
    ]


def test_a_value_is_shown_without_the_characters_that_steer_a_terminal(tmp_path):
    (message,) = messages(lambda: account(tmp_path, tier="\x1b[2J\u202e"))
    assert 'value "\\x1b[2J\\u202e"' in message


def test_the_same_id_twice_names_both_rows(tmp_path):
    text = "account_id,name,owner,arr\nA-1,a,,1\nA-2,b,,1\nA-1,c,,2\nA-1,d,,3\n"
    assert messages(lambda: load(tmp_path, accounts=text)) == [
        f'accounts.csv row {row}, column account_id, value "A-1": the same account_id as in row 2. '
        "Keep one of the two rows."
        for row in (4, 5)
    ]


def test_a_pair_of_a_pod_may_be_there_once(tmp_path):
    pods = "pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-1,E-2,C-1\nP-1,E-1,C-1\n"
    assert messages(lambda: load(tmp_path, csms="csm_id,name\nC-1,Cleo\n", pods=pods)) == [
        'pods.csv row 4, column pod_id, value "P-1": the same pod_id, am_id, csm_id as in row 2. '
        "Keep one of the two rows."
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "accounts.csv: the file has no header. The first line names the columns."),
        (" \n\n", "accounts.csv: the file has no header. The first line names the columns."),
        ("account_id,name,owner,arr\n", "accounts: the accounts table has no rows. A book needs accounts and AMs."),
        (
            "account_id,name,owner,arr\nA-1,O\x92Neil \xc3\xa9,,1\n".encode("latin-1"),
            'accounts.csv row 2: byte 31, in line 2, is not UTF-8, though others are. Save the file as "CSV UTF-8".',
        ),
        (
            "account_id,name,owner,arr\n".encode("utf-16")[:-1],
            'accounts.csv row 1: byte 52, in line 1, is not UTF-16. Save the file as "CSV UTF-8".',
        ),
        (b"account_id,name\nA\0,b\n", "accounts.csv: the file holds NUL bytes. Export it again as text."),
        (
            'account_id,name,owner,arr\nA-1,a,,1\nA-2,"b,,1\nA-3,c,,1\n',
            "accounts.csv row 3: the file is not a readable CSV from here on (unexpected end of data). "
            "Check the quotes of this row.",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(tmp_path, content, message):
    assert messages(lambda: load(tmp_path, accounts=content)) == [message]


def test_rows_of_the_wrong_length_are_listed_and_never_shifted(tmp_path):
    text = "account_id,name,owner,arr\nA-1,a,E-1,1,\nA-2,b,E-1\nA-3,c,E-1,1\n"
    assert messages(lambda: load(tmp_path, accounts=text)) == [
        "accounts.csv row 2: the row has 5 fields and the header 4. Quote fields that hold a comma.",
        "accounts.csv row 3: the row has 3 fields and the header 4. Quote fields that hold a comma.",
    ]


def test_a_file_in_which_every_row_has_one_field_more_is_refused(tmp_path):
    with pytest.raises(Exception, match="row 2: the row has 5 fields and the header 4"):
        load(tmp_path, accounts="account_id,name,owner,arr\nA-1,a,E-1,1,x\n")


def test_a_missing_column_names_the_one_that_is_near(tmp_path):
    assert messages(lambda: load(tmp_path, accounts="account_id,name,Owned,arr\nA-1,a,E-1,1\n")) == [
        'accounts.csv: the required column "owner" is missing. Rename "Owned" to "owner".'
    ]


def test_a_missing_column_is_one_fault_however_many_rows_there_are(tmp_path):
    rows = "".join(f"A-{n},a,E-1,1\n" for n in range(50))
    assert messages(lambda: load(tmp_path, accounts=f"account_id,name,owner,turnover\n{rows}")) == [
        'accounts.csv: the required column "arr" is missing. Columns found: account_id, name, owner, turnover.'
    ]


def test_a_column_that_is_there_twice_is_one_fault(tmp_path):
    assert messages(lambda: load(tmp_path, accounts="account_id,name,owner,arr,arr\nA-1,a,E-1,1,2\n")) == [
        'accounts.csv: the column "arr" is there twice. Keep one.'
    ]


def test_a_column_nearly_named_as_ours_is_a_warning(tmp_path):
    book = load(tmp_path, accounts="account_id,name,owner,arr,regions\nA-1,a,E-1,1,EMEA\n")
    assert [str(fault) for fault in book.warnings] == [
        'accounts.csv: the column "regions" is not used. Did you mean "region"?'
    ]


def test_columns_without_a_name_and_unknown_ones_are_left_out_in_silence(tmp_path):
    book = load(tmp_path, accounts="account_id,name,owner,arr,,,zodiac\nA-1,a,E-1,1,,,leo\n")
    assert book.warnings == ()
    assert list(book.accounts.columns) == [column.name for column in TABLES["accounts"].columns]


# Values of every kind


@pytest.mark.parametrize(
    ("text", "flag"),
    [("true", True), ("TRUE", True), ("Yes", True), ("1", True), ("ja", True), ("No", False), ("0", False), ("", None)],
)
def test_the_words_for_yes_and_no(tmp_path, text, flag):
    assert account(tmp_path, lock=text)["lock"] is flag


@pytest.mark.parametrize(
    "text",
    ["2026-03-01", "2026-03-01T10:30", "2026-03-01 10:30:00", "2026-03-01T23:59:59.000Z", "2026-03-01T00:00:00+02:00"],
)
def test_a_date_may_carry_a_time_which_is_dropped(tmp_path, text):
    assert account(tmp_path, renewal_date=text)["renewal_date"] == pd.Timestamp("2026-03-01")


def test_the_last_day_of_the_calendar_is_a_date(tmp_path):
    assert str(account(tmp_path, renewal_date="9999-12-31")["renewal_date"].date()) == "9999-12-31"


def test_a_list_is_split_trimmed_and_freed_of_repetitions(tmp_path):
    assert account(tmp_path, skills="sap; bank ;;sap")["skills"] == ("sap", "bank")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (float("nan"), ""), (pd.NA, ""), (pd.NaT, ""), (np.datetime64("NaT"), ""), (" a ", "a"),
        ("nan", "nan"),
        (True, "true"), (np.False_, "false"), (5, "5"), (5.0, "5"), (0.1, "0.1"), (1e20, "100000000000000000000"),
        (1e-7, "0.0000001"), (float("inf"), "inf"), (10**30, "1" + "0" * 30), (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.datetime(2026, 1, 2, 3), "2026-01-02"), (pd.Timestamp("2026-01-02", tz="UTC"), "2026-01-02"),
        (np.datetime64("2026-01-02"), "2026-01-02"), (["a", 1], "a;1"), (("a",), "a"), ({"b", "a"}, "a;b"),
        (np.array(["a", "b"]), "a;b"), ([], ""),
    ],
)  # fmt: skip
def test_a_typed_value_is_the_text_a_csv_would_hold(value, text):
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [("0.20", "0.2"), ("1E+3", "1000"), ("100", "100"), ("0.00", "0"), ("-2.50", "-2.5")]
)
def test_a_decimal_is_written_without_exponent_and_trailing_zeros(value, text):
    assert number_text(Decimal(value)) == text


def test_numbers_dates_and_flags_of_a_frame_are_read_as_from_text():
    assert typed("arr", 1.5, np.int64(2), 3) == [2, 2, 3]
    assert typed("lock", True, 0, None) == [True, False, None]
    assert typed("skills", ["sap", "bank"], np.array(["sap"]), None) == [("sap", "bank"), ("sap",), ()]
    assert typed("renewal_date", dt.date(2026, 1, 2), pd.NaT) == [pd.Timestamp("2026-01-02"), pd.NaT]


def test_a_nul_in_a_frame_is_refused_as_it_is_in_a_file():
    assert messages(lambda: typed("industry", "a\0b")) == [
        'accounts row 2, column industry, value "a\\x00b": the value holds a NUL character. Remove it.'
    ]
    assert "holds a NUL character" in messages(lambda: typed("skills", ["a\0b"]))[0]


def test_an_id_that_a_float_has_rounded_is_refused():
    # a blank among integers turns a column of pandas into floats: 9007199254740993 becomes ...992
    assert messages(lambda: typed("owner", 9007199254740993.0))[0] == (
        'accounts row 2, column owner, value "9007199254740992": the id is a number of more than 15 digits, '
        "and its last ones are lost. Read the column as text (dtype=str)."
    )
    assert typed("parent_id", 5.0, None) == ["5", ""]
