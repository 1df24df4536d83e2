"""Books by SQL: what the file may say, what is asked of the database, and that no message shows a password."""

import pickle
import sqlite3
import time
import traceback
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from small_books import ACCOUNTS, AMS, frame

from rebalancer.errors import InvalidInput, UsageError
from rebalancer.nightly import database
from rebalancer.nightly.sources import find_books
from rebalancer.reading import limits

CANARY = "c4nary/p@ss%"
QUOTED = "c4nary%2Fp%40ss%25"

FILE = """
[connection]
url_env = "WAREHOUSE_URL"

[queries]
accounts = "SELECT * FROM accounts WHERE region = :region"
ams = "SELECT am_id, name, capacity FROM ams"

[defaults]
effective_date = 2026-01-15

[books]
"emea/smb" = { parameters = { region = "EMEA" } }
apac = { parameters = { region = "APAC" }, model = "segmented" }
"""

TABLES = (
    "CREATE TABLE accounts (account_id TEXT, name TEXT, owner TEXT, arr NUMERIC(12, 2), tier TEXT, region TEXT)",
    "CREATE TABLE ams (am_id TEXT, name TEXT, capacity INTEGER)",
)


def rows():
    """The statements that fill the tables with `ACCOUNTS`, once per region."""
    for region in ("EMEA", "APAC"):
        for row in frame(ACCOUNTS).itertuples(index=False):
            values = ", ".join(f"'{value}'" for value in (f"{region}-{row.account_id}", row.name, row.owner))
            yield f"INSERT INTO accounts VALUES ({values}, {row.arr}.00, '{row.tier}', '{region}')"
    for row in frame(AMS).itertuples(index=False):
        yield f"INSERT INTO ams VALUES ('{row.am_id}', '{row.name}', {row.capacity})"


class Warehouse:
    """A database with the tables of a book, and the file that queries it."""

    def __init__(self, kind, folder, running=None):
        self.kind, self.folder = kind, folder
        if kind == "sqlite":
            self.address = f"sqlite:///{folder / 'warehouse.db'}"
            self.engine = sa.create_engine(self.address, poolclass=sa.NullPool)
        else:
            self.address = running.url(running.new_database())
            self.engine = sa.create_engine(self.address.replace(":", "+psycopg:", 1), poolclass=sa.NullPool)

    def run(self, *statements):
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def ask(self, statement):
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def sources(self, text=FILE, **how):
        (self.folder / "night.toml").write_text(text, encoding="utf-8")
        return find_books(str(self.folder / "night.toml"), **how)

    def read(self, name="emea/smb", text=FILE, day=None):
        (source,) = self.sources(text, only=[name])
        return pickle.loads(pickle.dumps(source)).read(day)


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse(request, tmp_path, monkeypatch):
    running = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    made = Warehouse(request.param, tmp_path, running)
    made.run(*TABLES, *rows())
    monkeypatch.setenv("WAREHOUSE_URL", made.address)
    return made


@pytest.fixture
def file(tmp_path):
    """Finds the books of a text."""

    def find(text):
        (tmp_path / "night.toml").write_text(text, encoding="utf-8")
        return find_books(str(tmp_path / "night.toml"))

    return find


def faults_of(call):
    with pytest.raises(InvalidInput) as caught:
        call()
    return [str(fault) for fault in caught.value]


# Reading


def test_each_book_is_what_its_queries_give(warehouse):
    assert [source.name for source in warehouse.sources()] == ["apac", "emea/smb"]
    book = warehouse.read("emea/smb")
    assert book.accounts["account_id"].tolist() == [f"EMEA-A-0{n}" for n in range(1, 8)]
    assert book.accounts["arr"].sum() == 1_070_000
    assert book.ams["capacity"].tolist() == [15, 20, 15]
    assert (book.model, book.effective_date) == (None, date(2026, 1, 15))
    assert warehouse.read("apac").model == "segmented"


def test_the_day_of_the_call_wins_and_without_any_it_is_today(warehouse):
    assert warehouse.read(day=date(2026, 3, 1)).effective_date == date(2026, 3, 1)
    undated = warehouse.read(text=FILE.replace("effective_date = 2026-01-15", ""))
    assert undated.effective_date == date.today()
    assert not undated.dated


IDS = ("0015E000012", "00123", "NA", "1E5", "TRUE", "123456789012345678", "null", "Ünï'; --")


