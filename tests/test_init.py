"""`init`: a book directory from exports, with a commented book.toml; and the walk-through of docs/salesforce.md."""

import importlib.util
import tomllib
from pathlib import Path

import pytest

from rebalancer.book import load_book

ROOT = Path(__file__).resolve().parents[1]
_spec = importlib.util.spec_from_file_location("corpus_make", ROOT / "tests" / "corpus" / "make.py")
make = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make)

ACCOUNTS = "Account ID,Account Name,Account Owner,ARR,Zodiac\nA-1,Acme,Eva,100,leo\n"
USERS = "User ID,Full Name,Email,Active\nE-1,Eva,eva@example.com,1\n"


@pytest.fixture
def exports(tmp_path):
    (tmp_path / "report1.csv").write_text(ACCOUNTS, encoding="utf-8")
    (tmp_path / "people.csv").write_text(USERS, encoding="utf-8")
    return tmp_path


def test_init_writes_a_book_that_can_be_read(run, exports):
    code, out, err = run("init", "--from", "report1.csv", "people.csv", "--out", "book")
    assert code == 0
    assert out.splitlines() == [
        "report1.csv is the table accounts, 1 rows.",
        "people.csv is the table ams, 1 rows.",
        "Written to book. Next: correct book/book.toml, then rebalancer check book",
    ]
    assert 'mapping: accounts.owner <- "Account Owner" (alias)' in err.splitlines()
    book = load_book(exports / "book")
    assert book.accounts.loc[0, ["account_id", "owner", "arr"]].tolist() == ["A-1", "E-1", 100]
    assert {path.name for path in (exports / "book").iterdir()} == {"book.toml", "report1.csv", "people.csv"}


def test_book_toml_says_what_was_guessed_and_what_is_not_used(run, exports):
    run("init", "--from", "report1.csv", "--from", "people.csv")
    text = (exports / "book" / "book.toml").read_text(encoding="utf-8")
    settings = tomllib.loads(text)
    assert settings["files"] == {"accounts": "report1.csv", "ams": "people.csv"}
    assert settings["columns"]["accounts"]["owner"] == "Account Owner"
    assert 'owner = "Account Owner" # alias' in text
    assert "# not used: Zodiac" in text
    assert '# decimal = ","' in text


def test_what_is_missing_is_said(run, exports):
    (exports / "report1.csv").write_text("Account ID,Account Name,Territory,ARR\nA-1,Acme,Eva,1\n", encoding="utf-8")
    (exports / "notes.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    code, out, _ = run("init", "--from", "report1.csv", "notes.csv")
    assert code == 0
    assert '  missing: the required column "owner". Map it in book.toml under [columns.accounts].' in out
    assert "notes.csv: its columns fit no table; not read." in out
    assert "missing: no file is the table ams, and a book can't do without it." in out
    text = (exports / "book" / "book.toml").read_text(encoding="utf-8")
    assert '# owner = "..."   # missing and required' in text
    assert '# ams = "..."   # missing' in text
    (exports / "book" / "people.csv").write_text(USERS, encoding="utf-8")
    text = text.replace('# owner = "..."', 'owner = "Territory"').replace('# ams = "..."', 'ams = "people.csv"')
    (exports / "book" / "book.toml").write_text(text, encoding="utf-8")
    assert len(load_book(exports / "book").accounts) == 1


def test_nothing_is_overwritten_without_force(run, exports):
    assert run("init", "--from", "report1.csv", "people.csv")[0] == 0
    (exports / "book" / "book.toml").write_text("# mine\n", encoding="utf-8")
    code, _, err = run("init", "--from", "report1.csv", "people.csv")
    assert code == 2
    assert err.splitlines()[-1] == (
        'error: "book" already holds book.toml, report1.csv, people.csv. --force overwrites.'
    )
    assert (exports / "book" / "book.toml").read_text(encoding="utf-8") == "# mine\n"
    assert run("init", "--from", "report1.csv", "people.csv", "--force")[0] == 0
    assert "[files]" in (exports / "book" / "book.toml").read_text(encoding="utf-8")


def test_files_that_are_already_there_are_not_copied(run, exports):
    assert run("init", "--from", "report1.csv", "people.csv", "--out", ".")[0] == 0
    assert {path.name for path in exports.iterdir()} == {"book.toml", "report1.csv", "people.csv"}
    assert len(load_book(exports).accounts) == 1


def test_every_sheet_of_a_workbook_is_looked_at(run, tmp_path):
    import xlsxwriter

    book = xlsxwriter.Workbook(str(tmp_path / "plan.xlsx"))
    for name, text in (("Data", ACCOUNTS), ("Team", USERS), ("Notes", "hello\n")):
        page = book.add_worksheet(name)
        for row, line in enumerate(text.splitlines()):
            page.write_row(row, 0, line.split(","))
    book.close()
    assert run("init", "--from", "plan.xlsx")[0] == 0
    settings = tomllib.loads((tmp_path / "book" / "book.toml").read_text(encoding="utf-8"))
    assert settings["files"] == {"accounts": "plan.xlsx#Data", "ams": "plan.xlsx#Team"}
    assert len(load_book(tmp_path / "book").accounts) == 1


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ((), 2, "name at least one file"),
        (("--from", "https://example.com/a.csv"), 2, "is a URL; nothing is fetched"),
        (("--from", "report1.pdf"), 2, "is no file to read"),
        (("--from", "nowhere.csv"), 3, "nowhere.csv: the file can't be opened: No such file or directory."),
    ],
)
def test_what_cannot_be_read_is_told(run, exports, args, code, message):
    ended, _, err = run("init", *args)
    assert ended == code
    assert message in err


def test_a_file_that_is_something_else_is_told(run, tmp_path):
    make.plain(tmp_path).rename(tmp_path / "accounts.csv")
    code, _, err = run("init", "--from", "accounts.csv")
    assert code == 3
    assert "the file is a zip archive, whatever its name says" in err
    assert not (tmp_path / "book").exists()


def test_the_walk_through_needs_two_edits_at_most():
    text = (ROOT / "docs" / "salesforce.md").read_text(encoding="utf-8")
    assert text.count("text = text.replace(") <= 2


def test_reading_options_reach_every_command_that_reads_a_book(run, exports):
    run("init", "--from", "report1.csv", "people.csv")
    (exports / "book" / "book.toml").unlink()
    (exports / "book" / "report1.csv").rename(exports / "book" / "accounts.csv")
    (exports / "book" / "people.csv").rename(exports / "book" / "ams.csv")
    (exports / "book" / "accounts.csv").write_text(
        "Account ID;Account Name;Betreuer;ARR\nA-1;Acme;Eva;1.200,5\nTotal;;;1\n", encoding="utf-8"
    )
    options = ("--map", "owner=Betreuer", "--decimal", ",", "--accept", "footer", "--accept", "delimiter")
    for command in (("check",), ("heatmap",), ("propose", "--out", "run")):
        code, _, err = run(*command[:1], "book", *command[1:], *options)
        assert code == 0, err
        assert 'mapping: accounts.owner <- "Betreuer" (given)' in err.splitlines()
    assert "delimiter" not in err
