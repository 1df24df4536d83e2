"""Files of decisions and the store: what is decided against is rejected, what follows is the next proposal, once."""

import pytest
import sqlalchemy as sa
from small_books import ACCOUNTS, bytes_of, write_book
from stores import OWNERS, START, as_approver, content, later, plan_of, postgresql_store, submitted

from rebalancer.errors import StalePlan, UsageError
from rebalancer.review import Decision
from rebalancer.store import (
    Reviewed,
    Store,
    apply,
    approve,
    audit,
    list_proposals,
    open_store,
    record_review,
    show,
    submit_plan,
    submit_review,
)
from rebalancer.store.connect import engine_of

PLAN = {"A-1": "M-2", "A-3": "M-1"}


def review_of(run="run-1", comments=None, **decisions):
    """`review_of(A_1="keep M-1")`."""
    made = [Decision(account.replace("_", "-"), *told.split()) for account, told in decisions.items()]
    return Reviewed(run, tuple(made), comments or {})


def reviewed(store, review, moves, run="run-2", now=START, **how):
    """Both steps, as the command takes them."""
    return record_review(store, review, now=now), submit_review(store, review, plan_of(moves, run=run, **how), now=now)


def decisions_of(store, name):
    return {move["account_id"]: move["decision"] for move in show(store, name).moves}


def locked(store):
    with store.reading() as connection:
        rows = connection.execute(sa.text("SELECT account_id, refused_am, until FROM locks ORDER BY account_id"))
        return [tuple(row) for row in rows]


def test_what_is_decided_against_is_rejected_and_the_next_plan_takes_the_place(store):
    name = submitted(store, {**PLAN, "A-4": "M-1"})
    review = review_of(A_1="keep M-1", A_3="override M-3", A_4="approve M-1")
    rejected, done = reviewed(store, review, {"A-3": "M-3", "A-4": "M-1"})
    assert rejected.accounts == ("A-1", "A-3")
    assert decisions_of(store, name) == {"A-1": "rejected", "A-3": "rejected", "A-4": "undecided"}
    assert locked(store) == [("A-1", "M-2", "2026-04-15"), ("A-3", "M-1", "2026-04-15")]
    assert (done.new, done.superseded, done.state) == (True, (name,), "open")
    assert set(decisions_of(store, done.proposal_id).values()) == {"undecided"}
    assert audit(store).ok


def test_the_same_decisions_again_change_nothing(store):
    submitted(store, PLAN)
    review = review_of(A_1="keep M-1")
    _, done = reviewed(store, review, {"A-3": "M-3"})
    before = content(store)
    rejected, again = reviewed(store, review, {"A-3": "M-3"}, now=later(days=1))
    assert (rejected.changed, again.new, again.proposal_id) == (False, False, done.proposal_id)
    assert content(store) == before


def test_a_call_that_was_cut_off_between_the_two_is_completed_by_the_next(store):
    name = submitted(store, PLAN)
    review = review_of(A_1="keep M-1", A_3="keep M-2")
    record_review(store, review, now=START)
    assert show(store, name).facts["state"] == "rejected"
    assert audit(store).ok
    rejected, done = reviewed(store, review, {"A-4": "M-3"})
    assert (rejected.changed, done.new) == (False, True)
    assert [one["proposal_id"] for one in list_proposals(store, live=True)] == [done.proposal_id]


def test_an_approval_in_a_file_approves_nothing_and_one_that_was_given_stays(store):
    name = submitted(store, PLAN)
    approve(as_approver(store), name, now=START)
    review = review_of(A_1="approve M-2", A_3="approve M-1")
    rejected, done = reviewed(store, review, PLAN)
    assert (rejected.changed, done.new, done.proposal_id, done.state) == (False, False, name, "approved")
    assert [one["proposal_id"] for one in list_proposals(store)] == [name]
    assert apply(store, name, now=START).accounts == 2


def test_comments_are_kept_with_the_moves(store):
    name = submitted(store, PLAN)
    reviewed(store, review_of(A_1="keep M-1", comments={"A-1": "renewal in May", "A-3": "good"}), {"A-3": "M-1"})
    assert {move["account_id"]: move["comment"] for move in show(store, name).moves} == {
        "A-1": "renewal in May",
        "A-3": "good",
    }


