"""Where the books of a night come from: folders here and elsewhere. Queries have a file of their own."""

import io
import os
import pickle
import shutil
import time
import unicodedata
import zipfile
from datetime import date

import openpyxl
import pytest
from small_books import ACCOUNTS, AMS, DAY, frame, write_book

from rebalancer.errors import InvalidInput, UsageError
from rebalancer.nightly.local import LocalTree
from rebalancer.nightly.sources import find_books
from rebalancer.reading import limits

CANARY = "canary-5f0d"


def names(root, **how):
    return [source.name for source in find_books(str(root), **how)]


def read(root, name=None, day=None):
    (source,) = find_books(str(root), only=[name] if name else ())
    return pickle.loads(pickle.dumps(source)).read(day)


def workbook(path, sheets=("accounts", "ams")):
    """One XLSX with a book of `ACCOUNTS` and `AMS`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    book.remove(book.active)
    for sheet in sheets:
        rows = book.create_sheet(sheet)
        for line in {"accounts": ACCOUNTS, "ams": AMS}.get(sheet.lower(), "a,b\n1,2").splitlines():
            rows.append(line.split(","))
    book.save(path)
    return path


def uploaded(memory, folder, url="memory://books"):
    """A local folder as one of the storage in memory."""
    for file in folder.rglob("*"):
        if file.is_file():
            memory.pipe_file(f"{url.removeprefix('memory:/')}/{file.relative_to(folder).as_posix()}", file.read_bytes())
    return url


@pytest.fixture(params=["here", "elsewhere"])
def place(request, memory):
    """Makes a root of a local folder: the folder itself, or a copy of it elsewhere."""
    return (lambda folder: folder) if request.param == "here" else (lambda folder: uploaded(memory, folder))


def same_tables(one, other):
    return all(one.tables[name].equals(table) for name, table in other.tables.items())


# What is a book, and how it is called


def test_every_folder_with_accounts_is_a_book_at_any_depth_and_sorted_by_name(tmp_path, place):
    for name in ("emea/smb", "apac", "emea/enterprise/dach"):
        write_book(tmp_path / name)
    assert names(place(tmp_path)) == ["apac", "emea/enterprise/dach", "emea/smb"]


def test_the_root_itself_can_be_the_book_and_has_the_name_of_its_folder(tmp_path, place):
    write_book(tmp_path / "books" / "inside")
    write_book(tmp_path / "books")
    assert names(place(tmp_path / "books")) == ["books"]


def test_the_current_folder_has_a_name_too(tmp_path, monkeypatch):
    monkeypatch.chdir(write_book(tmp_path / "west"))
    (source,) = find_books(".")
    assert source.name == "west"
    monkeypatch.chdir("/")
    assert len(source.read().accounts) == 7


def test_a_workbook_with_a_sheet_of_accounts_is_a_book_without_its_suffix(tmp_path, place):
    workbook(tmp_path / "emea" / "q4.xlsx")
    workbook(tmp_path / "north.v2.XLSX", sheets=("Accounts", "AMs", "Notes"))
    workbook(tmp_path / "targets.xlsx", sheets=("plan", "actuals"))
    (tmp_path / "~$q4.xlsx").write_bytes(b"open in Excel")
    (tmp_path / "notes.txt").write_text("no book", encoding="utf-8")
    root = place(tmp_path)
    assert names(root) == ["emea/q4", "north.v2"]
    assert len(read(root, "emea/q4").accounts) == 7


def test_one_workbook_can_be_the_root(tmp_path, place):
    workbook(tmp_path / "q4.xlsx")
    root = f"{place(tmp_path)}/q4.xlsx"
    assert names(root) == ["q4"]
    assert len(read(root).accounts) == 7


def test_a_workbook_with_tables_or_settings_beside_it_is_a_book_with_them(tmp_path, place):
    workbook(tmp_path / "emea" / "any.xlsx")
    (tmp_path / "emea" / "pools.csv").write_text("pool_id,am_id\nP-1,M-1\nP-1,M-2\n", encoding="utf-8")
    workbook(tmp_path / "apac" / "any.xlsx")
    (tmp_path / "apac" / "book.toml").write_text('model = "pods"\n', encoding="utf-8")
    root = place(tmp_path)
    assert names(root) == ["apac", "emea"]
    assert len(read(root, "emea").tables["pools"]) == 2
    assert read(root, "apac").model == "pods"


def test_tables_that_settings_name_are_read_also_from_a_folder_inside(tmp_path, place):
    write_book(tmp_path / "emea", settings='files.accounts = "export/today.csv"\n')
    (tmp_path / "emea" / "export").mkdir()
    (tmp_path / "emea" / "accounts.csv").rename(tmp_path / "emea" / "export" / "today.csv")
    root = place(tmp_path)
    assert names(root) == ["emea"]
    assert len(read(root).accounts) == 7


def test_hidden_folders_run_directories_and_folders_inside_a_book_are_not_searched(tmp_path, place):
    write_book(tmp_path / "emea")
    for name in (".git/book", "emea/old", "runs/1/inputs", "half/inputs", "making/inputs", "lost+found/x"):
        write_book(tmp_path / name)
    (tmp_path / "runs" / "1" / "manifest.json").write_text("{}", encoding="utf-8")
    (tmp_path / "half" / "proposal.json").write_text("{}", encoding="utf-8")
    (tmp_path / "making" / ".rebalancer-writing").touch()
    assert names(place(tmp_path)) == ["emea"]


def test_a_manifest_of_something_else_does_not_hide_a_book(tmp_path, place):
    (write_book(tmp_path / "emea") / "manifest.json").write_text("{}", encoding="utf-8")
    assert names(place(tmp_path)) == ["emea"]


def test_a_book_whose_accounts_are_missing_is_reported_and_not_passed_by(tmp_path, place):
    (write_book(tmp_path / "emea") / "accounts.csv").unlink()
    write_book(tmp_path / "apac")
    root = place(tmp_path)
    assert names(root) == ["apac", "emea"]
    with pytest.raises(InvalidInput, match=r"the book has no accounts\.csv") as caught:
        read(root, "emea")
    assert f"{root}/emea" in str(caught.value)


def test_a_broken_book_stops_neither_the_listing_nor_the_others(tmp_path, place):
    write_book(tmp_path / "good")
    write_book(tmp_path / "toml", settings="model = = 1\n")
    write_book(tmp_path / "bytes", accounts="\0\1\2")
    (tmp_path / "cut.xlsx").write_bytes(workbook(tmp_path / "whole.xlsx").read_bytes()[:900])
    (tmp_path / "empty.xlsx").touch()
    root = place(tmp_path)
    assert names(root) == ["bytes", "cut", "empty", "good", "toml", "whole"]
    assert len(read(root, "good").accounts) == 7
    for broken in ("bytes", "cut", "empty", "toml"):
        with pytest.raises(InvalidInput):
            read(root, broken)


def test_two_books_with_one_name_are_refused_and_both_are_told(tmp_path, place):
    write_book(tmp_path / "emea")
    workbook(tmp_path / "emea.xlsx")
    write_book(tmp_path / "apac")
    root = place(tmp_path)
    with pytest.raises(UsageError, match='would both be "emea"') as caught:
        find_books(str(root))
    assert f"{root}/emea and {root}/emea.xlsx" in str(caught.value)


def test_a_root_without_books_says_what_was_looked_for(tmp_path, place, memory):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "summary.csv").write_text("a\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"there is no book in .*A book is a folder with a file for accounts"):
        find_books(str(place(tmp_path)))


def test_what_is_no_root_is_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no folder"):
        find_books(str(tmp_path / "nowhere"))
    (tmp_path / "accounts.csv").write_text(ACCOUNTS, encoding="utf-8")
    with pytest.raises(UsageError, match=r"neither a folder, nor one \.xlsx, nor a \.toml"):
        find_books(str(tmp_path / "accounts.csv"))


def test_only_chooses_books_by_name_and_knows_what_was_meant(tmp_path, place):
    for name in ("emea/smb", "emea/enterprise", "apac"):
        write_book(tmp_path / name)
    root = place(tmp_path)
    assert names(root, only=["emea/smb", "apac"]) == ["apac", "emea/smb"]
    with pytest.raises(UsageError, match=r'no book "emea/smbb"\. Did you mean "emea/smb"\?'):
        find_books(str(root), only=["apac", "emea/smbb"])


# Hostile names


@pytest.mark.parametrize(
    "name", ["Süd Ost/Ünïcode", "a b/  c", "100%/#?&*[x]", "東京", "-rf", "a\nb", "a'\"b", "x.toml", "y.csv"]
)
def test_names_are_what_they_are(name, tmp_path, place):
    folder = tmp_path / "root" / name
    write_book(folder)
    root = place(tmp_path / "root")
    assert names(root) == [name]
    assert len(read(root).accounts) == 7


def test_two_ways_to_write_a_letter_are_one_name(tmp_path, place):
    for form in ("NFC", "NFD"):
        write_book(tmp_path / unicodedata.normalize(form, "Zürich"))
    with pytest.raises(UsageError, match="would both be"):
        find_books(str(place(tmp_path)))


def test_a_name_that_is_no_text_is_written_so_that_it_can_be_stored(tmp_path):
    write_book(tmp_path / "plain")
    write_book(tmp_path / os.fsdecode(b"caf\xe9"))
    assert names(tmp_path) == ["caf\\xe9", "plain"]
    assert len(read(tmp_path, "caf\\xe9").accounts) == 7


def test_a_folder_three_hundred_levels_down_is_found(tmp_path, place):
    deep = "/".join(["d"] * 300)
    write_book(tmp_path / deep)
    root = place(tmp_path)
    assert names(root) == [deep]
    assert len(read(root).accounts) == 7


def test_a_path_too_long_for_the_system_is_reported_beside_the_others(tmp_path, monkeypatch):
    write_book(tmp_path / "good")
    monkeypatch.chdir(tmp_path)
    for _ in range(60):
        os.mkdir("x" * 100)  # noqa: PTH102
        os.chdir("x" * 100)
    found = names(tmp_path)
    assert "good" in found
    monkeypatch.chdir(tmp_path)
    shutil.rmtree("x" * 100)


@pytest.mark.parametrize("key", ["/books/../etc/accounts.csv", "/books/a//accounts.csv", "/books/./b/accounts.csv"])
def test_keys_that_lead_elsewhere_are_not_searched(key, memory):
    memory.pipe_file("/books/good/accounts.csv", ACCOUNTS.encode())
    memory.pipe_file(key, ACCOUNTS.encode())
    assert names("memory://books") == ["good"]


# Links


def test_circles_of_links_do_no_harm(tmp_path):
    write_book(tmp_path / "emea" / "smb")
    (tmp_path / "emea" / "up").symlink_to(tmp_path)
    (tmp_path / "emea" / "self").symlink_to("self")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "aaa").symlink_to("emea")
    assert names(tmp_path) == ["emea/smb"]


def test_a_link_to_a_folder_elsewhere_is_followed_once(tmp_path):
    write_book(tmp_path / "shared" / "zone" / "smb")
    (tmp_path / "shared" / "zone" / "again").symlink_to(tmp_path / "shared")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "emea").symlink_to(tmp_path / "shared")
    (tmp_path / "root" / "other").symlink_to(tmp_path / "shared" / "zone")
    assert names(tmp_path / "root") == ["emea/zone/smb"]


def test_folders_that_are_links_into_a_hidden_one_are_found(tmp_path):
    write_book(tmp_path / ".versions" / "7" / "emea")
    (tmp_path / ".current").symlink_to(".versions/7")
    (tmp_path / "emea").symlink_to(".current/emea")
    assert names(tmp_path) == ["emea"]


def test_a_folder_that_may_not_be_opened_is_reported_when_it_is_read(tmp_path, monkeypatch):
    write_book(tmp_path / "good")
    closed = write_book(tmp_path / "closed")
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    monkeypatch.setattr(os, "listdir", lambda path: refusing(path))
    assert names(tmp_path) == ["closed", "good"]
    monkeypatch.setattr("rebalancer.nightly.local.load_book", lambda path: list(refusing(path)))
    with pytest.raises(InvalidInput, match=r"closed: it can't be opened: Permission denied\."):
        read(tmp_path, "closed")
    assert closed.is_dir()


# Reading


def test_the_day_of_the_call_wins_over_that_of_the_book(tmp_path, place):
    write_book(tmp_path / "emea")
    write_book(tmp_path / "apac")
    (tmp_path / "apac" / "book.toml").unlink()
    root = place(tmp_path)
    assert read(root, "emea").effective_date.isoformat() == DAY
    assert read(root, "emea", date(2026, 3, 1)).effective_date == date(2026, 3, 1)
    assert read(root, "apac").effective_date == date.today()


def test_a_book_elsewhere_is_read_as_one_here(tmp_path, memory):
    write_book(
        tmp_path / "emea", settings='[columns]\nregion = "Area"\n', accounts=ACCOUNTS.replace("tier", "tier,Area")
    )
    write_book(tmp_path / "apac")
    frame(AMS).to_parquet(tmp_path / "apac" / "ams.parquet")
    (tmp_path / "apac" / "ams.csv").unlink()
    root = uploaded(memory, tmp_path)
    assert same_tables(read(root, "apac"), read(tmp_path, "apac"))
    with pytest.raises(InvalidInput) as there:
        read(root, "emea")
    with pytest.raises(InvalidInput) as here:
        read(tmp_path, "emea")
    assert str(there.value) == str(here.value)


def test_a_file_url_is_a_local_folder(tmp_path):
    write_book(tmp_path / "a b")
    assert find_books(f"file://{tmp_path}") == find_books(str(tmp_path))


def test_only_files_that_a_book_can_have_are_fetched(tmp_path, memory, monkeypatch):
    write_book(tmp_path / "emea")
    for name in ("film.mp4", "sub/accounts.csv", "moves.json"):
        (tmp_path / "emea" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "emea" / name).write_text("x", encoding="utf-8")
    root = uploaded(memory, tmp_path)
    fetched = []
    get_file = type(memory).get_file
    monkeypatch.setattr(
        type(memory),
        "get_file",
        lambda self, path, *rest, **how: (fetched.append(path), get_file(self, path, *rest, **how)),
    )
    read(root)
    assert sorted(fetched) == [f"/books/emea/{name}" for name in ("accounts.csv", "ams.csv", "book.toml")]


def test_listing_a_storage_reads_no_table(tmp_path, memory, monkeypatch):
    write_book(tmp_path / "emea")
    root = uploaded(memory, tmp_path)
    monkeypatch.setattr(type(memory), "_open", lambda *_, **__: pytest.fail("a file was opened"))
    monkeypatch.setattr(type(memory), "cat_file", lambda *_, **__: pytest.fail("a file was read"))
    assert names(root) == ["emea"]


def test_a_file_elsewhere_that_is_too_large_is_not_fetched(tmp_path, memory, monkeypatch):
    write_book(tmp_path / "emea")
    root = uploaded(memory, tmp_path)
    monkeypatch.setattr(limits, "MAX_BYTES", 100)
    with pytest.raises(InvalidInput, match=r"accounts\.csv: bytes in the file: \d+, more than the limit of 100"):
        read(root)


def test_a_file_that_changes_while_it_is_fetched_is_refused(tmp_path, memory, monkeypatch):
    write_book(tmp_path / "emea")
    root = uploaded(memory, tmp_path)
    get_file = type(memory).get_file

    def cut(self, path, local, **how):
        get_file(self, path, local, **how)
        os.truncate(local, 5)

    monkeypatch.setattr(type(memory), "get_file", cut)
    with pytest.raises(InvalidInput, match="the file changed while it was read"):
        read(root)


def test_a_book_that_is_gone_since_it_was_listed_is_an_error_of_that_book(tmp_path, memory):
    write_book(tmp_path / "emea")
    workbook(tmp_path / "apac.xlsx")
    apac, emea = find_books(uploaded(memory, tmp_path))
    memory.store.clear()
    with pytest.raises(InvalidInput, match=r"memory://books/apac\.xlsx: it can't be read: there is no such file\."):
        apac.read()
    with pytest.raises(InvalidInput, match=r"has no accounts\.csv\. Write it to memory://books/emea"):
        emea.read()


def test_nothing_fetched_is_left_on_the_disk(tmp_path, memory, monkeypatch):
    write_book(tmp_path / "in" / "emea")
    root = uploaded(memory, tmp_path / "in")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    read(root)
    memory.rm_file("/books/emea/ams.csv")
    with pytest.raises(InvalidInput):
        read(root)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(("url", "says"), [("s3://bucket/books", "Install s3fs"), ("nope://x", "not known: nope")])
def test_a_storage_whose_package_is_missing_is_told(url, says, monkeypatch):
    def missing(asked):
        raise (
            ImportError("Install s3fs to access S3")
            if asked.startswith("s3")
            else ValueError("Protocol not known: nope")
        )

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(UsageError, match=says):
        find_books(url)


@pytest.mark.parametrize(
    "url", [f"ftp://ann:{CANARY}@host/books", f"https://host/books?sv=1&sig={CANARY}", f"abfs://c/x?sas_token={CANARY}"]
)
def test_a_url_that_holds_a_secret_is_refused_and_not_shown(url):
    with pytest.raises(UsageError, match="holds a password or key") as caught:
        find_books(url)
    assert CANARY not in str(caught.value)


def test_a_folder_may_be_called_like_a_partition(tmp_path, memory):
    write_book(tmp_path / "token_key=7")
    assert names(uploaded(memory, tmp_path)) == ["token_key=7"]


def test_a_failing_storage_is_told_without_secrets(tmp_path, memory, monkeypatch):
    write_book(tmp_path / "emea")
    (source,) = find_books(uploaded(memory, tmp_path))

    def fail(*_, **__):
        raise OSError(f"403 for https://ann:{CANARY}@host/x?sig={CANARY}\ndetails {CANARY}")

    monkeypatch.setattr(type(memory), "find", fail)
    with pytest.raises(InvalidInput, match="it can't be read: 403 for") as caught:
        source.read()
    with pytest.raises(UsageError, match="can't be listed: 403 for") as listed:
        find_books("memory://books")
    assert CANARY not in f"{caught.value}{listed.value}"


# Size


def test_two_hundred_books_are_listed_in_well_under_a_second(tmp_path, place):
    for book in range(200):
        write_book(tmp_path / f"r{book % 8}" / f"b{book}")
    root = place(tmp_path)
    started = time.process_time()
    assert len(names(root)) == 200
    assert time.process_time() - started < 0.5


def test_nothing_below_a_book_is_even_listed(tmp_path, monkeypatch):
    write_book(tmp_path / "emea" / "inside")
    write_book(tmp_path / "emea")
    seen = []
    listed = LocalTree.listed
    monkeypatch.setattr(LocalTree, "listed", lambda self, path: (seen.append(path), listed(self, path))[1])
    names(tmp_path)
    assert seen == ["", "emea"]


def test_a_storage_is_listed_anew_each_night(tmp_path, memory, monkeypatch):
    forgotten = []
    monkeypatch.setattr(type(memory), "invalidate_cache", lambda *path: forgotten.append(path))
    write_book(tmp_path / "emea")
    (source,) = find_books(uploaded(memory, tmp_path))
    assert len(forgotten) == 1
    source.read()
    assert len(forgotten) == 2


def test_a_sheet_list_that_declares_entities_is_left_to_the_reading(tmp_path):
    with zipfile.ZipFile(tmp_path / "odd.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", '<!DOCTYPE x [<!ENTITY a "b">]><x><sheet name="&a;"/></x>')
    assert names(tmp_path) == ["odd"]


def test_a_sheet_list_that_claims_to_be_endless_is_left_to_the_reading(tmp_path):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"<x>" + b" " * 50_000_000)
    (tmp_path / "bomb.xlsx").write_bytes(held.getvalue())
    started = time.process_time()
    assert names(tmp_path) == ["bomb"]
    assert time.process_time() - started < 0.5
    with pytest.raises(InvalidInput):
        read(tmp_path)
