"""Finding the columns: names as CRMs export them, names as given, and ties that are refused."""

import pytest
from helpers import messages, write_book

from rebalancer.book import Book, load_book
from rebalancer.errors import InvalidInput, UsageError
from rebalancer.reading.aliases import ALIASES, WEAK, normalised
from rebalancer.reading.ids import id18
from rebalancer.tables import TABLES

AMS = "am_id,name,email\nE-1,Eva,eva@example.com\nE-2,Emil,emil@example.com\n"


def mapping(tmp_path, header, row="A-1,Acme,E-1,100", **read):
    """The mapping of accounts with this header, as text."""
    book = load_book(write_book(tmp_path, accounts=f"{header}\n{row}\n", ams=AMS), **read)
    return [str(entry) for entry in book.mapping if entry.table == "accounts" and entry.how != "exact"]


EXPORTS = {
    "salesforce report": "Account ID,Account Name,Account Owner,ARR",
    "salesforce report with 18": "Account ID (18),Account Name,Account Owner,ARR",
    "salesforce api": "Id,Name,OwnerId,ARR__c",
    "hubspot": "Record ID,Company name,Company owner,Annual Revenue",
    "hubspot internal": "hs_object_id,name,hubspot_owner_id,annualrevenue",
    "hubspot in a warehouse": "property_hs_object_id,property_name,property_hubspot_owner_id,property_annualrevenue",
    "gainsight": "SfdcAccountId,Name,Account Owner,ARR",
    "gainsight's own ids": "Gsid,Name,Account Owner,ARR",
    "case and spaces": " ACCOUNT ID , account-name ,OWNER,Arr",
}


@pytest.mark.parametrize("header", EXPORTS.values(), ids=EXPORTS)
def test_an_export_is_read_as_it_comes(tmp_path, header):
    book = load_book(write_book(tmp_path, accounts=f"{header}\nA-1,Acme,E-1,100\n"))
    assert book.accounts.loc[0, ["account_id", "name", "owner", "arr"]].tolist() == ["A-1", "Acme", "E-1", 100]


def test_what_was_found_is_told_with_how(tmp_path):
    assert mapping(tmp_path, "Id,name,ACCOUNT OWNER,ARR__c") == [
        'accounts.account_id <- "Id" (alias)',
        'accounts.owner <- "ACCOUNT OWNER" (normalised)',
        'accounts.arr <- "ARR__c" (alias)',
    ]


def test_an_exact_name_wins_over_an_alias(tmp_path):
    assert mapping(tmp_path, "account_id,name,owner,arr,OwnerId,Id", "A-1,Acme,E-1,100,E-2,A-9") == []


def test_an_alias_wins_over_a_name_in_another_case(tmp_path):
    assert mapping(tmp_path, "account_id,name,OWNERS,OwnerId,arr", "A-1,Acme,E-2,E-1,100") == [
        'accounts.owner <- "OwnerId" (alias)'
    ]


@pytest.mark.parametrize(
    ("header", "both", "column"),
    [
        ("Id,Record ID,name,owner,arr", '"Id" and "Record ID"', "account_id"),
        ("account_id,name,OwnerId,Account Owner,arr", '"OwnerId" and "Account Owner"', "owner"),
        ("account_id,name,owner,ARR__c,AnnualRevenue", '"ARR__c" and "AnnualRevenue"', "arr"),
        ("account_id,name,Owner,owner,arr", '"Owner" and "owner"', "owner"),
    ],
)
def test_a_tie_is_refused_and_names_both(tmp_path, header, both, column):
    row = ",".join(["A-1"] * header.count(",") + ["1"])
    found = messages(lambda: mapping(tmp_path, header, row))
    first = both.split('"')[1]
    assert f'accounts.csv: {both} could each be the column {column}. Say which with --map {column}="{first}".' in found


def test_a_tie_is_settled_by_what_is_given(tmp_path):
    header, row = "account_id,name,OwnerId,Account Owner,arr", "A-1,Acme,E-1,Eva,100"
    for given in ({"owner": "OwnerId"}, ['owner="OwnerId"'], ["accounts.owner=OwnerId"]):
        assert mapping(tmp_path, header, row, map=given) == ['accounts.owner <- "OwnerId" (given)']


def test_a_header_given_is_found_whatever_its_case(tmp_path):
    assert mapping(tmp_path, "account_id,name,Betreuer,arr", map={"owner": "BETREUER"}) == [
        'accounts.owner <- "Betreuer" (given)'
    ]


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ('[columns]\nowner = "Betreuer"\n', {}),
        ('[columns.accounts]\nowner = "Betreuer"\n', {}),
        ('[columns.accounts]\nowner = "Kunde"\n', {"owner": "Betreuer"}),
        ('[columns]\nowner = "Kunde"\n', {"owner": "Betreuer"}),
    ],
)
def test_book_toml_maps_columns_and_the_call_wins_over_it(tmp_path, settings, given):
    write_book(tmp_path, settings=settings)
    assert mapping(tmp_path, "account_id,name,Betreuer,arr", map=given) == ['accounts.owner <- "Betreuer" (given)']


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("owner", r'^"owner" is no mapping\. Write it as owner="Account Owner"\.$'),
        ("ownr=x", r'^there is no column "ownr" to map\. Did you mean "owner"\?$'),
        ("acounts.owner=x", r'^there is no table "acounts" to map\. Did you mean "accounts"\?$'),
    ],
)
def test_a_mapping_that_means_nothing_is_a_mistake_of_the_call(tmp_path, given, message):
    with pytest.raises(UsageError, match=message):
        load_book(write_book(tmp_path), map=[given])


