"""Organisations that more than one AM sees."""

import json
from pathlib import Path

import pytest
from helpers import book_of

from rebalancer import insight
from rebalancer.cli import main

SAMPLE = str(Path(__file__).parent.parent / "data" / "sample")

ACCOUNTS = """account_id,name,owner,arr,parent_id
A-1,Acme,E-1,100,
A-2,Acme West,E-2,200,A-1
A-3,Acme South,E-2,400,A-2
A-4,Bolt,E-1,100,
A-5,Bolt North,E-1,100,A-4
A-6,Core,E-1,100,GROUP
A-7,Dune,E-2,100,GROUP
A-8,Echo,E-1,100,
A-9,Echo East,,100,A-8"""


def shared(accounts, **options):
    return insight.organisations(book_of(accounts), **options).shared.set_index("parent_id")


def test_an_organisation_is_everything_under_one_ultimate_parent():
    found = shared(ACCOUNTS)
    assert found.loc["A-1", ["name", "ams", "am_ids", "accounts", "arr"]].tolist() == [
        "Acme",
        2,
        ("E-1", "E-2"),
        3,
        700,
    ]


def test_a_parent_that_is_not_in_the_book_joins_its_accounts_all_the_same():
    assert shared(ACCOUNTS).loc["GROUP", ["name", "ams"]].tolist() == ["", 2]


def test_one_am_alone_and_accounts_that_nobody_owns_are_no_friction():
    assert list(shared(ACCOUNTS).index) == ["A-1", "GROUP"]


def test_the_members_of_a_pool_are_one_for_the_customer():
    pool = {"pools": "pool_id,am_id\nP-1,E-1\nP-1,E-2"}
    assert insight.organisations(book_of(ACCOUNTS, **pool)).shared.empty


def test_whether_it_may_part_is_the_models_word(tmp_path):
    model = tmp_path / "free.toml"
    model.write_text('extends = "coverage_units"\n[families]\nfree = ["A-1"]\n', encoding="utf-8")
    assert shared(ACCOUNTS, model=model)["may_part"].to_dict() == {"A-1": True, "GROUP": False}


def test_a_book_without_parents_says_what_it_lacks():
    found = insight.organisations(book_of("account_id,owner\nA-1,E-1\nA-2,E-2"))
    assert found.shared.empty
    assert found.missing == ("accounts.parent_id",)


def test_check_names_them(capsys):
    for words in (["check", SAMPLE], ["check", SAMPLE, "--json"]):
        with pytest.raises(SystemExit):
            main(words)
    text, document = capsys.readouterr().out.split('{\n  "schema_version"', 1)
    assert "Organisations seen by more than one AM: 3, Vantera Data (AM-01, AM-21, AM-22); Larchmont Power" in text
    found = json.loads('{"schema_version"' + document)["organisations"]
    assert [row["parent_id"] for row in found] == ["A-0504", "A-0235", "A-0200"]