def test_where_nothing_moves_any_more_the_proposal_is_superseded(store):
    name = submitted(store, PLAN)
    _, done = reviewed(store, review_of(A_1="keep M-1"), {})
    assert (done.proposal_id, done.superseded) == (None, (name,))
    assert list_proposals(store, live=True) == []
    assert audit(store).ok


def test_decisions_on_a_proposal_that_waits_for_nothing_are_refused_with_its_state(store):
    name = submitted(store, PLAN)
    approve(as_approver(store), name, now=START)
    apply(store, name, now=START)
    before = content(store)
    with pytest.raises(UsageError, match=f"proposal {name} of run run-1 can't be decided on: it was applied"):
        record_review(store, review_of(A_1="keep M-1"), now=START)
    with pytest.raises(UsageError, match="no proposal of run run-7"):
        record_review(store, review_of("run-7", A_1="keep M-1"), now=START)
    assert content(store) == before


def test_other_decisions_on_a_run_whose_proposal_was_superseded_are_refused(store):
    submitted(store, PLAN)
    reviewed(store, review_of(A_1="keep M-1"), {"A-3": "M-3"})
    with pytest.raises(UsageError, match="a newer proposal took its place"):
        record_review(store, review_of(A_3="keep M-2"), now=START)


def test_a_plan_that_came_between_is_not_superseded(store):
    submitted(store, PLAN)
    review = review_of(A_1="keep M-1")
    record_review(store, review, now=START)
    other = submit_plan(store, plan_of({"A-4": "M-3"}, run="of-the-night"), now=START).proposal_id
    with pytest.raises(UsageError, match=f"proposal {other} waits now"):
        submit_review(store, review, plan_of({"A-3": "M-3"}, run="run-2"), now=START)
    assert [one["proposal_id"] for one in list_proposals(store, live=True)] == [other]


def test_what_changed_since_makes_the_next_plan_stale(store):
    submitted(store, PLAN)
    traits = {"A-3": '{"region":"APAC"}'}
    submit_plan(store, plan_of({}, OWNERS, "file", day="2026-01-16", traits=traits), now=START)
    review = review_of(A_1="keep M-1")
    record_review(store, review, now=START)
    before = content(store)
    with pytest.raises(StalePlan, match="A-3: region is APAC, was empty"):
        submit_review(store, review, plan_of({"A-3": "M-1"}, run="run-2"), now=START)
    assert content(store) == before


def test_the_decisions_are_no_part_of_the_book(store):
    """The next file has no locks of reviewers in it; it must not make the proposal stale."""
    submitted(store, PLAN)
    decided = {"A-3": '{"assign_to":"M-3","lock_reason":"review decision"}'}
    _, done = reviewed(store, review_of(A_3="override M-3"), {"A-3": "M-3"}, traits=decided)
    submit_plan(store, plan_of({}, OWNERS, "file", day="2026-01-16"), now=START)
    assert approve(as_approver(store), done.proposal_id, now=START).changed


def test_in_postgresql_each_step_needs_its_role_and_stands_by_itself(postgresql):
    from rebalancer.store.schema import GRANTS

    store = postgresql_store(postgresql)
    postgresql.run(GRANTS.read_text(encoding="utf-8"), database=store.engine.url.database)
    people = {}
    for role in ("planner", "approver"):
        postgresql.run(f"CREATE ROLE r_{role} LOGIN", f"GRANT rebalancer_{role} TO r_{role}")
        people[role] = Store(engine_of(store.engine.url.set(username=f"r_{role}")))
    name = submitted(people["planner"], PLAN)
    review, plan = review_of(A_1="keep M-1"), plan_of({"A-3": "M-3"}, run="run-2")
    with pytest.raises(UsageError, match="does not allow you this"):
        record_review(people["planner"], review, now=START)
    assert decisions_of(store, name)["A-1"] == "undecided"
    assert record_review(people["approver"], review, now=START).accounts == ("A-1",)
    with pytest.raises(UsageError, match="does not allow you this"):
        submit_review(people["approver"], review, plan, now=START)
    assert not record_review(people["planner"], review, now=START).changed
    assert submit_review(people["planner"], review, plan, now=START).superseded == (name,)
    assert audit(store).ok


