"""A run directory: the files and columns of the contract, whole or not at all, and read back as it was written."""

import errno
import hashlib
import json
import os
import shutil
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from small_books import ACCOUNTS, AMS, CSMS, OWNED, PODS, TIGHT_AMS, WIDE_AMS, WITH_CSMS, book_of, bytes_of, frame

from rebalancer import swap
from rebalancer.book import Book
from rebalancer.coverage import load_model
from rebalancer.errors import InvalidInput, RebalancerError, UsageError
from rebalancer.plan import propose
from rebalancer.run_directory import read_run, write_run
from rebalancer.verify import verify_run

ASSIGNMENTS = (
    "account_id,from_am,to_am,from_csm,to_csm,tier,units,arr,moved,forced,csm_changed,locked,legacy,disruption,reason"
)
NEXT_BEST = "next_best,next_best_extra_overload,next_best_extra_disruption,next_best_drawback"
BOOKS = (
    "am_id,role,capacity,units_before,units_after,utilization_before,utilization_after,band_before,band_after,binding,"
    "accounts_before,accounts_after,arr_before,arr_after,lost,gained"
)
HEADERS = {
    "assignments.csv": ASSIGNMENTS,
    "moves.csv": f"{ASSIGNMENTS},{NEXT_BEST}",
    "books.csv": BOOKS,
    "csms.csv": "csm_id,load_before,load_after,accounts_before,accounts_after",
}
"""The columns of the contract; those of moves.csv after `reason` are the next best seat and its extra cost."""

RECORD = {
    *("schema_version", "run_id", "status", "legal", "stopped", "scope", "measure", "levels", "disruption", "moves"),
    *("continuity", "inputs", "model", "model_sha256", "seed", "versions", "warnings"),
}

BOOKS_TO_TRY = {
    "no csms": {},
    "pods": {"accounts": WITH_CSMS, "csms": CSMS, "pods": PODS},
    "nothing moves": {"accounts": OWNED, "ams": WIDE_AMS},
    "over capacity": {"ams": TIGHT_AMS},
}


def proposal_of(book=None, **options):
    return propose(book or book_of(), **{"workers": 1, "time_limit": 10, **options})


@cache
def made_once(kind):
    """The proposal of one of `BOOKS_TO_TRY`, searched once for all tests."""
    return proposal_of(book_of(**BOOKS_TO_TRY[kind]))


@pytest.fixture(scope="module")
def proposal():
    return proposal_of()


