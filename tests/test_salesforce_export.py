"""Export to Salesforce: exactly what changes, in the form that it takes, and never from a run that can't be trusted."""

import json
import string

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_salesforce import IDS, MEMBERS, USERS, salesforce_book, salesforce_text
from small_books import ACCOUNTS, AMS, TIGHT_AMS, book_of, bytes_of, frame

from rebalancer.book import Book
from rebalancer.cli import main
from rebalancer.crm.folder import default_folder, write_export
from rebalancer.crm.ids import ACCOUNT, USER, NotAnIdError, whole_id
from rebalancer.crm.salesforce import salesforce_export
from rebalancer.crm.users import read_users
from rebalancer.errors import InvalidInput, UsageError
from rebalancer.plan import propose
from rebalancer.run_directory import write_run
from rebalancer.verify import verify_run


def proposal_of(book, **options):
    return propose(book, **{"workers": 1, "time_limit": 10, **options})


@pytest.fixture(scope="module")
def proposal():
    return proposal_of(salesforce_book())


@pytest.fixture(scope="module")
def with_pods():
    return proposal_of(salesforce_book(pods=True))


@pytest.fixture
def run(proposal, tmp_path):
    return write_run(proposal, tmp_path / "run")


def call(*words):
    """Exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


# Ids


def checksum(id15):
    """The three characters by the published rule, written as bits: the last character of five is the highest bit."""
    letters = string.ascii_uppercase + "012345"
    chunks = [id15[:5], id15[5:10], id15[10:]]
    return "".join(
        letters[int("".join(str(int(c in string.ascii_uppercase)) for c in chunk[::-1]), 2)] for chunk in chunks
    )


IDS15 = st.text(string.ascii_letters + string.digits, min_size=12, max_size=12).map(lambda rest: ACCOUNT + rest)


@given(IDS15)
def test_an_id_of_15_gets_the_checksum_of_the_published_rule(id15):
    assert whole_id(id15, ACCOUNT) == id15 + checksum(id15)
    assert whole_id(id15 + checksum(id15), ACCOUNT) == id15 + checksum(id15)


@given(IDS15, st.integers(0, 14))
def test_an_id_whose_case_was_changed_is_refused(id15, place):
    whole = whole_id(id15, ACCOUNT)
    damaged = whole[:place] + whole[place].swapcase() + whole[place + 1 :]
    if damaged != whole:
        with pytest.raises(NotAnIdError, match="is damaged"):
            whole_id(damaged, ACCOUNT)


@pytest.mark.parametrize(("id15", "suffix"), [("0015500000Xyy06", "AAB"), ("001C000000o4OOI", "IA2")])
def test_published_pairs(id15, suffix):
    assert whole_id(id15, ACCOUNT) == id15 + suffix


@pytest.mark.parametrize(
    "text", ["", "A-01", "0015500000Xyy0", "0015500000Xyy0600", "0015500000Xyy0é", "005550000Xyy006"]
)
def test_what_is_no_account_is_refused(text):
    with pytest.raises(NotAnIdError):
        whole_id(text, ACCOUNT)


# Files


def test_the_file_holds_exactly_the_rows_that_change(proposal):
    files = salesforce_export(proposal).files()
    moved = proposal.assignments[proposal.assignments["moved"]]
    rows = sorted(zip(moved["account_id"], moved["to_am"], strict=True))
    assert files["owners.csv"] == "Id,OwnerId\n" + "".join(f"{account},{owner}\n" for account, owner in rows)
    assert "\r" not in files["owners.csv"]


def test_the_way_back_holds_only_accounts_that_had_an_owner(proposal):
    export = salesforce_export(proposal)
    moved = proposal.assignments[proposal.assignments["moved"]]
    owned = moved[moved["from_am"] != ""]
    rows = sorted(zip(owned["account_id"], owned["from_am"], strict=True))
    assert export.files()["rollback.csv"] == "Id,OwnerId\n" + "".join(f"{a},{o}\n" for a, o in rows)
    assert len(owned) < len(moved)
    assert any("have no owner today" in text for text in export.notes)
    assert any("people who have left" in text for text in export.notes)


def test_families_stand_together():
    accounts = salesforce_text(ACCOUNTS).replace("arr,tier", "arr,tier,parent_id")
    lines = [line + "," for line in accounts.splitlines()[1:]]
    lines[0] += IDS["A-07"]
    text = "\n".join([accounts.splitlines()[0], *lines])
    ams = (
        "am_id,name,leaves_on\n" + f"{USERS['M-1']},Ann,2026-01-01\n{USERS['M-3']},Cy,2026-01-01\n{USERS['M-2']},Ben,\n"
    )
    export = salesforce_export(proposal_of(book_of(text, ams)))
    order = export.owners["Id"].tolist()
    assert abs(order.index(IDS["A-01"]) - order.index(IDS["A-07"])) == 1
    assert sorted(order) != order


def test_csms_are_to_be_inserted_again_and_teams_are_warned_of(with_pods):
    export = salesforce_export(with_pods, role="CSM")
    plan = with_pods.assignments
    concerned = plan[(plan["moved"] | plan["csm_changed"]) & (plan["to_csm"] != "")]
    assert len(concerned)
    assert set(zip(export.team["AccountId"], export.team["UserId"], strict=True)) == set(
        zip(concerned["account_id"], concerned["to_csm"], strict=True)
    )
    assert set(export.team["TeamMemberRole"]) == {"CSM"}
    assert export.files()["team_members.csv"].startswith("AccountId,UserId,TeamMemberRole\n")
    assert any("removes the account team" in text for text in export.notes)


def test_csms_without_a_salesforce_id_are_named_and_left_out():
    text = {name: salesforce_text(table) for name, table in (("a", ACCOUNTS), ("m", AMS))}
    accounts = text["a"].splitlines()
    with_csm = "\n".join([f"{accounts[0]},csm", *(f"{line},C-9" for line in accounts[1:])])
    export = salesforce_export(proposal_of(book_of(with_csm, text["m"], csms="csm_id,name\nC-9,Dee\n")))
    assert export.team.empty
    assert "team_members.csv" not in export.files()
    assert any("C-9" in note for note in export.notes)


def test_everything_without_a_salesforce_id_is_named_at_once():
    with pytest.raises(InvalidInput) as raised:
        salesforce_export(proposal_of(book_of()))
    told = "\n".join(map(str, raised.value))
    for name in ("the account A-04", "the account A-06", "the account A-07", "the AM M-1", "the AM M-2", "the AM M-3"):
        assert name in told
    assert "--users" in told
    assert "--map accounts.account_id" in told


def test_a_mapping_names_the_users_of_ams_and_pools(tmp_path):
    accounts = ACCOUNTS
    for ours, theirs in IDS.items():
        accounts = accounts.replace(ours, theirs)
    proposal = proposal_of(book_of(accounts, AMS))
    file = tmp_path / "users.csv"
    file.write_text("AM,Id\n" + "".join(f"{am},{user[:15]}\n" for am, user in USERS.items()), encoding="utf-8")
    export = salesforce_export(proposal, read_users(file))
    assert set(export.owners["OwnerId"]) <= set(USERS.values())


def test_a_pool_is_no_user_until_it_is_named():
    ams = salesforce_text("am_id,name,leaves_on\nM-1,Ann,2026-01-01\nM-2,Ben,\nM-3,Cy,\n")
    pools = f"pool_id,am_id\nPOOL-1,{USERS['M-2']}\nPOOL-1,{USERS['M-3']}\n"
    accounts = salesforce_text(ACCOUNTS).replace("enterprise", "smb").replace("mid_market", "smb")
    proposal = proposal_of(book_of(accounts, ams, pools=pools))
    with pytest.raises(InvalidInput, match="the pool POOL-1 is no user"):
        salesforce_export(proposal)
    export = salesforce_export(proposal, {"POOL-1": USERS["M-2"]})
    assert set(export.owners["OwnerId"]) == {USERS["M-2"]}


def test_moves_within_one_user_are_left_out(proposal):
    one = dict.fromkeys(USERS.values(), USERS["M-2"])
    export = salesforce_export(proposal, one)
    assert export.owners["old"].eq("").all()
    assert any("stay with the same Salesforce user" in text for text in export.notes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("am_id,Id\nM-1,x\n", "row 2, column Id, value \"x\": it is no Salesforce id"),
        (f"am_id,Id\nM-1,{USERS['M-1']}\nM-1,{USERS['M-2']}\n", "row 3, column Id, .* M-1 has two users"),
        (f"am_id,Id\nM-1,{IDS['A-01']}\n", "begins with 005"),
        ("am_id,Login\nM-1,ann\n", 'required column "Id" is missing'),
    ],
)  # fmt: skip
def test_a_mapping_that_is_wrong_is_refused_row_by_row(text, told, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match=told):
        read_users(file)


# The directory


def test_the_export_lies_beside_the_run_and_the_run_stays_as_it_was(run, capsys):
    before = bytes_of(run)
    assert call("export", run, "--to", "salesforce") == 0
    assert bytes_of(run) == before
    assert verify_run(run) == []
    folder = default_folder(run)
    assert folder == run.with_name("run-crm")
    assert sorted(file.name for file in folder.iterdir()) == ["export.json", "ledger.csv", "owners.csv", "rollback.csv"]
    told = capsys.readouterr()
    assert "sf data update bulk --sobject Account" in told.out
    assert "removes the account team" in told.err


def test_json_has_the_files_and_what_the_reader_must_know(run, capsys):
    assert call("export", run, "--to", "salesforce", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"]["owners.csv"] == str(default_folder(run) / "owners.csv")
    assert (told["schema_version"], told["accounts"], told["new"], told["forced"]) == (1, 3, True, None)
    assert len(told["notes"]) == 3


def test_a_second_export_changes_nothing(run, capsys):
    call("export", run, "--to", "salesforce")
    before = bytes_of(default_folder(run))
    assert call("export", run, "--to", "salesforce") == 0
    assert bytes_of(default_folder(run)) == before
    assert "holds this export already" in capsys.readouterr().out


def test_the_same_proposal_gives_the_same_bytes(proposal, tmp_path):
    for name in ("one", "two"):
        assert write_export(salesforce_export(proposal), tmp_path / name)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_the_export_of_another_run_is_not_replaced(proposal, with_pods, tmp_path):
    write_export(salesforce_export(proposal), tmp_path / "crm")
    before = bytes_of(tmp_path / "crm")
    with pytest.raises(UsageError, match="holds the export of another run"):
        write_export(salesforce_export(with_pods), tmp_path / "crm")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="no export"):
        write_export(salesforce_export(proposal), tmp_path / "other")
    assert bytes_of(tmp_path / "crm") == before


def test_a_run_that_verify_rejects_is_exported_only_with_a_reason(run, capsys):
    books = run / "books.csv"
    books.write_text(books.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert call("export", run, "--to", "salesforce") == 7
    assert not default_folder(run).exists()
    assert "books.csv is not as it was written" in capsys.readouterr().err
    assert call("export", run, "--to", "salesforce", "--force", "the disk was full") == 0
    assert (
        json.loads((default_folder(run) / "export.json").read_text(encoding="utf-8"))["forced"] == "the disk was full"
    )
    assert "verify rejects the run" in capsys.readouterr().err


def test_a_plan_that_is_not_legal_is_exported_only_with_a_reason(tmp_path, capsys):
    proposal = proposal_of(book_of(salesforce_text(ACCOUNTS), salesforce_text(TIGHT_AMS)))
    run = write_run(proposal, tmp_path / "run")
    assert call("export", run, "--to", "salesforce") == 4
    assert not default_folder(run).exists()
    assert "is not legal; nothing was exported" in capsys.readouterr().err
    assert call("export", run, "--to", "salesforce", "--force", " ") == 2
    assert call("export", run, "--to", "salesforce", "--force", "agreed with sales") == 0


def test_nothing_is_written_where_an_id_is_wrong(tmp_path, capsys):
    run = write_run(proposal_of(book_of()), tmp_path / "run")
    assert call("export", run, "--to", "salesforce", "--json") == 3
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == 3
    assert not default_folder(run).exists()


def test_a_run_that_moves_nobody_has_nothing_to_load(tmp_path, capsys):
    ams = salesforce_text("am_id,name,capacity\nM-1,Ann,100\nM-2,Ben,100\nM-3,Cy,100\n")
    text = salesforce_text(ACCOUNTS.replace("A-06,Fjord,,", "A-06,Fjord,M-2,"))
    run = write_run(
        proposal_of(Book.from_frames(frame(text), frame(ams), effective_date="2026-01-15")), tmp_path / "run"
    )
    assert call("export", run, "--to", "salesforce") == 0
    assert (default_folder(run) / "owners.csv").read_text() == "Id,OwnerId\n"
    assert "there is nothing to load" in capsys.readouterr().out


# For people


def test_excel_points_to_the_workbook_or_copies_it(proposal, tmp_path, capsys):
    run = tmp_path / "run"
    proposal.write(str(run))
    assert call("export", run, "--to", "excel") == 0
    assert str(run / "moves.xlsx") in capsys.readouterr().out
    assert call("export", run, "--to", "excel", "--out", tmp_path / "review") == 0
    copy = tmp_path / "review" / "moves.xlsx"
    assert copy.read_bytes() == (run / "moves.xlsx").read_bytes()
    copy.write_bytes(b"decisions")
    assert call("export", run, "--to", "excel", "--out", tmp_path / "review") == 2
    assert copy.read_bytes() == b"decisions"
    assert call("export", run, "--to", "excel", "--users", "x") == 2


def test_user_and_account_ids_are_told_apart():
    with pytest.raises(NotAnIdError, match="begins with 005"):
        whole_id(IDS["A-01"], USER)
    assert MEMBERS
    assert pd.Series(list(USERS.values())).map(len).eq(18).all()