# The command


@pytest.fixture
def proposed(run, tmp_path, monkeypatch):
    """The command line and the proposal of a run: A-04 leaves M-1, A-06 and A-07 are placed."""
    monkeypatch.setenv("REBALANCER_NOW", "2026-01-15T09:00:00Z")
    monkeypatch.delenv("REBALANCER_STORE", raising=False)
    write_book(tmp_path / "book", accounts=ACCOUNTS)
    assert run("propose", "book", "--reproducible", "--out", "one").code == 0
    return run, run("proposals", "submit", "one", "--by", "ann", "--json").json["proposal_id"]


def decide(run, tmp_path, text, *more):
    file = tmp_path / "decisions.csv"
    file.write_text(f"Account,Decision,Override,Comment\n{text}", encoding="utf-8")
    return run("import-decisions", "one", "decisions.csv", "--out", "two", "--store", "rebalancer.db", *more)


def test_import_decisions_rejects_and_submits_and_says_who_is_next(proposed, tmp_path):
    run, name = proposed
    done = decide(run, tmp_path, "A-04,no,,renewal next week\nA-06,ok,,\n", "--by", "olga")
    assert done.code == 0, done.err
    assert f"Proposal {name}: 1 move rejected by these decisions." in done.out
    assert f"It takes the place of {name}." in done.out
    waiting = run("proposals", "list", "--live", "--json").json["proposals"][0]
    assert f"rebalancer proposals approve {waiting['proposal_id']}" in done.out
    assert (waiting["approved"], waiting["proposed_by"]) == (0, "olga")
    shown = run("proposals", "show", name, "--json").json
    moved = {move["account_id"]: (move["decision"], move["comment"]) for move in shown["moves"]}
    assert moved["A-04"] == ("rejected", "renewal next week")
    assert run("proposals", "audit").code == 0


def test_import_decisions_again_adds_nothing(proposed, tmp_path):
    run, _ = proposed
    first = decide(run, tmp_path, "A-04,no,,\n", "--json").json["store"]
    before = content(open_store("rebalancer.db"))
    files = bytes_of(tmp_path / "two")
    again = decide(run, tmp_path, "A-04,no,,\n", "--json")
    assert (again.code, again.json["store"]["new"], again.json["store"]["proposal_id"]) == (
        0, False, first["proposal_id"]
    )  # fmt: skip
    assert content(open_store("rebalancer.db")) == before
    assert bytes_of(tmp_path / "two") == files


def test_import_decisions_on_what_was_applied_is_refused_before_the_search(proposed, tmp_path):
    run, name = proposed
    run("proposals", "approve", name)
    run("proposals", "apply", name)
    done = decide(run, tmp_path, "A-04,no,,\n")
    assert (done.code, "can't be decided on: it was applied" in done.err) == (2, True)
    assert not (tmp_path / "two").exists()


def test_decisions_that_leave_no_legal_plan_reject_nothing(proposed, tmp_path):
    run, _ = proposed
    before = content(open_store("rebalancer.db"))
    done = decide(run, tmp_path, "".join(f"A-0{n},keep,,\n" for n in range(1, 5)))
    assert (done.code, "the store was told nothing" in done.err) == (4, True)
    assert content(open_store("rebalancer.db")) == before


def test_a_kill_between_the_two_steps_is_made_good_by_the_next_call(proposed, tmp_path, monkeypatch):
    run, name = proposed

    def cut_off(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("rebalancer.store.reviewed.submit_in", cut_off)
        assert decide(run, tmp_path, "A-04,no,,\n").code == 130
    assert run("proposals", "show", name, "--json").json["state"] == "open"
    done = decide(run, tmp_path, "A-04,no,,\n")
    assert "these decisions reject nothing more" in done.out
    assert f"It takes the place of {name}." in done.out
    assert run("proposals", "audit").code == 0