def listing(folder):
    """Every file and directory, hidden ones too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# Contents


def test_the_files_of_the_contract_are_there_and_no_others(tmp_path):
    run = write_run(made_once("pods"), tmp_path / "run")
    inputs = ["accounts.csv", "ams.csv", "csms.csv", "pods.csv", "book.toml", "model.toml"]
    files = ["certificate.npz", "proposal.json", "manifest.json", "timings.json", *HEADERS]
    assert listing(run) == sorted(["inputs", *(f"inputs/{name}" for name in inputs), *files])


@pytest.mark.parametrize("kind", BOOKS_TO_TRY)
def test_every_table_has_the_columns_of_the_contract_in_their_order(kind, tmp_path):
    run = write_run(made_once(kind), tmp_path / "run")
    found = {name: (run / name).read_text(encoding="utf-8").splitlines()[0] for name in HEADERS}
    assert found == HEADERS


def test_the_record_has_every_key_of_the_contract(proposal, tmp_path):
    run = write_run(proposal, tmp_path / "run")
    record = json.loads((run / "proposal.json").read_text(encoding="utf-8"))
    assert set(record) >= RECORD
    assert record["schema_version"] == 1
    assert set(record["disruption"]) == {"revenue_at_risk", "accounts", "units"}
    assert set(record["moves"]) == {"accounts", "arr", "share", "csm_changes", "pod_breaks", "forced"}
    assert all({"name", "value", "bound", "gap", "proof"} <= set(level) for level in record["levels"])
    assert [level["name"] for level in record["levels"]] == ["overload", "disruption", "balance", "fit", "ties"]


@pytest.mark.parametrize("measure", ["accounts", "units"])
def test_the_other_measures_have_a_level_of_continuity(measure):
    levels = [level["name"] for level in proposal_of(measure=measure).record["levels"]]
    assert levels == ["overload", "disruption", "continuity", "balance", "fit", "ties"]


def test_the_manifest_hashes_every_file_but_itself_and_the_timings(proposal, tmp_path):
    run = write_run(proposal, tmp_path / "run")
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    found = {name: hashlib.sha256(data).hexdigest() for name, data in bytes_of(run).items()}
    assert manifest == {
        "schema_version": 1,
        "files": {name: sha for name, sha in found.items() if name not in ("manifest.json", "timings.json")},
    }


def test_the_record_hashes_the_inputs_as_they_are_written(proposal, tmp_path):
    run = write_run(proposal, tmp_path / "run")
    found = {name: hashlib.sha256(data).hexdigest() for name, data in bytes_of(run / "inputs").items()}
    assert proposal.record["inputs"] == found
    assert proposal.record["model_sha256"] == found["model.toml"]


def test_moves_are_the_moved_rows_with_the_most_costly_first(proposal):
    costs = proposal.moves["disruption"].tolist()
    moved = proposal.assignments[proposal.assignments["moved"]]
    assert costs == sorted(costs, reverse=True)
    assert set(proposal.moves["account_id"]) == set(moved["account_id"])


# Reading back


@pytest.mark.parametrize("kind", BOOKS_TO_TRY)
def test_a_run_is_read_back_as_it_was_written(kind, tmp_path):
    made = made_once(kind)
    read = read_run(write_run(made, tmp_path / "run"))
    assert read.record == made.record
    assert read.model == made.model
    assert read.book.effective_date == made.book.effective_date
    for name, table in made.book.tables.items():
        pd.testing.assert_frame_equal(read.book.tables[name], table)
    for name in ("assignments", "moves", "books"):
        pd.testing.assert_frame_equal(getattr(read, name), getattr(made, name))
    pd.testing.assert_frame_equal(read.csms, made.csms, check_dtype=not made.csms.empty)


@pytest.mark.parametrize(
    "name", ["Ev\rxil", "a\nb", "a\r\nb", 'quo"te', "comma,", " spaced ", "NA", "\x1b[31mred", "Ünï", "'=1+1"]
)
def test_a_run_with_an_unusual_name_is_read_back_and_verified(name, tmp_path):
    accounts = frame(ACCOUNTS)
    accounts["name"] = accounts["name"].where(accounts["account_id"] != "A-03", name)
    made = proposal_of(Book.from_frames(accounts, frame(AMS), effective_date="2026-01-15"))
    run = write_run(made, tmp_path / "run")
    assert verify_run(run) == []
    assert read_run(run).book.accounts["name"].tolist() == made.book.accounts["name"].tolist()


@pytest.mark.parametrize("kind", BOOKS_TO_TRY)
def test_every_written_run_is_verified(kind, tmp_path):
    assert verify_run(write_run(made_once(kind), tmp_path / "run")) == []


@pytest.mark.parametrize("name", ["proposal.json", "assignments.csv", "inputs/accounts.csv"])
def test_a_run_that_was_edited_is_not_read(proposal, name, tmp_path):
    run = write_run(proposal, tmp_path / "run")
    (run / name).write_bytes((run / name).read_bytes() + b"\n")
    with pytest.raises(InvalidInput) as refused:
        read_run(run)
    assert str(refused.value) == f"{name}: is not as it was written. Propose again, or restore the file."


def test_a_run_with_a_file_missing_is_not_read(proposal, tmp_path):
    run = write_run(proposal, tmp_path / "run")
    (run / "moves.csv").unlink()
    with pytest.raises(InvalidInput, match=r"^moves\.csv: is not as it was written"):
        read_run(run)


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', "{"])
def test_a_run_with_a_broken_manifest_is_not_read(proposal, text, tmp_path):
    run = write_run(proposal, tmp_path / "run")
    (run / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(RebalancerError, match=r"manifest\.json\" can't be read"):
        read_run(run)


def test_a_directory_that_is_no_run_is_not_read(tmp_path):
    with pytest.raises(UsageError, match=r"is no run directory: it has no manifest\.json"):
        read_run(tmp_path)


# run_id


def test_the_run_id_depends_on_what_the_plan_depends_on():
    pods = {"accounts": WITH_CSMS, "csms": CSMS, "pods": PODS}
    ids = [
        proposal_of().run_id,
        proposal_of(book_of(ACCOUNTS.replace("300000", "300001"))).run_id,
        proposal_of(book_of(ACCOUNTS.replace("Acme", "Acne"))).run_id,
        proposal_of(book_of(**pods)).run_id,
        proposal_of(effective_date="2026-01-16").run_id,
        proposal_of(model="blended").run_id,
        proposal_of(model=load_model("coverage_units", {"limits": {"target": "0.99"}})).run_id,
        proposal_of(scope="repair").run_id,
        proposal_of(measure="accounts").run_id,
        proposal_of(seed=1).run_id,
        proposal_of(gap=0.01).run_id,
    ]
    assert len(set(ids)) == len(ids)


def test_the_run_id_does_not_depend_on_workers_or_place_or_the_order_of_rows(tmp_path):
    lines = ACCOUNTS.splitlines()
    shuffled = "\n".join([lines[0], *reversed(lines[1:])])
    first, other = proposal_of(), proposal_of(book_of(shuffled), workers=2)
    assert first.run_id == other.run_id
    runs = [write_run(first, tmp_path / "here"), write_run(other, tmp_path / "deep" / "there")]
    assert {read_run(run).run_id for run in runs} == {first.run_id}


# The same bytes


@pytest.mark.parametrize("tables", BOOKS_TO_TRY.values(), ids=BOOKS_TO_TRY.keys())
def test_a_reproducible_run_has_the_same_bytes_but_for_its_timings(tables, tmp_path):
    options = {"reproducible": True, "time_limit": 5}
    plain = write_run(proposal_of(book_of(**tables), **options), tmp_path / "a")
    again = write_run(proposal_of(book_of(**tables), **{**options, "workers": 2}), tmp_path / "b")
    shuffled = {
        name: "\n".join([text.splitlines()[0], *reversed(text.splitlines()[1:])])
        for name, text in {"accounts": ACCOUNTS, "ams": AMS, **tables}.items()
    }
    other_order = write_run(proposal_of(book_of(**shuffled), **options), tmp_path / "c")
    files = [bytes_of(run) for run in (plain, again, other_order)]
    for found in files:
        assert found.pop("timings.json")
    assert files[0] == files[1] == files[2]


# All or nothing


def test_an_earlier_run_is_replaced_whole(proposal, tmp_path):
    run = write_run(made_once("pods"), tmp_path / "run")
    assert write_run(proposal, run) == run
    assert bytes_of(run) == bytes_of(write_run(proposal, tmp_path / "fresh"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "run"]


def test_an_empty_directory_is_used(proposal, tmp_path):
    (tmp_path / "run").mkdir()
    assert verify_run(write_run(proposal, tmp_path / "run")) == []


@pytest.mark.parametrize("names", [["notes.txt"], ["manifest.json", "index.html"], ["proposal.json"]])
def test_a_directory_of_somebody_else_is_refused_and_left_alone(proposal, names, tmp_path):
    target = tmp_path / "mine"
    target.mkdir()
    for name in names:
        (target / name).write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        write_run(proposal, target)
    assert str(refused.value) == (
        f'"{target}" holds files that are not a run. Choose an empty or new place with --out.'
    )
    assert bytes_of(target) == dict.fromkeys(names, b"mine")
    assert listing(tmp_path) == sorted(["mine", *(f"mine/{name}" for name in names)])


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_not_a_directory_is_refused(proposal, kind, tmp_path):
    target = tmp_path / "taken"
    if kind == "file":
        target.write_text("mine", encoding="utf-8")
    else:
        (tmp_path / "elsewhere").mkdir()
        target.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is not a directory"):
        write_run(proposal, target)
    assert target.is_symlink() is (kind == "link")
    assert not (tmp_path / "elsewhere").exists() or listing(tmp_path / "elsewhere") == []


def test_a_place_that_cannot_be_written_is_named(proposal, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RebalancerError) as refused:
        write_run(proposal, tmp_path / "file" / "run")
    assert str(refused.value).startswith(f"can't write {tmp_path / 'file' / 'run'}: ")
    assert str(refused.value).endswith("Choose another place with --out.")


class Fails:
    """Raises on its n-th call, passes the others on."""

    def __init__(self, passed_on, call, error):
        self.passed_on, self.left, self.error = passed_on, call, error

    def __call__(self, *args, **how):
        self.left -= 1
        if self.left == 0:
            raise self.error
        return self.passed_on(*args, **how)


def full():
    return OSError(errno.ENOSPC, "No space left on device")


FAILURES = {
    "sync of the first file": (os, "fsync", 1, full),
    "sync of a later file": (os, "fsync", 5, full),
    "sync of the manifest": (os, "fsync", 10, full),
    "moving the old run away": (Path, "rename", 1, full),
    "moving the new run in": (Path, "rename", 2, full),
    "Ctrl-C while writing": (os, "fsync", 4, KeyboardInterrupt),
    "Ctrl-C between the two moves": (Path, "rename", 2, KeyboardInterrupt),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_while_writing_leaves_the_old_run_whole(proposal, failure, tmp_path, monkeypatch):
    owner, name, call, error = failure
    if name == "rename":  # as where two names can't change places in one step
        monkeypatch.setattr(swap, "exchange", lambda *_: False)
    run = write_run(proposal, tmp_path / "run")
    before, other = bytes_of(run), proposal_of(seed=7)
    fails = Fails(getattr(owner, name), call, error())
    monkeypatch.setattr(owner, name, fails if owner is os else lambda *args: fails(*args))
    with pytest.raises((RebalancerError, KeyboardInterrupt)) as stopped:
        write_run(other, run)
    monkeypatch.undo()
    assert fails.left <= 0
    if error is full:
        assert str(stopped.value) == f"can't write {run}: No space left on device; the earlier run is as it was."
    assert bytes_of(run) == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("call", [1, 5, 10])
def test_a_failure_while_writing_the_first_run_leaves_nothing(proposal, call, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", Fails(os.fsync, call, full()))
    with pytest.raises(RebalancerError) as stopped:
        write_run(proposal, tmp_path / "run")
    assert str(stopped.value) == f"can't write {tmp_path / 'run'}: No space left on device; nothing was left there."
    assert list(tmp_path.iterdir()) == []


def test_every_file_is_on_the_disk_before_the_manifest_and_the_manifest_before_the_run(proposal, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda fd: seen.append(os.fstat(fd).st_ino))
    run = write_run(proposal, tmp_path / "run")
    assert seen[-1] == (run / "manifest.json").stat().st_ino
    assert sorted(seen) == sorted(path.stat().st_ino for path in run.rglob("*") if path.is_file())


def test_a_run_can_be_moved_and_its_book_forgotten(proposal, tmp_path):
    run = write_run(proposal, tmp_path / "run")
    moved = shutil.move(run, tmp_path / "archive")
    assert verify_run(moved) == []
    assert read_run(moved).explain("A-07").startswith("A-07 (mid_market, 2 units, $90,000 ARR) moves from M-3 to M-2.")
