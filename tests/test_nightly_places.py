"""Where run directories go: whole or not at all here, with the manifest last elsewhere, and harmless when repeated."""

import io
from pathlib import Path

import openpyxl
import pytest
from small_books import ACCOUNTS, book_of, bytes_of

from rebalancer.errors import RebalancerError, UsageError
from rebalancer.nightly.places import write_run_at
from rebalancer.nightly.sources import find_books
from rebalancer.plan import propose
from rebalancer.run_directory import read_run, run_files, write_run
from rebalancer.surfaces.workbook import moves_workbook

EXTRA = "moves.xlsx"


def proposal_of(**book):
    return propose(book_of(**book), workers=1, time_limit=10, reproducible=True)


@pytest.fixture(scope="module")
def proposal():
    return proposal_of()


@pytest.fixture(scope="module")
def other():
    return proposal_of(accounts=ACCOUNTS.replace("90000", "95000"))


@pytest.fixture(scope="module")
def workbook(proposal):
    """The workbook of the proposal for people, once as it is written and once with a decision in it."""
    written = moves_workbook(proposal)[0][EXTRA]
    book = openpyxl.load_workbook(io.BytesIO(written))
    book.active["B2"] = "no"
    held = io.BytesIO()
    book.save(held)
    return written, held.getvalue()


def copied(memory, base, folder):
    """What a storage holds, as a local folder."""
    memory.get(base, str(folder), recursive=True)
    return folder


class Stopped(Exception):
    """The writer is killed."""


@pytest.fixture
def killed_after(memory, monkeypatch):
    """Lets a writer fail before its n-th change of the storage and ever after; False where it needs fewer."""
    real = {name: getattr(type(memory), name) for name in ("pipe_file", "rm_file")}

    def write(steps, call):
        left = [steps]

        def counting(name):
            def change(self, *args, **how):
                left[0] -= 1
                if left[0] < 0:
                    raise Stopped
                return real[name](self, *args, **how)

            return change

        with monkeypatch.context() as patch:
            for name in real:
                patch.setattr(type(memory), name, counting(name))
            try:
                call()
            except RebalancerError:
                return True
        return False

    return write


def test_a_local_run_is_that_of_write_run(proposal, tmp_path):
    place = write_run_at(proposal, str(tmp_path / "deep" / "run"), {"note.txt": b"hi"})
    assert place == str(tmp_path / "deep" / "run")
    direct = write_run(proposal, tmp_path / "direct", {"note.txt": b"hi"})
    assert bytes_of(Path(place)) == bytes_of(direct) == run_files(proposal, {"note.txt": b"hi"})


def test_a_file_url_is_a_local_folder(proposal, tmp_path):
    assert write_run_at(proposal, f"file://{tmp_path}/run") == str(tmp_path / "run")
    assert read_run(tmp_path / "run").record == proposal.record


def test_a_run_elsewhere_has_the_same_files(proposal, tmp_path, memory):
    assert write_run_at(proposal, "memory://runs/emea/1", {"note.txt": b"hi"}) == "memory://runs/emea/1"
    copy = copied(memory, "/runs/emea/1", tmp_path / "copy")
    assert bytes_of(copy) == run_files(proposal, {"note.txt": b"hi"})
    assert read_run(copy).record == proposal.record


def test_the_manifest_is_the_last_file_to_come(proposal, memory, monkeypatch):
    written = []
    pipe = type(memory).pipe_file
    monkeypatch.setattr(
        type(memory), "pipe_file", lambda self, path, *a, **k: (written.append(path), pipe(self, path, *a, **k))[1]
    )
    write_run_at(proposal, "memory://runs/1")
    assert written[0] == "/runs/1/.rebalancer-writing"
    assert written[-1] == "/runs/1/manifest.json"
    assert len(written) == len(run_files(proposal)) + 1


