"""What Salesforce gives back: every account has a state, whatever files come, in whatever order, however often."""

import itertools
import json
import os
import shutil

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_salesforce import IDS, LOCKED, USERS, Salesforce, bulk_api, data_loader, salesforce_book, written
from small_books import bytes_of

from rebalancer.cli import main
from rebalancer.crm.folder import default_folder, read_ledger, write_export
from rebalancer.crm.ledger import import_results, merged
from rebalancer.crm.results import Result
from rebalancer.crm.salesforce import ledger_of, salesforce_export
from rebalancer.errors import InvalidInput, UsageError
from rebalancer.plan import propose
from rebalancer.run_directory import write_run


@pytest.fixture(scope="module")
def proposal():
    return propose(salesforce_book(), workers=1, time_limit=10)


@pytest.fixture(scope="module")
def owners(proposal):
    return salesforce_export(proposal).owners


@pytest.fixture
def crm(proposal, tmp_path):
    """The directory of a fresh export."""
    write_export(salesforce_export(proposal), tmp_path / "crm")
    return tmp_path / "crm"


def call(*words):
    """Exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


def rows(owners, *places):
    """Account and owner of some rows of the export."""
    return [(owners["Id"].iat[i], owners["OwnerId"].iat[i]) for i in places]


def faults_of(proposal, crm, *files, **options):
    with pytest.raises(InvalidInput) as raised:
        import_results(proposal.run_id, crm, files, **options)
    return [str(fault) for fault in raised.value]


# The whole way there and back


@pytest.mark.parametrize("service", [data_loader, bulk_api])
def test_the_round_trip_ends_with_every_owner_in_place_and_the_rollback_restores_all(
    service, proposal, tmp_path, capsys
):
    run = write_run(proposal, tmp_path / "run")
    plan = proposal.assignments
    at_first = dict(zip(plan["account_id"], plan["from_am"], strict=True))
    wanted = dict(zip(plan["account_id"], plan["to_am"], strict=True))
    moved = plan.loc[plan["moved"], "account_id"].tolist()
    salesforce = Salesforce(
        proposal.book, {moved[0]: LOCKED, moved[1]: "INACTIVE_OWNER_OR_USER:the owner is inactive:--"}
    )
    assert salesforce.owners == at_first
    assert call("export", run, "--to", "salesforce") == 0
    folder = default_folder(run)
    load = folder / "owners.csv"
    for attempt in range(1, 4):
        done, failed = salesforce.update(load)
        (tmp_path / str(attempt)).mkdir()
        files = service(tmp_path / str(attempt), done, failed)
        assert call("import-results", run, *files) == 0
        ledger = read_ledger(folder).set_index("Id")
        assert set(ledger.index[ledger["state"] == "failed"]) == set(salesforce.failing)
        assert (ledger["state"] == "pending").sum() == 0
        if attempt < 3:
            load = folder / "retry.csv"
            assert len(load.read_text().splitlines()) == 1 + len(salesforce.failing)
            salesforce.failing.popitem()
    assert salesforce.owners == wanted
    assert not (folder / "retry.csv").exists()
    assert "Every account has the owner of the plan." in capsys.readouterr().out
    salesforce.update(folder / "rollback.csv")
    unowned = {account for account, owner in at_first.items() if not owner}
    assert {a: o for a, o in salesforce.owners.items() if a not in unowned} == {
        a: o for a, o in at_first.items() if a not in unowned
    }
    assert unowned <= set(moved)


# The ledger


def test_before_anything_is_loaded_every_account_is_pending(crm, owners):
    ledger = read_ledger(crm)
    assert ledger["Id"].tolist() == owners["Id"].tolist()
    assert set(ledger["state"]) == {"pending"}


def test_files_of_several_loads_give_the_same_ledger_in_any_order_and_twice(proposal, crm, owners, tmp_path):
    first, second, third = rows(owners, 0, 1, 2)
    one, two = tmp_path / "1", tmp_path / "2"
    one.mkdir()
    two.mkdir()
    files = [
        *data_loader(one, [first], [(*second, LOCKED), (*third, "OLD")]),
        *data_loader(two, [second], [(*third, "NEW")]),
    ]
    for at, file in enumerate(files):
        os.utime(file, (1_000_000 + at, 1_000_000 + at))
    seen = set()
    for order in itertools.permutations(files):
        folder = tmp_path / "crm-again"
        shutil.copytree(crm, folder)
        for file in (*order, order[0]):
            import_results(proposal.run_id, folder, [file])
        seen.add((folder / "ledger.csv").read_text(encoding="utf-8"))
        shutil.rmtree(folder)
    together = import_results(proposal.run_id, crm, [*files, *files])
    assert seen == {(crm / "ledger.csv").read_text(encoding="utf-8")}
    assert together.counts == {"done": 2, "failed": 1, "pending": 0}
    assert together.ledger.set_index("Id").loc[third[0], "error"] == "NEW"


STATES = st.sampled_from([("done", ""), ("failed", "A"), ("failed", "B"), ("pending", "")])
DAYS = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), STATES, DAYS), max_size=8), st.randoms())
def test_the_ledger_does_not_depend_on_order_or_repetition(owners, results, random):
    made = [
        Result(
            "f.csv", 2, owners["Id"].iat[i], owners["OwnerId"].iat[i], state, error, day if state != "pending" else ""
        )
        for i, (state, error), day in results
    ]
    ledger = owners[["account_id", "Id", "OwnerId"]].assign(state="pending", error="", when="").astype(object)
    once = merged(ledger, made)
    again = [*made, *random.choices(made, k=3)] if made else []
    random.shuffle(again)
    pd.testing.assert_frame_equal(merged(ledger, again), once)
    pd.testing.assert_frame_equal(merged(once, made), once)


def test_a_second_import_writes_the_same_bytes(proposal, crm, owners, tmp_path):
    files = data_loader(tmp_path, rows(owners, 0), [(*rows(owners, 1)[0], LOCKED)])
    assert import_results(proposal.run_id, crm, files).changed == 2
    before = bytes_of(crm)
    assert import_results(proposal.run_id, crm, files).changed == 0
    assert bytes_of(crm) == before


def test_rows_that_were_not_processed_stay_pending_and_are_loaded_again(proposal, crm, owners, tmp_path):
    first, second, third = rows(owners, 0, 1, 2)
    found = import_results(proposal.run_id, crm, bulk_api(tmp_path, [first], [(*second, "")], [third]))
    assert found.counts == {"done": 1, "failed": 1, "pending": 1}
    assert found.unprocessed == 1
    assert found.errors["error"].tolist() == ["no reason was given"]
    assert found.retry.read_text() == "Id,OwnerId\n" + "".join(f"{a},{o}\n" for a, o in (second, third))


def test_errors_are_counted_and_say_what_to_do(proposal, crm, owners, tmp_path):
    failed = [(*row, why) for row, why in zip(rows(owners, 0, 1, 2), (LOCKED, LOCKED, "ODD: x"), strict=True)]
    found = import_results(proposal.run_id, crm, data_loader(tmp_path, [], failed))
    assert found.errors["accounts"].tolist() == [2, 1]
    assert "smaller batches" in found.errors["cure"].iat[0]


def test_ids_of_15_characters_and_a_byte_order_mark_are_read(proposal, crm, owners, tmp_path):
    account, owner = rows(owners, 0)[0]
    file = tmp_path / "success.csv"
    file.write_text(f"\ufeffID,OWNERID,STATUS\n{account[:15]},{owner[:15]},Item Updated\n", encoding="utf-8")
    assert import_results(proposal.run_id, crm, [file]).counts["done"] == 1


def test_an_account_that_failed_and_succeeded_is_done_and_is_named(proposal, crm, owners, tmp_path):
    row = rows(owners, 0)[0]
    found = import_results(proposal.run_id, crm, data_loader(tmp_path, [row], [(*row, LOCKED)]))
    assert found.counts["done"] == 1
    assert found.conflicts == (
        f"{row[0]} succeeded in success1.csv and failed in error1.csv: it has the owner wanted.",
    )


# What is refused, and nothing is recorded then


def test_accounts_and_owners_of_others_are_named_with_their_rows(proposal, crm, owners, tmp_path):
    mine, strange = rows(owners, 0)[0], (IDS["A-05"], USERS["M-1"])
    other_owner = (rows(owners, 1)[0][0], "0055500000Zzz01AAB")
    before = bytes_of(crm)
    files = [
        written(
            tmp_path / "s.csv",
            [("ID", "OWNERID", "STATUS"), *((*row, "Item Updated") for row in (mine, strange, other_owner))],
        )
    ]
    told = faults_of(proposal, crm, *files)
    assert told[0].startswith(f's.csv row 3, value "{IDS["A-05"]}": the account is not in this export.')
    assert told[1].startswith("s.csv row 4")
    assert bytes_of(crm) == before
    found = import_results(proposal.run_id, crm, files, skip_others=True)
    assert (found.skipped, found.counts["done"]) == (2, 1)


def test_the_files_of_another_run_are_refused_as_a_whole(proposal, crm, tmp_path):
    strange = [(IDS["A-05"], USERS["M-1"]), (IDS["A-01"], USERS["M-3"])]
    told = faults_of(proposal, crm, *data_loader(tmp_path, strange, []))
    assert told == [
        "success1.csv: none of its 2 rows is of this export; it is another run's. "
        "Import it with the run it is of, or leave other accounts out with --skip-others."
    ]
    with pytest.raises(UsageError, match="is the export of another run"):
        import_results("0" * 16, crm, [])


def test_the_results_of_a_rollback_are_told_apart(proposal, crm, tmp_path):
    back = pd.read_csv(crm / "rollback.csv", dtype=str)
    pairs = list(zip(back["Id"], back["OwnerId"], strict=True))
    (told,) = faults_of(proposal, crm, *data_loader(tmp_path, pairs, []))
    assert "the result of the rollback" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file has no|the file is empty"),
        ("Name,Status\nx,y\n", "the column OwnerId is missing"),
        ("OwnerId,STATUS\n0055500000Xyy01,x\n", "the column Id is missing"),
        ("Id,OwnerId,STATUS\nA-1,x,y\n", 'row 2, value "A-1 x y": one of its ids is no Salesforce id'),
        (f"ID,ID,OWNERID,STATUS\n{IDS['A-01']},{IDS['A-02']},x,y\n", "differs from the other"),
        (f"Id,OwnerId,STATUS\n{IDS['A-01']}\n", "row 2: the row has 1 fields and the header 3"),
        ('Id,OwnerId,STATUS\n"x', "not a readable CSV"),
    ],
)
def test_a_file_that_is_no_result_is_refused(text, told, proposal, crm, tmp_path):
    file = tmp_path / "file.csv"
    file.write_text(text, encoding="utf-8")
    before = bytes_of(crm)
    with pytest.raises(InvalidInput, match=told):
        import_results(proposal.run_id, crm, [file])
    assert bytes_of(crm) == before


@pytest.mark.parametrize("name", ["ledger.csv", "owners.csv", "rollback.csv", "export.json"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe nonsense", b"Id,OwnerId\n1,2\n"])
def test_a_damaged_export_is_refused(name, content, proposal, crm, owners, tmp_path):
    if content is None:
        (crm / name).unlink()
    else:
        (crm / name).write_bytes(content)
    with pytest.raises((InvalidInput, UsageError)):
        import_results(proposal.run_id, crm, data_loader(tmp_path, rows(owners, 0), []))


def test_without_an_export_it_says_what_to_do(proposal, tmp_path, capsys):
    run = write_run(proposal, tmp_path / "run")
    assert call("import-results", run, "x.csv") == 2
    assert "rebalancer export RUN --to salesforce" in capsys.readouterr().err
    call("export", run, "--to", "salesforce")
    assert call("import-results", run, tmp_path / "missing.csv") == 2
    assert call("import-results", tmp_path, tmp_path / "missing.csv") == 2


def test_results_are_never_lost_to_another_export(proposal, tmp_path, owners, capsys):
    run = write_run(proposal, tmp_path / "run")
    call("export", run, "--to", "salesforce")
    call("import-results", run, *data_loader(tmp_path, rows(owners, 0), []))
    before = bytes_of(default_folder(run))
    assert call("export", run, "--to", "salesforce") == 0
    mapping = tmp_path / "users.csv"
    mapping.write_text(f"am_id,Id\n{USERS['M-2']},{USERS['M-3']}\n", encoding="utf-8")
    assert call("export", run, "--to", "salesforce", "--users", mapping) == 2
    assert "of which results are recorded" in capsys.readouterr().err
    assert bytes_of(default_folder(run)) == before


def test_json_has_the_ledger(proposal, tmp_path, owners, capsys):
    run = write_run(proposal, tmp_path / "run")
    call("export", run, "--to", "salesforce", "--out", tmp_path / "there")
    capsys.readouterr()
    files = data_loader(tmp_path, rows(owners, 0), [])
    assert call("import-results", run, *files, "--export", tmp_path / "there", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["failed"], told["pending"]) == (1, 0, len(owners) - 1)
    assert [row["state"] for row in told["ledger"]] == ["done", *["pending"] * (len(owners) - 1)]
    assert ledger_of(salesforce_export(proposal))["Id"].tolist() == [row["Id"] for row in told["ledger"]]
