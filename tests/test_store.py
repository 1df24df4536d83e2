"""The store: proposals from submission to undo, on SQLite and on PostgreSQL."""

from dataclasses import replace

import pytest
from stores import OWNERS, START, as_approver, content, later, plan_of, submitted, tampered

from rebalancer.errors import InvalidInput, StalePlan, UsageError
from rebalancer.store import (
    apply,
    approve,
    audit,
    list_proposals,
    owners,
    ownership,
    reject,
    show,
    submit_plan,
    undo,
)


def ams(store):
    return {account: am for account, (am, _) in owners(store, "main").items()}


def approved(store, proposal, **how):
    return approve(as_approver(store), proposal, **{"now": START, **how})


def test_a_proposal_goes_from_submission_to_the_owners(store):
    proposal = submitted(store)
    assert ams(store) == OWNERS
    assert approved(store, proposal).state == "approved"
    done = apply(store, proposal, now=later(days=1))
    assert (done.accounts, done.left_out, done.new) == (2, 0, True)
    assert ams(store) == {**OWNERS, "A-1": "M-2", "A-3": "M-1"}
    assert show(store, proposal).facts["state"] == "applied"
    assert audit(store).findings == ()


def test_the_same_run_again_changes_nothing(store):
    proposal = submitted(store)
    before = content(store)
    again = submit_plan(store, plan_of({"A-1": "M-2", "A-3": "M-1"}), now=later(days=1))
    assert (again.proposal_id, again.new, again.state) == (proposal, False, "open")
    assert content(store) == before


def test_the_same_run_with_another_plan_is_refused(store):
    submitted(store)
    with pytest.raises(InvalidInput, match="with other moves"):
        submit_plan(store, plan_of({"A-1": "M-3"}), now=START)


def test_approving_and_applying_again_say_so_and_change_nothing(store):
    proposal = submitted(store)
    approved(store, proposal)
    before = content(store)
    assert not approved(store, proposal, now=later(days=1)).changed
    assert content(store) == before
    apply(store, proposal, now=START)
    before = content(store)
    assert apply(store, proposal, now=later(days=1)).new is False
    assert content(store) == before


def test_what_nobody_approved_is_not_applied(store):
    proposal = submitted(store)
    before = content(store)
    with pytest.raises(UsageError, match="it is not approved"):
        apply(store, proposal, now=START)
    assert content(store) == before


def test_single_moves_are_approved_and_the_rest_is_left_out(store):
    proposal = submitted(store)
    decided = approved(store, proposal, accounts=["A-3"])
    assert (decided.approved, decided.undecided) == (1, 1)
    done = apply(store, proposal, now=START)
    assert (done.accounts, done.left_out) == (1, 1)
    assert ams(store) == {**OWNERS, "A-3": "M-1"}
    assert audit(store).ok


def test_an_approval_of_an_account_that_does_not_move_is_refused(store):
    with pytest.raises(UsageError, match="does not move A-9"):
        approved(store, submitted(store), accounts=["A-9"])


def test_rejecting_every_move_rejects_the_proposal_and_the_moves_stay_rejected(store):
    proposal = submitted(store)
    assert reject(store, proposal, accounts=["A-1"], now=START).state == "open"
    assert reject(store, proposal, accounts=["A-3"], now=START).state == "rejected"
    before = content(store)
    assert not reject(store, proposal, now=START).changed
    assert content(store) == before
    again = submit_plan(store, plan_of({"A-1": "M-2", "A-4": "M-1"}, run="run-2"), now=later(days=90))
    assert again.rejected_before == ("A-1",)
    much_later = submit_plan(store, plan_of({"A-1": "M-2"}, run="run-3"), now=later(days=91))
    assert much_later.rejected_before == ()


def test_rejecting_what_was_approved_takes_the_approval_back(store):
    proposal = submitted(store)
    approved(store, proposal, accounts=["A-1"])
    assert reject(store, proposal, accounts=["A-1"], now=START).state == "open"
    with pytest.raises(UsageError, match="not approved"):
        apply(store, proposal, now=START)
    assert approved(store, proposal, accounts=["A-1"]).state == "approved"
    assert apply(store, proposal, now=START).accounts == 1
    assert audit(store).ok


def test_an_approval_ends(store):
    proposal = submitted(store)
    approved(store, proposal)
    before = content(store)
    with pytest.raises(StalePlan, match="ended after 14 days"):
        apply(store, proposal, now=later(days=14))
    assert content(store) == before
    assert all(move["expired"] for move in show(store, proposal, now=later(days=14)).moves)
    assert approved(store, proposal, now=later(days=20)).changed
    assert apply(store, proposal, now=later(days=33)).accounts == 2
    assert audit(store).ok