def test_ids_survive_as_they_are(warehouse):
    warehouse.run("DELETE FROM accounts", "INSERT INTO ams VALUES ('007', 'Bond', 5), ('NA', 'Nora', 5)")
    for number, name in enumerate(IDS):
        quoted = name.replace("'", "''")
        owner = "NULL" if number == 3 else "'NA'" if number % 2 else "'007'"
        warehouse.run(f"INSERT INTO accounts VALUES ('{quoted}', '{quoted}', {owner}, 1, 'smb', 'EMEA')")
    book = warehouse.read()
    assert sorted(book.accounts["account_id"]) == sorted(IDS)
    owners = dict(zip(book.accounts["account_id"], book.accounts["owner"], strict=True))
    assert (owners["0015E000012"], owners["00123"], owners["1E5"]) == ("007", "NA", "")


def test_ids_that_are_numbers_never_pass_through_floats(warehouse):
    warehouse.run("CREATE TABLE numbered (id BIGINT, owner BIGINT)", "CREATE TABLE people (id BIGINT)")
    warehouse.run(
        "INSERT INTO people VALUES (9007199254740993)", "INSERT INTO numbered VALUES (9223372036854775807, NULL)"
    )
    warehouse.run("INSERT INTO numbered VALUES (12, 9007199254740993)")
    text = FILE.replace(
        "SELECT * FROM accounts WHERE region = :region",
        "SELECT id AS account_id, 'x' AS name, owner, 1 AS arr FROM numbered WHERE :region = 'EMEA'",
    ).replace("SELECT am_id, name, capacity FROM ams", "SELECT id AS am_id, 'p' AS name FROM people")
    accounts = warehouse.read(text=text).accounts
    assert accounts["account_id"].tolist() == ["12", "9223372036854775807"]
    assert accounts["owner"].tolist() == ["9007199254740993", ""]


def test_dates_numbers_and_truths_are_read_as_such(warehouse):
    text = FILE.replace(
        "SELECT * FROM accounts WHERE region = :region",
        "SELECT accounts.*, CAST('2026-05-01' AS VARCHAR(10)) AS renewal_date, 1 = 1 AS lock, 1.5 AS complexity"
        " FROM accounts WHERE region = :region",
    )
    if warehouse.kind == "postgresql":
        text = text.replace("CAST('2026-05-01' AS VARCHAR(10))", "TIMESTAMPTZ '2026-05-01 10:00+00'")
    accounts = warehouse.read(text=text).accounts
    assert str(accounts["renewal_date"].iloc[0])[:10] == "2026-05-01"
    assert accounts["lock"].all()
    assert accounts["complexity"].tolist() == [1.5] * 7


def test_parameters_may_be_lists_numbers_dates_and_truths(warehouse):
    text = FILE.replace(
        "region = :region", "region IN :regions AND arr >= :least AND '2026-02-01' > :day AND :all = :all"
    )
    text = text.replace(
        '{ region = "EMEA" }', '{ regions = ["EMEA", "APAC"], least = 120_000.5, day = 2026-01-01, all = true }'
    )
    if warehouse.kind == "postgresql":
        text = text.replace("'2026-02-01'", "DATE '2026-02-01'")
    assert len(warehouse.read(text=text).accounts) == 6


def test_a_parameter_is_a_value_and_never_sql(warehouse):
    text = FILE.replace('region = "EMEA"', "region = \"x' OR '1'='1\"")
    assert faults_of(lambda: warehouse.read(text=text))[0].startswith("accounts: the accounts table has no rows.")


def test_a_percent_sign_and_a_cast_are_sql_as_elsewhere(warehouse):
    text = FILE.replace("region = :region", "region LIKE :region AND name LIKE 'A%' AND 7 % 4 = 3")
    assert len(warehouse.read(text=text).accounts) == 1


def test_columns_and_reading_options_are_those_of_a_book(warehouse):
    text = FILE.replace("SELECT am_id, name", "SELECT am_id AS login, name")
    text = text.replace("[defaults]", '[defaults]\ncolumns.ams.am_id = "login"\nreading.queues = ["M-3"]')
    text = text.replace("[books]", "[defaults.overrides.books]\ncap = 90.5\n\n[books]")
    book = warehouse.read(text=text)
    assert book.ams["am_id"].tolist() == ["M-1", "M-2", "M-3"]
    assert book.accounts["owner"].tolist()[-1] == ""
    assert str(book.overrides["books"]["cap"]) == "90.5"


