"""A book: its tables together, what they say of each other, and its two ways in."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from helpers import book_of, frame, messages, write_book
from pandas.testing import assert_frame_equal

from rebalancer.book import SETTINGS, Book, load_book
from rebalancer.errors import InvalidInput, UsageError
from rebalancer.inputs import csv_text
from rebalancer.tables import TABLES

PLAIN = "Write plain digits with a point, such as 120000 or 0.75, without currency signs or separators."
HEADER = "account_id,name,owner,arr"


def assert_same_tables(one, other):
    assert set(one.tables) == set(other.tables) == set(TABLES)
    for name in TABLES:
        assert_frame_equal(one.tables[name], other.tables[name])


def test_a_book_is_sorted_by_id_whatever_the_order_of_its_rows():
    book = book_of("account_id\nb\na\nB\n10\n9", "am_id\nE-2\nE-1")
    assert book.accounts["account_id"].tolist() == ["10", "9", "B", "a", "b"]
    assert book.ams["am_id"].tolist() == ["E-1", "E-2"]


def test_a_directory_and_frames_of_the_same_text_make_the_same_book(tmp_path):
    text = "account_id,name,owner,arr,csm,skills,lock\n007,Acme,E-1,12.5,C-1,sap;bank,yes\n"
    csms, pods = "csm_id,name\nC-1,Cleo\n", "pod_id,am_id,csm_id\nP,E-1,C-1\n"
    folder = write_book(tmp_path, accounts=text, csms=csms, pods=pods)
    frames = {"accounts": frame(text), "ams": frame((folder / "ams.csv").read_text())}
    assert_same_tables(load_book(folder), Book.from_frames(**frames, csms=frame(csms), pods=frame(pods)))


def test_typed_frames_make_the_same_book_as_their_text():
    text = book_of(
        "account_id,name,owner,arr,products,health,lock,renewal_date,skills,tier\n"
        "1,Acme,7,1200,3,70.5,true,2026-05-01,sap;bank,smb\n2,Beta,,-3,,,,,,",
        "am_id,capacity,tiers,starts_on\n7,80,smb;enterprise,2026-02-01",
    )
    accounts = pd.DataFrame(
        {
            "account_id": [2, 1],
            "name": ["Beta", "Acme"],
            "owner": [np.nan, 7.0],
            "arr": [-2.5, 1200.0],
            "products": pd.array([None, 3], dtype="Int64"),
            "health": [np.nan, 70.5],
            "lock": pd.array([None, True], dtype="boolean"),
            "renewal_date": pd.to_datetime([None, "2026-05-01"]),
            "skills": [None, ["sap", "bank"]],
            "tier": pd.Categorical([None, "smb"]),
        },
        index=[5, 5],
    )
    ams = pd.DataFrame(
        {
            "am_id": [7],
            "name": "",
            "capacity": [80],
            "tiers": [("smb", "enterprise")],
            "starts_on": [dt.date(2026, 2, 1)],
        }
    )
    assert_same_tables(text, Book.from_frames(accounts, ams, effective_date="2026-01-01"))


def test_the_callers_frames_are_not_changed():
    accounts = pd.DataFrame(
        {"account_id": [2, 1], "name": [" b", "a"], "owner": ["E-1", None], "arr": [1.5, 2], "x": 0}
    )
    ams = pd.DataFrame({"am_id": ["E-1"], "name": ["Eva"], "tiers": [["smb"]]})
    before = accounts.copy(deep=True), ams.copy(deep=True)
    book = Book.from_frames(accounts, ams)
    book.accounts["name"] = "changed"
    assert_frame_equal(accounts, before[0])
    assert_frame_equal(ams, before[1])


def test_the_canonical_text_of_a_book_makes_the_same_book():
    book = book_of(
        "account_id,name,owner,arr,products,complexity,lock,renewal_date,skills,region\n"
        "00123,NA,E-1,2.5,3,0.1,no,2026-05-01,b;a,NA\n1E5,\"a,\"\"b\",,-0.5,,33.333333333333336,,,,",
        "am_id,capacity,ramp\nE-1,33.33,0.7",
        csms="csm_id\nC-1",
        pods="pod_id,am_id,csm_id\nP,E-1,C-1",
    )  # fmt: skip
    text = book.text_tables()
    assert list(text) == ["accounts", "ams", "csms", "pods"]
    assert text["accounts"].loc[0, ["account_id", "arr", "lock", "renewal_date", "skills", "region"]].tolist() == [
        "00123", "3", "false", "2026-05-01", "b;a", "NA",
    ]  # fmt: skip
    again = Book.from_frames(**text, effective_date="2026-01-01")
    assert_same_tables(book, again)
    assert {name: csv_text(table) for name, table in again.text_tables().items()} == {
        name: csv_text(table) for name, table in text.items()
    }


# Faults


def test_every_fault_of_every_table_is_reported_at_once(tmp_path):
    folder = write_book(
        tmp_path,
        accounts=f"{HEADER},tier,csm\nA-1,Acme,E-10,1,smb,C-1\nA-2,Beta,E-1,12k,tiny,C-2\nA-2,Beta,E-1,1,smb,\n",
        ams="am_id,name,fte\nE-1,Eva,eleven\n",
        csms="csm_id,nam\nC-1,Cleo\n",
        settings='modl = "pods"\n',
    )
    assert messages(lambda: load_book(folder)) == [
        'book.toml, key modl: unknown key. Did you mean "model"?',
        f'accounts.csv row 3, column arr, value "12k": not a plain number. {PLAIN}',
        'accounts.csv row 3, column tier, value "tiny": not one of strategic, enterprise, mid_market, smb.',
        'accounts.csv row 4, column account_id, value "A-2": the same account_id as in row 3. '
        "Keep one of the two rows.",
        f'ams.csv row 2, column fte, value "eleven": not a plain number. {PLAIN}',
        'csms.csv: the required column "name" is missing. Rename "nam" to "name".',
        'accounts.csv row 2, column owner, value "E-10": there is no such am_id in ams. Did you mean "E-1"?',
        'accounts.csv row 3, column csm, value "C-2": there is no such csm_id in csms. Add it to csms, or correct it.',
    ]


def test_rows_of_the_wrong_length_do_not_hide_the_faults_of_the_others(tmp_path):
    folder = write_book(
        tmp_path, accounts=f"{HEADER}\nA-1,Acme\nA-2,Beta,E-2,x\n", ams="am_id,name,fte\nE-1,Eva,99\nE-2,Emil,1,1\n"
    )
    assert [fault.split(":")[0] for fault in messages(lambda: load_book(folder))] == [
        "accounts.csv row 2",
        "ams.csv row 3",
        'accounts.csv row 3, column arr, value "x"',
        'ams.csv row 2, column fte, value "99"',
    ]  # E-2 is not called unknown: its row could not be read


def test_a_missing_table_does_not_hide_the_faults_of_the_other(tmp_path):
    folder = write_book(tmp_path, accounts=f"{HEADER}\nA-1,Acme,E-1,x\n", ams=None)
    found = messages(lambda: load_book(folder))
    assert found[0] == f"ams.csv: the book has no ams.csv. Write it to {folder}."
    assert found[1].startswith('accounts.csv row 2, column arr, value "x"')


def owner_fault(owner, ams="am_id,name\nE-1,Eva\nE-2,Emil"):
    (message,) = messages(lambda: book_of(f"account_id,owner\nA-1,{owner}", ams))
    return message.partition(f'accounts row 2, column owner, value "{owner}": there is no such am_id in ams. ')[2]


def test_an_unknown_owner_is_told_the_id_that_was_meant():
    assert owner_fault("e-1") == 'Did you mean "E-1"?'
    assert owner_fault("Zoe") == "Add it to ams, or correct it."


def test_a_name_that_two_ams_share_is_no_cure():
    assert messages(lambda: book_of("account_id,owner\nA-1,Eva", "am_id,name\nX-1,Eva\nX-2,Eva")) == [
        'accounts row 2, column owner, value "Eva": 2 people have this name: "X-1" and "X-2". Use the id.'
    ]


def test_csms_are_free_text_where_there_is_no_table_of_them():
    assert book_of("account_id,csm\nA-1,whoever").accounts["csm"].tolist() == ["whoever"]


def test_every_id_that_points_to_another_table_is_checked():
    found = messages(
        lambda: book_of(
            "account_id,assign_to,assign_csm\nA-1,X,Y", csms="csm_id\nC-1", pods="pod_id,am_id,csm_id\nP,Q,C-1\nP,E-1,R"
        )
    )
    assert [fault.partition(": ")[0] for fault in found] == [
        'accounts row 2, column assign_to, value "X"',
        'accounts row 2, column assign_csm, value "Y"',
        'pods row 2, column am_id, value "Q"',
        'pods row 3, column csm_id, value "R"',
    ]


def test_pods_need_their_csms():
    assert messages(lambda: book_of("account_id\nA-1", pods="pod_id,am_id,csm_id\nP,E-1,C-1")) == [
        "csms: the book has pods but no csms table. Add csms with csm_id and name."
    ]


def test_a_book_without_ams_or_accounts_is_no_book():
    empty = pd.DataFrame({"account_id": [], "name": [], "owner": [], "arr": []})
    assert messages(lambda: Book.from_frames(empty, pd.DataFrame({"am_id": [], "name": []}))) == [
        "accounts: the accounts table has no rows. A book needs accounts and AMs.",
        "ams: the ams table has no rows. A book needs accounts and AMs.",
    ]


def test_an_unknown_table_is_a_mistake_of_the_call():
    with pytest.raises(UsageError, match=r'^there is no table "csm"\. Did you mean "csms"\?$'):
        Book.from_frames(pd.DataFrame(), pd.DataFrame(), csm=pd.DataFrame())


def test_a_file_nearly_named_as_a_table_is_a_warning(tmp_path):
    folder = write_book(tmp_path, csm="csm_id,name\n", notes="a\n")
    assert [str(fault) for fault in load_book(folder).warnings] == [
        'csm.csv: the file is not read. Did you mean "csms.csv"?'
    ]


def test_a_directory_that_is_not_there_is_a_mistake_of_the_call(tmp_path):
    with pytest.raises(UsageError, match="there is no book directory"):
        load_book(tmp_path / "nowhere")


# Settings and dates


def test_book_toml_sets_model_date_and_overrides(tmp_path):
    settings = 'model = "pods"\neffective_date = 2026-03-04\n[overrides.units]\ncap = 80\n'
    book = load_book(write_book(tmp_path, settings=settings))
    assert (book.model, book.effective_date, book.overrides) == ("pods", dt.date(2026, 3, 4), {"units": {"cap": 80}})


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("model = 3\n", "book.toml, key model: must be a text. Correct it."),
        ("overrides = 4\n", "book.toml, key overrides: must be a table. Correct it."),
        (
            'effective_date = "4.3."\n',
            'book.toml, key effective_date, value "4.3.": not a date. Write it as YYYY-MM-DD.',
        ),
        ("zodiac = 1\n", f"book.toml, key zodiac: unknown key. Known keys: {', '.join(SETTINGS)}."),
        ("model = \n", "book.toml: not readable as TOML: Invalid value (at line 1, column 9). Correct that line."),
    ],
)
def test_a_wrong_book_toml_is_invalid_input(tmp_path, settings, found):
    assert messages(lambda: load_book(write_book(tmp_path, settings=settings))) == [found]


def test_the_effective_date_is_today_unless_it_is_given(tmp_path):
    assert load_book(write_book(tmp_path)).effective_date == dt.date.today()
    assert book_of("account_id\na", day="2024-02-29").effective_date == dt.date(2024, 2, 29)


def test_a_book_can_be_put_on_another_day():
    book = book_of("account_id\na")
    assert book.on(None) is book
    assert (
        book.on("2027-01-01").effective_date
        == book.on(dt.datetime(2027, 1, 1, 9)).effective_date
        == dt.date(2027, 1, 1)
    )
    with pytest.raises(UsageError, match=r'^"tomorrow" is not a date\. Write it as YYYY-MM-DD\.$'):
        book.on("tomorrow")


def test_a_book_says_how_large_it_is():
    assert repr(book_of("account_id\na\nb")) == "Book(2 accounts, 2 AMs, effective 2026-01-01)"


def test_faults_can_be_walked_and_carry_their_places():
    with pytest.raises(InvalidInput) as raised:
        book_of("account_id,arr\nA-1,x")
    (fault,) = raised.value
    assert (fault.code, fault.file, fault.row, fault.column, fault.value) == ("number", "accounts", 2, "arr", "x")