def test_an_approval_of_a_plan_that_is_not_the_one_seen_is_refused(store):
    proposal = submitted(store)
    with pytest.raises(StalePlan, match='not "0123"'):
        approved(store, proposal, plan="0123")
    seen = show(store, proposal).facts["plan_hash"]
    assert approved(store, proposal, plan=seen[:12]).changed


@pytest.mark.parametrize(
    ("owners_now", "how", "said"),
    [
        ({**OWNERS, "A-1": "M-3"}, {}, "A-1 belongs to M-3, not M-1"),
        ({**OWNERS, "A-3": "M-2 + C-1"}, {}, "A-3 has CSM C-1, not nobody"),
        ({k: v for k, v in OWNERS.items() if k != "A-1"}, {}, "A-1 is no longer in the book"),
        (OWNERS, {"ams": ("M-1", "M-3")}, "M-2 is no longer in the book"),
        (OWNERS, {"traits": {"A-3": '{"region":"APAC"}'}}, "A-3: region is APAC, was empty"),
    ],
)
def test_a_stale_proposal_is_refused_naming_what_changed(store, owners_now, how, said):
    proposal = submitted(store)
    approved(store, proposal)
    submit_plan(store, plan_of({}, owners_now, "run-2", day="2026-01-16", **how), now=START)
    before = content(store)
    with pytest.raises(StalePlan) as refused:
        apply(store, proposal, now=START)
    assert refused.value.changes == (said,)
    assert said in str(refused.value)
    assert content(store) == before


def test_changes_of_accounts_that_do_not_move_make_nothing_stale(store):
    proposal = submitted(store)
    approved(store, proposal)
    submit_plan(store, plan_of({}, {**OWNERS, "A-4": "M-3", "A-9": "M-1"}, "run-2", day="2026-01-16"), now=START)
    assert apply(store, proposal, now=START).accounts == 2


def test_an_owner_that_changed_and_changed_back_is_a_change(store):
    proposal = submitted(store)
    submit_plan(store, plan_of({}, {**OWNERS, "A-1": "M-3"}, "run-2", day="2026-01-16"), now=START)
    submit_plan(store, plan_of({}, OWNERS, "run-3", day="2026-01-17"), now=START)
    with pytest.raises(StalePlan, match="and back"):
        approved(store, proposal)


def test_a_file_that_does_not_show_yet_what_was_applied_changes_nothing(store):
    proposal = submitted(store)
    approved(store, proposal)
    apply(store, proposal, now=START)
    submit_plan(store, plan_of({}, OWNERS, "run-2", day="2026-01-16"), now=START)
    assert ams(store)["A-1"] == "M-2"
    shown = {**OWNERS, "A-1": "M-2", "A-3": "M-1"}
    submit_plan(store, plan_of({}, shown, "run-3", day="2026-01-17"), now=START)
    assert ams(store) == shown
    submit_plan(store, plan_of({}, {**shown, "A-1": "M-1"}, "run-4", day="2026-01-18"), now=START)
    assert ams(store)["A-1"] == "M-1"
    assert [row["kind"] for row in ownership(store, account="A-1")] == ["added", "apply", "outside"]
    assert audit(store).ok


def moved(store, moves, owners):
    """Apply moves to a store whose owners are these, whatever its files show."""
    run = f"run of {sorted(moves.items())} {sorted(owners.items())}"
    proposal = submit_plan(store, plan_of(moves, owners, run), observe=False, now=START).proposal_id
    approved(store, proposal)
    apply(store, proposal, now=START)
    return {**owners, **moves}


def shown(store, owners, day):
    """A file of some day of January shows these owners."""
    submit_plan(store, plan_of({}, owners, f"run of day {day}", day=f"2026-01-{day}"), now=START)


def test_a_file_that_shows_only_the_first_of_two_applied_moves_changes_nothing(store):
    shown(store, OWNERS, 15)
    moved(store, {"A-1": "M-3"}, moved(store, {"A-1": "M-2"}, OWNERS))
    for day, am in ((16, "M-1"), (17, "M-2"), (18, "M-2"), (19, "M-3")):
        shown(store, {**OWNERS, "A-1": am}, day)
        assert ams(store)["A-1"] == "M-3"
    shown(store, {**OWNERS, "A-1": "M-2"}, 20)
    assert ams(store)["A-1"] == "M-2"
    assert [row["kind"] for row in ownership(store, account="A-1")] == ["added", "apply", "apply", "outside"]
    assert audit(store).ok