def test_a_book_says_otherwise_and_leaves_a_table_out(warehouse):
    shared = FILE.replace("[defaults]", 'csms = "SELECT 1 FROM nowhere"\n[defaults]')
    text = shared + '\n[books.own]\ncsms = ""\naccounts = "SELECT * FROM accounts WHERE arr > 290000"\n'
    assert len(warehouse.read("own", text).accounts) == 2
    assert "csms" in faults_of(lambda: warehouse.read("emea/smb", text))[0]


# One read-only transaction


WRITES = ["DELETE FROM accounts", "INSERT INTO ams VALUES ('X', 'X', 1) RETURNING *", "DROP TABLE ams"]


@pytest.mark.parametrize("statement", WRITES)
def test_no_query_can_write(statement, warehouse):
    before = warehouse.ask("SELECT * FROM accounts"), warehouse.ask("SELECT * FROM ams")
    text = f'{FILE}\n[books.evil]\naccounts = "{statement}"\nams = "{statement}"\n'
    assert faults_of(lambda: warehouse.read("evil", text))
    assert before == (warehouse.ask("SELECT * FROM accounts"), warehouse.ask("SELECT * FROM ams"))


LIFTS = [
    *("COMMIT", "ROLLBACK", "PRAGMA query_only = OFF", "SET TRANSACTION READ WRITE"),
    "SELECT set_config('transaction_read_only', 'off', true)",
]


@pytest.mark.parametrize("statement", LIFTS)
def test_no_query_can_make_the_next_one_write(statement, warehouse):
    before = warehouse.ask("SELECT * FROM ams")
    text = f'{FILE}\n[books.evil]\naccounts = "{statement}"\nams = "DELETE FROM ams RETURNING *"\n'
    assert len(faults_of(lambda: warehouse.read("evil", text))) == 2
    assert before == warehouse.ask("SELECT * FROM ams")


def test_no_function_that_a_query_calls_can_write(warehouse):
    if warehouse.kind == "sqlite":
        return
    warehouse.run("CREATE FUNCTION clear() RETURNS integer LANGUAGE sql AS 'DELETE FROM ams RETURNING 1'")
    text = f'{FILE}\n[books.evil]\naccounts = "SELECT clear()"\n'
    assert "read-only transaction" in faults_of(lambda: warehouse.read("evil", text))[0]


def test_no_two_statements_in_one_query_can_write(warehouse):
    before = warehouse.ask("SELECT * FROM ams")
    text = f'{FILE}\n[books.evil]\naccounts = "SELECT 1; COMMIT; DELETE FROM ams"\n'
    assert faults_of(lambda: warehouse.read("evil", text))
    assert before == warehouse.ask("SELECT * FROM ams")


def test_all_tables_of_a_book_are_of_one_moment(warehouse, monkeypatch):
    if warehouse.kind == "sqlite":
        warehouse.run("PRAGMA journal_mode = WAL")
    real, late = database._frame, []

    def interrupted(connection, query, *rest):
        found = real(connection, query, *rest)
        if query.table == "accounts":
            warehouse.run("INSERT INTO ams VALUES ('M-9', 'Late', 1)")
            late.append(True)
        return found

    monkeypatch.setattr(database, "_frame", interrupted)
    assert warehouse.read().ams["am_id"].tolist() == ["M-1", "M-2", "M-3"]
    assert late
    monkeypatch.setattr(database, "_frame", real)
    assert len(warehouse.read().ams) == 4


def test_no_connection_is_left_open(warehouse):
    warehouse.read()
    faults_of(lambda: warehouse.read(text=FILE.replace("FROM ams", "FROM nobody")))
    if warehouse.kind == "postgresql":
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert warehouse.ask(others) == [(0,)]
    else:
        open_files = [str(link.resolve()) for link in Path("/proc/self/fd").iterdir() if link.exists()]
        assert not [name for name in open_files if name.endswith("warehouse.db")]


def test_an_sqlite_file_that_is_not_there_is_not_made(tmp_path, monkeypatch, file):
    monkeypatch.setenv("WAREHOUSE_URL", f"sqlite:///{tmp_path}/none.db")
    assert "unable to open database file" in faults_of(file(FILE)[0].read)[0]
    assert not (tmp_path / "none.db").exists()