@pytest.mark.parametrize("before", ["nothing", "another run"])
def test_a_writer_killed_anywhere_leaves_no_half_run_with_a_manifest_and_the_next_one_completes_it(
    before, proposal, other, tmp_path, memory, killed_after
):
    wanted = run_files(proposal)
    for steps in range(100):
        memory.store.clear()
        if before == "another run":
            write_run_at(other, "memory://runs/1", {"old.txt": b"old"})
        killed = killed_after(steps, lambda: write_run_at(proposal, "memory://runs/1"))
        if memory.exists("/runs/1/manifest.json"):
            read_run(copied(memory, "/runs/1", tmp_path / f"{before}-{steps}"))
        with pytest.raises(UsageError, match="there is no book"):
            find_books("memory://runs")
        write_run_at(proposal, "memory://runs/1")
        assert {path.removeprefix("/runs/1/") for path in memory.find("/runs/1")} == set(wanted)
        assert all(
            memory.cat_file(f"/runs/1/{name}") == data for name, data in wanted.items() if name != "timings.json"
        )
        if not killed:
            break
    assert not killed
    assert steps > len(wanted)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_the_same_run_again_writes_nothing_and_keeps_what_people_noted(
    where, proposal, workbook, tmp_path, memory, monkeypatch
):
    place = str(tmp_path / "run") if where == "here" else "memory://runs/1"
    written, noted = workbook
    write_run_at(proposal, place, {EXTRA: written})
    if where == "here":
        (tmp_path / "run" / EXTRA).write_bytes(noted)
        monkeypatch.setattr("rebalancer.nightly.places.write_run", lambda *_: pytest.fail("written again"))
    else:
        memory.pipe_file(f"/runs/1/{EXTRA}", noted)
        monkeypatch.setattr(type(memory), "pipe_file", lambda *_, **__: pytest.fail("written again"))
    assert write_run_at(proposal, place, {EXTRA: written}) == place
    there = (tmp_path / "run" / EXTRA).read_bytes() if where == "here" else memory.cat_file(f"/runs/1/{EXTRA}")
    assert there == noted


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_another_run_does_not_replace_one_that_people_wrote_into(where, proposal, other, workbook, tmp_path, memory):
    place = str(tmp_path / "run") if where == "here" else "memory://runs/1"
    write_run_at(proposal, place, {EXTRA: workbook[0]})
    if where == "here":
        (tmp_path / "run" / EXTRA).write_bytes(workbook[1])
    else:
        memory.pipe_file(f"/runs/1/{EXTRA}", workbook[1])
    with pytest.raises(UsageError, match=r"somebody wrote into .*moves\.xlsx"):
        write_run_at(other, place)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_another_run_replaces_an_earlier_one_whole(where, proposal, other, tmp_path, memory):
    place = str(tmp_path / "run") if where == "here" else "memory://runs/1"
    write_run_at(proposal, place, {"old.txt": b"old"})
    write_run_at(other, place)
    run = tmp_path / "run" if where == "here" else copied(memory, "/runs/1", tmp_path / "copy")
    assert bytes_of(run) == run_files(other)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_damaged_copy_of_the_same_run_is_written_anew(where, proposal, tmp_path, memory):
    place = str(tmp_path / "run") if where == "here" else "memory://runs/1"
    write_run_at(proposal, place)
    (tmp_path / "run" / "books.csv").unlink() if where == "here" else memory.rm_file("/runs/1/books.csv")
    write_run_at(proposal, place)
    run = tmp_path / "run" if where == "here" else copied(memory, "/runs/1", tmp_path / "copy")
    assert bytes_of(run) == run_files(proposal)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_what_is_no_run_is_left_alone(where, proposal, tmp_path, memory):
    place = str(tmp_path / "run") if where == "here" else "memory://runs/1"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "diary.txt").write_text("mine", encoding="utf-8")
    memory.pipe_file("/runs/1/diary.txt", b"mine")
    with pytest.raises(UsageError, match="holds files that are not a run"):
        write_run_at(proposal, place)
    assert memory.find("/runs/1") == ["/runs/1/diary.txt"]
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["diary.txt"]


def test_two_writers_of_one_run_at_once_do_no_harm(proposal, memory, tmp_path, monkeypatch):
    pipe, nested = type(memory).pipe_file, []

    def while_writing(self, path, *args, **how):
        if path.endswith("proposal.json") and not nested:
            nested.append(path)
            write_run_at(proposal, "memory://runs/1")
        return pipe(self, path, *args, **how)

    monkeypatch.setattr(type(memory), "pipe_file", while_writing)
    write_run_at(proposal, "memory://runs/1")
    assert nested
    assert bytes_of(copied(memory, "/runs/1", tmp_path / "copy")) == run_files(proposal)


def test_a_storage_that_fails_is_told_without_secrets(proposal, memory, monkeypatch):
    def fail(*_, **__):
        raise PermissionError("403 https://ann:canary-5f0d@host/x?sig=canary-5f0d")

    monkeypatch.setattr(type(memory), "pipe_file", fail)
    with pytest.raises(RebalancerError, match=r"can't write memory://runs/1: 403") as caught:
        write_run_at(proposal, "memory://runs/1")
    with pytest.raises(UsageError, match="holds a password or key") as refused:
        write_run_at(proposal, "ftp://ann:canary-5f0d@host/runs")
    assert "canary" not in f"{caught.value}{refused.value}"