def test_a_file_that_shows_neither_what_it_did_nor_what_was_applied_is_a_change(store):
    shown(store, OWNERS, 15)
    moved(store, {"A-1": "M-2"}, OWNERS)
    shown(store, {**OWNERS, "A-1": "M-3"}, 16)
    assert ams(store)["A-1"] == "M-3"
    moved(store, {"A-1": "M-2"}, {**OWNERS, "A-1": "M-3"})
    shown(store, OWNERS, 17)  # M-1 was shown before the change by hand
    assert ams(store)["A-1"] == "M-1"


def test_a_change_by_hand_of_one_side_is_one_while_the_other_side_waits(store):
    """The AM is settled at M-2 when the CSM moves; then somebody puts the AM back."""
    start = {**OWNERS, "A-1": "M-1 + C-1"}
    shown(store, start, 15)
    moved(store, {"A-1": "M-2"}, start)
    shown(store, {**start, "A-1": "M-2 + C-1"}, 16)
    plan = plan_of({"A-1": "M-2"}, {**start, "A-1": "M-2 + C-1"}, "run of the CSM")
    to_c2 = replace(plan, moves=tuple({**move, "to_csm": "C-2"} for move in plan.moves))
    proposal = submit_plan(store, to_c2, observe=False, now=START).proposal_id
    approved(store, proposal)
    apply(store, proposal, now=START)
    shown(store, start, 17)
    assert owners(store, "main")["A-1"] == ("M-1", "C-2")
    assert audit(store).ok


def test_an_account_that_is_back_after_more_than_thirty_days_starts_anew(store):
    rest = {account: am for account, am in OWNERS.items() if account != "A-1"}
    shown(store, OWNERS, 15)
    moved(store, {"A-1": "M-2"}, OWNERS)
    shown(store, rest, 16)
    submit_plan(store, plan_of({}, {**rest, "A-2": "M-3"}, "run of March", day="2026-03-01"), now=START)
    submit_plan(store, plan_of({}, OWNERS, "run of the day after", day="2026-03-02"), now=START)
    assert ams(store) == OWNERS
    assert audit(store).ok


def test_undo_leaves_out_an_account_that_was_gone_before_stores_noted_what_was_known(store):
    shown(store, OWNERS, 15)
    proposal = submitted(store, owners=OWNERS)
    approved(store, proposal)
    apply(store, proposal, now=START)
    shown(store, {account: am for account, am in OWNERS.items() if account != "A-1"}, 16)
    where = "WHERE body LIKE '%absent%'"
    tampered(store, f"UPDATE events SET body = replace(body, '\"absent\"', '\"before\"') {where}")
    shown(store, OWNERS, 17)
    done = undo(store, proposal, now=START)
    assert (done.moves, len(done.left_out)) == (1, 1)


def test_an_account_that_a_file_leaves_out_for_a_night_goes_on_as_it_was(store):
    shown(store, OWNERS, 15)
    owners = moved(store, {"A-1": "M-2", "A-3": "M-1"}, OWNERS)
    shown(store, {**OWNERS, "A-3": "M-1"}, 16)
    again = submit_plan(store, plan_of({"A-1": "M-3"}, owners, "run-9"), observe=False, now=START).proposal_id
    shown(store, {account: am for account, am in OWNERS.items() if account not in ("A-1", "A-3", "A-4")}, 17)
    assert set(ams(store)) == {"A-2", "A-5"}
    shown(store, {**OWNERS, "A-4": "M-3"}, 18)
    assert ams(store) == {**owners, "A-3": "M-2", "A-4": "M-3"}  # the file had shown M-1 for A-3
    approved(store, again)
    apply(store, again, now=START)
    shown(store, {**OWNERS, "A-1": "M-2"}, 19)
    assert ams(store)["A-1"] == "M-3"
    assert audit(store).ok


def test_a_plan_made_for_owners_of_yesterday_is_refused(store):
    proposal = submitted(store)
    approved(store, proposal)
    apply(store, proposal, now=START)
    before = content(store)
    with pytest.raises(StalePlan, match="A-1 belongs to M-2, not M-1"):
        submit_plan(store, plan_of({"A-1": "M-3"}, OWNERS, "run-2", day="2026-01-16"), now=START)
    assert content(store) == before


def test_an_older_file_is_not_taken_in(store):
    submitted(store, day="2026-01-20")
    older = {**OWNERS, "A-4": "M-3"}
    submit_plan(store, plan_of({}, older, "run-2", day="2026-01-19"), now=START)
    assert ams(store) == OWNERS


def test_a_run_of_another_book_under_the_same_name_is_refused(store):
    submitted(store)
    with pytest.raises(UsageError, match="own name with --book"):
        submit_plan(store, plan_of({}, {f"B-{i}": "M-1" for i in range(9)}, "run-2"), now=START)