# What goes wrong in the database


def test_every_query_that_fails_is_told_with_its_book_and_its_place(warehouse):
    text = FILE.replace("FROM accounts", "FROM accoutns").replace("FROM ams", "FROM amz")
    text += '\n[books.own]\npods = "SELEC 1"\nparameters = { region = "EMEA" }\n'
    found = faults_of(lambda: warehouse.read("own", text))
    assert [fault.partition(": ")[0] for fault in found] == [
        "night.toml, key queries.accounts",
        "night.toml, key queries.ams",
        'night.toml, key books."own".pods',
    ]
    assert all("own: the query of" in fault for fault in found)
    assert "accoutns" in found[0]
    assert "amz" in found[1], "its own fault, not that of the one before"


def test_a_query_without_rows_to_give_is_told(warehouse):
    text = FILE.replace("SELECT am_id, name, capacity FROM ams", "BEGIN")
    assert "queries.ams" in faults_of(lambda: warehouse.read(text=text))[0]


def test_what_the_rows_lack_is_told_as_of_a_file(warehouse):
    text = FILE.replace("SELECT am_id, name, capacity", "SELECT am_id, name AS nam")
    found = faults_of(lambda: warehouse.read(text=text))
    assert 'ams: the required column "name" is missing.' in found[0]
    twice = FILE.replace("SELECT am_id, name", "SELECT am_id, am_id, name")
    assert 'the column "am_id" is there twice' in faults_of(lambda: warehouse.read(text=twice))[0]


def test_bytes_are_no_ids(warehouse):
    binary = "x'3031'" if warehouse.kind == "sqlite" else "'01'::bytea"
    text = FILE.replace("SELECT am_id", f"SELECT {binary} AS am_id")
    assert 'the column "am_id" holds bytes' in faults_of(lambda: warehouse.read(text=text))[0]


def test_more_rows_than_the_limit_are_refused_unless_that_is_accepted(warehouse, monkeypatch):
    monkeypatch.setattr(limits, "MAX_ROWS", 5)
    assert "rows of the query: 6, more than the limit of 5" in faults_of(warehouse.read)[0]
    accepted = FILE.replace("[defaults]", '[defaults]\nreading.accept = ["large"]')
    assert len(warehouse.read(text=accepted).accounts) == 7


def test_a_value_that_the_driver_cannot_read_is_told(warehouse):
    value = "CAST(x'ff' AS TEXT)" if warehouse.kind == "sqlite" else "'infinity'::date"
    text = FILE.replace("SELECT am_id, name", f"SELECT am_id, {value} AS name")
    assert "the query of ams failed" in faults_of(lambda: warehouse.read(text=text))[0]


# Where the address comes from


def test_the_address_may_stand_in_a_file_of_its_owner_alone(warehouse, monkeypatch):
    monkeypatch.delenv("WAREHOUSE_URL")
    (warehouse.folder / "warehouse.url").write_text(f"{warehouse.address}\n", encoding="utf-8")
    text = FILE.replace('url_env = "WAREHOUSE_URL"', 'url_file = "warehouse.url"')
    (warehouse.folder / "warehouse.url").chmod(0o640)
    found = faults_of(lambda: warehouse.read(text=text))
    assert "others than its owner may read the file. Allow it to its owner alone (chmod 600)" in found[0]
    (warehouse.folder / "warehouse.url").chmod(0o600)
    monkeypatch.chdir("/")
    assert len(warehouse.read(text=text).accounts) == 7
    (warehouse.folder / "warehouse.url").unlink()
    assert "the file can't be read: No such file" in faults_of(lambda: warehouse.read(text=text))[0]


def test_an_address_that_is_missing_is_an_error_of_the_worker_not_of_the_listing(file, monkeypatch):
    monkeypatch.delenv("WAREHOUSE_URL", raising=False)
    apac, emea = file(FILE)
    for source in (apac, emea):
        assert "key connection.url_env" in faults_of(source.read)[0]
        assert "the environment has no such variable" in faults_of(source.read)[0]