def test_a_header_given_that_is_not_there_is_an_error(tmp_path):
    write_book(tmp_path, ams=AMS)
    with pytest.raises(InvalidInput, match='"Betreur", mapped to owner, is not there'):
        load_book(tmp_path, map={"accounts.owner": "Betreur"})
    with pytest.raises(InvalidInput, match='"Nobody", mapped to region, is in no table'):
        load_book(tmp_path, map={"region": "Nobody"})


def test_annual_revenue_is_read_with_a_warning(tmp_path):
    book = load_book(write_book(tmp_path, accounts="Id,Name,OwnerId,AnnualRevenue\nA-1,Acme,E-1,100\n"))
    assert [fault.code for fault in book.warnings] == ["annual_revenue"]


def test_frames_are_mapped_as_files_are():
    import pandas as pd

    accounts = pd.DataFrame({"Id": ["A-1"], "Name": ["Acme"], "OwnerId": ["E-1"], "ARR__c": [5]})
    book = Book.from_frames(accounts, pd.DataFrame({"User ID": ["E-1"], "Full Name": ["Eva"]}))
    assert book.accounts.loc[0, ["account_id", "arr"]].tolist() == ["A-1", 5]
    assert len(book.mapping) == 6


def test_no_two_columns_of_a_table_share_a_name():
    for name, aliases in ALIASES.items():
        table = TABLES[name]
        assert set(aliases) <= set(table.names)
        words = [normalised(word) for column in table.names for word in {*aliases.get(column, ()), column}]
        distinct = {column: {normalised(word) for word in (column, *aliases.get(column, ()))} for column in table.names}
        assert sum(map(len, distinct.values())) == len(set(words))
    assert set(WEAK) <= set(TABLES)


# Errors name the user's own header


def test_a_fault_names_the_header_of_the_file_and_our_column(tmp_path):
    accounts = "Account ID,Account Name,Account Owner,ARR\nA-1,Acme,E-1,12k\n"
    assert messages(lambda: load_book(write_book(tmp_path, accounts=accounts)))[0].startswith(
        'accounts.csv row 2, column ARR (arr), value "12k": not a plain number.'
    )


# Names and e-mails instead of ids


def owners(tmp_path, *values, ams=AMS, **read):
    rows = "".join(f"A-{n},x,{value},1\n" for n, value in enumerate(values))
    return load_book(write_book(tmp_path, accounts=f"account_id,name,owner,arr\n{rows}", ams=ams), **read)


def test_owners_by_name_or_email_become_ids_with_a_warning(tmp_path):
    book = owners(tmp_path, "Eva", "emil@example.com", "E-2", "")
    assert book.accounts["owner"].tolist() == ["E-1", "E-2", "E-2", ""]
    assert [str(fault) for fault in book.warnings] == [
        'accounts.csv, column owner: 2 names or e-mails instead of ids were read as the am_id of ams, such as "Eva" '
        'as "E-1".'
    ]
    assert owners(tmp_path, "Eva", accept="owner_name").warnings == ()


def test_a_name_of_two_people_is_an_error_naming_both(tmp_path):
    found = messages(lambda: owners(tmp_path, "Eva", ams="am_id,name\nE-1,Eva\nE-2,Eva\n"))
    assert found == [
        'accounts.csv row 2, column owner, value "Eva": 2 people have this name: "E-1" and "E-2". Use the id.'
    ]


def test_an_id_is_never_read_as_a_name(tmp_path):
    assert owners(tmp_path, "Eva", ams="am_id,name\nEva,Emil\nE-2,Eva\n").accounts["owner"].tolist() == ["Eva"]


def test_csms_and_assignments_may_be_names_as_well(tmp_path):
    accounts = "account_id,name,owner,arr,csm,assign_to\nA-1,x,E-1,1,Cleo,Emil\n"
    book = load_book(write_book(tmp_path, accounts=accounts, ams=AMS, csms="csm_id,name\nC-1,Cleo\n"))
    assert book.accounts.loc[0, ["csm", "assign_to"]].tolist() == ["C-1", "E-2"]


def test_a_yes_or_no_column_of_users_is_their_status(tmp_path):
    book = owners(tmp_path, "E-1", ams="Id,Name,IsActive\nE-1,Eva,true\nE-2,Emil,0\nE-3,Zoe,\n")
    assert book.ams["status"].tolist() == ["active", "inactive", ""]


# Salesforce ids


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ("0015500000Xyy06", "0015500000Xyy06AAB"),
        ("001C000000o4OOI", "001C000000o4OOIIA2"),
        ("001A0000006Vm9r", "001A0000006Vm9rIAC"),
    ],
)
def test_the_checksum_is_that_of_salesforce(short, whole):
    assert id18(short) == whole


def test_ids_of_every_table_get_18_characters(tmp_path):
    accounts = "Account ID,name,OwnerId,arr,ParentId\n0015500000Xyy06,x,0055500000Xyy01,1,001C000000o4OOI\n"
    accounts += "001C000000o4OOI,y,0055500000Xyy01AAB,1,\n"
    book = load_book(write_book(tmp_path, accounts=accounts, ams="User ID,name\n0055500000Xyy01,Eva\n"))
    assert book.accounts["account_id"].tolist() == ["0015500000Xyy06AAB", "001C000000o4OOIIA2"]
    assert book.accounts["parent_id"].tolist() == ["001C000000o4OOIIA2", ""]
    assert book.accounts["owner"].tolist() == book.ams["am_id"].tolist() * 2


def test_one_id_of_another_kind_leaves_all_as_they_are(tmp_path):
    accounts = "account_id,name,owner,arr\n0015500000Xyy06,x,E-1,1\nA-2,y,E-1,1\n"
    book = load_book(write_book(tmp_path, accounts=accounts))
    assert book.accounts["account_id"].tolist() == ["0015500000Xyy06", "A-2"]