def test_a_newer_plan_takes_the_place_of_the_one_before(store):
    first = submitted(store)
    approved(store, first)
    second = submit_plan(store, plan_of({"A-2": "M-3"}, run="run-2"), now=START)
    assert second.superseded == (first,)
    with pytest.raises(UsageError, match="a newer proposal took its place"):
        apply(store, first, now=START)
    assert [row["proposal_id"] for row in list_proposals(store, live=True)] == [second.proposal_id]


def test_undo_gives_back_what_was_moved_once_it_is_approved_itself(store):
    proposal = submitted(store)
    approved(store, proposal)
    apply(store, proposal, now=START)
    back = undo(store, proposal, now=START)
    assert (back.moves, back.left_out, back.new) == (2, (), True)
    assert undo(store, proposal, now=START).new is False
    with pytest.raises(UsageError, match="not approved"):
        apply(store, back.proposal_id, now=START)
    approved(store, back.proposal_id)
    apply(store, back.proposal_id, now=START)
    assert ams(store) == OWNERS
    assert show(store, proposal).facts["state"] == "undone"
    again = undo(store, proposal, now=START)
    assert (again.proposal_id, again.new, again.state) == (back.proposal_id, False, "applied")
    assert audit(store).ok


def test_undo_leaves_out_what_changed_since_and_who_has_left(store):
    first = submitted(store, {"A-1": "M-2", "A-2": "M-2", "A-3": "M-1"})
    approved(store, first)
    apply(store, first, now=START)
    now = {**OWNERS, "A-1": "M-2", "A-2": "M-2", "A-3": "M-1"}
    second = submitted(store, {"A-1": "M-3"}, now, "run-2", day="2026-01-16")
    approved(store, second)
    apply(store, second, now=START)
    now["A-1"] = "M-3"
    submit_plan(store, plan_of({}, now, "run-3", day="2026-01-17", ams=("M-1", "M-3")), now=START)
    back = undo(store, first, now=START)
    assert back.left_out == ("A-1 changed since", "A-3: M-2 is no longer in the book")
    approved(store, back.proposal_id)
    apply(store, back.proposal_id, now=START)
    assert ams(store) == {**now, "A-2": "M-1"}


def test_undo_of_what_is_not_applied_is_refused(store):
    with pytest.raises(UsageError, match="it is not approved"):
        undo(store, submitted(store), now=START)


def test_a_rejected_undo_does_not_stand_in_the_way_of_the_next(store):
    proposal = submitted(store)
    approved(store, proposal)
    apply(store, proposal, now=START)
    first = undo(store, proposal, now=START)
    reject(store, first.proposal_id, now=START)
    second = undo(store, proposal, now=START)
    assert second.new
    assert second.proposal_id != first.proposal_id


def test_history_says_who_owned_what_when_and_why(store):
    proposal = submitted(store)
    approved(store, proposal, now=later(hours=1))
    apply(store, proposal, now=later(hours=2))
    first, second = ownership(store, account="A-1")
    assert (first["kind"], first["to_am"], first["at"]) == ("added", "M-1", "2026-01-15T09:00:00Z")
    assert (second["kind"], second["from_am"], second["to_am"]) == ("apply", "M-1", "M-2")
    assert (second["at"], second["proposal_id"], second["run_id"]) == ("2026-01-15T11:00:00Z", proposal, "run-1")
    assert second["reason"] == "A-1 relieves its book."
    assert second["proposed_by"]
    assert second["approved_by"]
    with pytest.raises(UsageError, match='no history of account "A-9"'):
        ownership(store, account="A-9")


def test_a_clock_that_was_put_back_dates_nothing_back(store):
    proposal = submitted(store, now=later(days=2))
    approved(store, proposal, now=START)
    assert [event["at"] for event in show(store, proposal).events] == ["2026-01-17T09:00:00Z"] * 2
    assert audit(store).ok


def test_a_plan_whose_moves_were_changed_in_the_store_is_refused(store):
    proposal = submitted(store)
    approved(store, proposal)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE moves SET to_am = 'M-3' WHERE account_id = 'A-1'")
    with pytest.raises(StalePlan, match="changed from outside"):
        apply(store, proposal, now=START)
    assert [finding.kind for finding in audit(store).findings] == ["moves"]


def test_an_unknown_proposal_is_refused_and_a_beginning_is_enough(store):
    proposal = submitted(store)
    assert show(store, proposal[:5]).facts["proposal_id"] == proposal
    for unknown in ("feedbeef", proposal[:2]):
        with pytest.raises(UsageError, match="no proposal"):
            show(store, unknown)