SECRET_ADDRESSES = [
    f"postgresql://ann:{QUOTED}@127.0.0.1:1/x",
    f"postgresql://ann:{CANARY}@127.0.0.1:1/x",
    f"postgresql://127.0.0.1:1/x?user=ann&password={QUOTED}",
    f"postgresql://ann:{QUOTED}@/x?host=/nowhere&sslmode={QUOTED}",
    f"nosuchdatabase://ann:{QUOTED}@host/x",
    f"mysql://ann:{QUOTED}@host/x",
    f"ann:{CANARY}@host",
    f"sqlite:///nowhere/{QUOTED}@x.db?password={QUOTED}",
]


@pytest.mark.parametrize("address", SECRET_ADDRESSES)
def test_no_error_repr_or_pickle_shows_the_password(address, file, monkeypatch, capfd, caplog):
    monkeypatch.setenv("WAREHOUSE_URL", address)
    source = file(FILE)[0]
    with pytest.raises(InvalidInput) as caught:
        source.read()
    error = caught.value
    told = [str(error), repr(error), str(error.__notes__) if hasattr(error, "__notes__") else "", repr(source)]
    told += ["".join(traceback.format_exception(error)), *capfd.readouterr(), caplog.text]
    data = b"".join(pickle.dumps(thing) for thing in (source, error))
    assert not [text for text in told if "c4nary" in text]
    assert b"c4nary" not in data


def test_a_refused_login_does_not_show_the_password(postgresql, tmp_path, monkeypatch, file):
    url = sa.make_url(postgresql.url("nowhere", user="nobody_here")).set(password=CANARY)
    monkeypatch.setenv("WAREHOUSE_URL", url.render_as_string(hide_password=False))
    (fault,) = faults_of(file(FILE)[0].read)
    assert "apac: the database can't be used" in fault
    assert "nobody_here" in fault
    assert "c4nary" not in fault


def test_a_message_of_a_driver_is_shown_without_secrets(monkeypatch, file):
    monkeypatch.setenv("WAREHOUSE_URL", f"postgresql://ann:{QUOTED}@host/x?sslkey=s3cretkey")

    def fail(url):
        raise RuntimeError(f"can't reach {CANARY} or {QUOTED} or postgresql://ann:other@host with s3cretkey\nmore")

    monkeypatch.setattr(database, "_reading", fail)
    (fault,) = faults_of(file(FILE)[0].read)
    assert "can't reach *** or *** or postgresql://***@host with ***." in fault
    assert "more" not in fault


@pytest.mark.parametrize("key", ["url", "url_env", "url_file"])
def test_an_address_in_the_file_is_refused_and_not_shown(key, file):
    text = FILE.replace('url_env = "WAREHOUSE_URL"', f'{key} = "postgresql://ann:{QUOTED}@host/x"')
    (fault,) = faults_of(lambda: file(text))
    assert f"key connection.{key}:" in fault
    assert ("change that" in fault) == (key == "url")
    assert "c4nary" not in fault


def test_an_address_as_a_key_is_not_shown(file):
    text = FILE.replace("[connection]", f'[connection]\n"postgresql://ann:{QUOTED}@host" = 1')
    assert "c4nary" not in "".join(faults_of(lambda: file(text)))


# What is wrong with the file


def test_a_fault_of_all_books_is_told_at_once_with_every_other(file):
    text = FILE.replace("[queries]", '[queries]\npodz = "SELECT 1"\ncsms = 7\n')
    text = text.replace(
        "[defaults]", '[defaults]\nmodle = "pods"\nparameters.x = {}\n[extra]\n[defaults.columns]\nownr = "x"\n'
    )
    text = text.replace("effective_date = 2026-01-15", "")
    text = text.replace('model = "segmented"', 'modell = "segmented"')
    found = faults_of(lambda: file(text))
    places = [fault.partition("night.toml, key ")[2].partition(":")[0] for fault in found]
    assert sorted(places) == sorted(
        [
            "extra",
            "queries.podz",
            "queries.csms",
            "defaults.modle",
            "defaults.columns.ownr",
            "defaults.parameters.x",
            'books."apac".modell',
        ]
    )
    assert 'unknown key. Did you mean "pods"?' in "".join(found)
    assert 'unknown key. Did you mean "model"?' in "".join(found)


def test_a_fault_of_all_books_is_not_told_again_for_each(file):
    (fault,) = faults_of(lambda: file(FILE.replace('ams = "SELECT', 'amss = "SELECT')))
    assert 'key queries.amss: unknown key. Did you mean "ams"?' in fault


