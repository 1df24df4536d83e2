"""The roles of PostgreSQL: what each may do to the tables, and a proposal that passes through four pairs of hands."""

import pytest
import sqlalchemy as sa
from stores import START, postgresql_store, submitted

from rebalancer.errors import UsageError
from rebalancer.store import Store, apply, approve, audit, owners, reject, submit_plan, undo
from rebalancer.store.connect import POSTGRESQL_DENIED, engine_of
from rebalancer.store.schema import GRANTS, upgrade

ROLES = ("reader", "planner", "approver", "applier", "owner")
MAY = {
    "SELECT * FROM moves": "RPAXO",
    "SELECT * FROM events": "RPAXO",
    "SELECT * FROM history": "RPAXO",
    "INSERT INTO events SELECT seq + 1, at, actor, what, book, proposal_id, body, previous, hash FROM events": "PAXO",
    "UPDATE events SET actor = 'x'": "O",
    "DELETE FROM events": "O",
    "UPDATE chain SET head_seq = 0": "PAXO",
    "UPDATE chain SET store_id = 'x'": "O",
    "INSERT INTO runs SELECT book_id, 'x', '', '', '', '', '' FROM books": "PO",
    "INSERT INTO proposals SELECT 'x', book_id, '', '', '', 'open', '', '', 1, 1 FROM books": "PO",
    "UPDATE proposals SET state = 'superseded'": "PAXO",
    "UPDATE proposals SET proposed_by = 'x'": "O",
    "INSERT INTO approvals SELECT 1, proposal_id, plan_hash, 'x', '2099' FROM proposals": "AO",
    "DELETE FROM approvals": "O",
    "UPDATE moves SET decision = 'approved'": "AO",
    "UPDATE moves SET applied_version = 1": "XO",
    "UPDATE moves SET to_am = 'x'": "O",
    "UPDATE accounts SET am_id = 'x'": "PXO",
    "DELETE FROM history": "O",
    "TRUNCATE locks": "O",
    "INSERT INTO ledger SELECT book_id, 'run', 'A-1', '', '', 'done', '', '' FROM books": "XO",
    "UPDATE ledger SET state = 'done'": "XO",
    "DELETE FROM ledger": "O",
    "INSERT INTO clocks SELECT book_id, 'M-1', 'units', '', '', '', '', '' FROM books": "PO",
    "UPDATE clocks SET cleared = '2026-01-15'": "PO",
    "DELETE FROM clocks": "O",
    "UPDATE nights SET exit_code = 0": "PO",
    "UPDATE night_books SET status = 'kept'": "PO",
    "DELETE FROM night_books": "O",
}
"""Statements and who may make them: Reader, Planner, Approver, applier (X), Owner."""
LETTERS = dict(zip("RPAXO", ROLES, strict=True))


@pytest.fixture(scope="module")
def granted(postgresql):
    """A store with the grants, and a login for each role."""
    store = postgresql_store(postgresql)
    submitted(store)
    database = store.engine.url.database
    postgresql.run(GRANTS.read_text(encoding="utf-8"), database=database)
    postgresql.run(GRANTS.read_text(encoding="utf-8"), database=database)
    for role in ROLES:
        postgresql.run(f"CREATE ROLE a_{role} LOGIN", f"GRANT rebalancer_{role} TO a_{role}")
    return store


def as_role(store, role):
    return Store(engine_of(store.engine.url.set(username=f"a_{role}")))


def is_let(store, role, statement):
    """The grants let a role make a statement, whatever else may stand against it."""
    with as_role(store, role).engine.connect() as connection:
        try:
            connection.execute(sa.text(statement))
        except sa.exc.DBAPIError as error:
            return error.orig.sqlstate != POSTGRESQL_DENIED
        return True


@pytest.mark.parametrize("statement", MAY)
def test_a_statement_is_let_to_the_roles_that_need_it(granted, statement):
    allowed = {LETTERS[letter] for letter in MAY[statement]}
    assert {role for role in ROLES if is_let(granted, role, statement)} == allowed


def test_four_roles_carry_a_proposal_all_the_way(granted):
    from stores import plan_of

    reader, planner, approver, applier, _ = (as_role(granted, role) for role in ROLES)
    plan = plan_of({"A-1": "M-2", "A-3": "M-1", "A-4": "M-3"}, run="by-roles", day="2026-01-16")
    name = submit_plan(planner, plan, now=START).proposal_id
    for nobody in (reader, applier, planner):
        with pytest.raises(UsageError, match=r"does not allow|somebody else"):
            approve(nobody, name, now=START)
    assert reject(approver, name, accounts=["A-4"], now=START).changed
    assert approve(approver, name, now=START).approved == 2
    for nobody in (reader, planner, approver):
        with pytest.raises(UsageError, match="does not allow you this"):
            apply(nobody, name, now=START)
    assert apply(applier, name, now=START).accounts == 2
    back = undo(planner, name, now=START).proposal_id
    approve(approver, back, now=START)
    apply(applier, back, now=START)
    assert owners(reader, "main")["A-1"] == ("M-1", "")
    assert audit(reader).ok


def test_only_the_owner_makes_the_tables(granted, postgresql):
    database = postgresql.new_database()
    postgresql.run("GRANT CREATE ON SCHEMA public TO rebalancer_owner", database=database)
    url = granted.engine.url.set(database=database)
    with pytest.raises(UsageError, match="does not allow you this"):
        upgrade(engine_of(url.set(username="a_planner")))
    upgrade(engine_of(url.set(username="a_owner")))


def test_a_night_needs_no_more_than_the_planner_may_do(granted, tmp_path):
    from nightly_books import ACCOUNTS, QUIET, Nights

    made = Nights(as_role(granted, "planner"), tmp_path)
    made.write("north").write("south", QUIET)
    assert [one.answer.status for one in made.night().books] == ["proposed", "no_change"]
    made.write("north", ACCOUNTS.replace("A-06,Fjord,M-2", "A-06,Fjord,M-3"))
    assert made.night(days=1).exit_code == 0
    made.write("north", QUIET)
    assert [one.answer.status for one in made.night(days=1).books] == ["withdrawn", "no_change"]
    assert audit(granted).ok


@pytest.mark.parametrize("role", ["reader", "approver", "applier"])
def test_nobody_else_runs_a_night(granted, tmp_path, role):
    from nightly_books import Nights

    made = Nights(as_role(granted, role), tmp_path)
    with pytest.raises(UsageError, match="does not allow you this"):
        made.write("north").night()