def test_the_example_of_the_documentation_has_no_fault(file):
    page = (Path(__file__).parents[1] / "docs" / "nightly.md").read_text(encoding="utf-8")
    (example,) = [block for block in page.split("```") if block.startswith("toml\n# night.toml")]
    sources = file(example.removeprefix("toml\n"))
    assert [source.name for source in sources] == ["apac/enterprise", "emea/enterprise", "emea/smb"]
    assert not [source.faults for source in sources if source.faults]


FAULTS_OF_A_BOOK = [
    ('modle = "pods"', 'key books."own".modle: unknown key. Did you mean "model"?'),
    ('effective_date = "soon"', "not a date"),
    ('columns.ownr = "x"', 'key books."own".columns.ownr: there is no column "ownr" to map. Did you mean "owner"?'),
    ('files.accounts = "x.csv"', 'key books."own".files: unknown key'),
    ("accounts = 3", "must be a text"),
    ("model = 3", "must be a text"),
    ("parameters = 3", "must be a table"),
    ("parameters = { region = [] }", "can't be a parameter"),
    ('parameters = { regoin = "EMEA" }', 'names :region, which is not among the parameters. Did you mean "regoin"?'),
    ('parameters = { regoin = "EMEA" }', 'no query of the book names it. Did you mean "region"?'),
    ('ams = ""', "there is no query for ams"),
]


@pytest.mark.parametrize(("line", "says"), FAULTS_OF_A_BOOK)
def test_a_fault_of_one_book_waits_until_that_is_read(line, says, file):
    sources = file(f"{FILE}\n[books.own]\n{line}\n")
    assert [source.name for source in sources] == ["apac", "emea/smb", "own"]
    assert says in "\n".join(faults_of(sources[2].read))
    assert sources[1].faults == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "say once where the address of the database is"),
        (FILE.partition("[books]")[0], "there are no books"),
        (FILE.replace("[books]", "[books]\n[bookz]"), "unknown key"),
        (FILE.replace("[connection]", '[connection]\nurl_file = "x"'), "say once where the address"),
        (FILE.replace('"WAREHOUSE_URL"', "7"), "must be the name of a variable"),
        ("[connection\n", "not readable as TOML"),
        ("books = 3\nqueries = 4\n", "must be a table"),
    ],
)
def test_a_file_that_says_too_little_or_too_much_is_refused(text, says, file):
    assert says in "\n".join(faults_of(lambda: file(text)))


@pytest.mark.parametrize("name", ["../x", "a/../b", "/etc", "a//b", "", ".", "a\\b", "a\nb", "a/ /b", "emea/"])
def test_a_name_that_leads_elsewhere_is_refused(name, file):
    from tomlkit import string

    text = f"{FILE}{string(name).as_string()} = {{ parameters = {{ region = 'x' }} }}\n"
    assert "this can't be the name of a book" in faults_of(lambda: file(text))[0]


def test_two_ways_to_write_a_name_are_one_book(file):
    text = f'{FILE}"Zu\u0308rich" = {{ parameters.region = "x" }}\n"Z\u00fcrich" = {{ parameters.region = "x" }}\n'
    assert "two books have this name" in faults_of(lambda: file(text))[0]


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no folder"):
        find_books(str(tmp_path / "none.toml"))


def test_two_hundred_books_are_two_hundred_lines_and_listed_at_once(file):
    lines = "\n".join(f'"team {n}" = {{ parameters = {{ region = "R{n}" }} }}' for n in range(200))
    started = time.process_time()
    assert len(file(FILE + lines)) == 202
    assert time.process_time() - started < 0.5


def test_listing_asks_the_database_nothing(file, monkeypatch):
    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: pytest.fail("a connection was made"))
    monkeypatch.setattr(sa, "create_engine", lambda *_, **__: pytest.fail("an engine was made"))
    assert len(file(FILE)) == 2


def test_an_sqlite_address_with_signs_of_urls_in_it_is_a_path(tmp_path, monkeypatch, file):
    odd = tmp_path / "a?b #c%.db"
    with closing(sqlite3.connect(odd)) as connection:
        for statement in (*TABLES, *rows()):
            connection.execute(statement)
        connection.commit()
    monkeypatch.setenv("WAREHOUSE_URL", sa.URL.create("sqlite", database=str(odd)).render_as_string())
    assert len(file(FILE)[0].read().accounts) == 7
