"""Refusals: whom an account is never newly given to, as a rule, as a check, when read, and in what is explained."""

import json

import pandas as pd
import pytest
from helpers import about, book_of, formulation_of, messages, problem_of, seats, snapshot_of
from random_books import REFUSING, proposal_of, random_case
from small_books import ACCOUNTS
from small_books import book_of as small_book
from test_mutations import verified
from test_verify import broken, ledger_of

import rebalancer as rb
from rebalancer.errors import InvalidInput
from rebalancer.refusals import refused_books
from rebalancer.review import read_decisions
from rebalancer.rules.refused import Refused
from rebalancer.store.plan import observe
from rebalancer.verify import Ledger

AMS = "am_id\nE-1\nE-2\nE-3"
POOLED = "am_id,tiers\nE-1,\nE-2,\nE-3,smb\nE-4,smb"
POOL = {"pools": "pool_id,am_id\nP,E-3\nP,E-4"}
PODS = {"csms": "csm_id\nC-1\nC-2", "pods": "pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-2,E-2,C-2\nP-2,E-2,C-1"}


def seats_of(row, ams=AMS, columns="owner,refused", **tables):
    """The seats of account a."""
    return seats(problem_of(book_of(f"account_id,{columns}\na,{row}", ams, **tables)), "a")


# The rule


@about("refused", "trivial")
def test_who_refuses_nobody_may_go_to_everybody():
    assert seats_of("E-1,") == ["E-1", "E-2", "E-3"]
    problem = formulation_of(book_of("account_id,owner\na,E-1", AMS))
    assert Refused().allowed(problem.snapshot, problem.arcs) is None


@about("refused", "violated", "exact")
def test_an_account_is_not_given_to_those_it_refuses():
    assert seats_of("E-1,E-2") == ["E-1", "E-3"]
    assert seats_of("E-1, E-3 ; E-2 ;") == ["E-1"]
    assert seats_of(",E-1") == ["E-2", "E-3"]


@about("refused", "allowed")
def test_the_present_owner_keeps_an_account_that_refuses_it():
    assert seats_of("E-1,E-1") == ["E-1", "E-2", "E-3"]
    assert seats_of("E-1,E-1;E-2;E-3") == ["E-1"]


@about("refused", "violated")
def test_a_refusal_holds_where_the_owner_has_left_and_a_lock_would_be_lifted():
    left = "am_id,leaves_on\nE-1,2025-12-31\nE-2,\nE-3,"
    assert seats_of("E-1,E-2,true", left, "owner,refused,lock") == ["E-3"]


@about("refused", "violated", "allowed")
def test_a_pool_is_refused_by_its_id_or_that_of_a_member():
    assert seats_of("E-1,P,smb", POOLED, "owner,refused,tier", **POOL) == ["E-1", "E-2"]
    assert seats_of("E-1,E-4,smb", POOLED, "owner,refused,tier", **POOL) == ["E-1", "E-2"]
    assert seats_of("E-3,E-4,smb", POOLED, "owner,refused,tier", **POOL) == ["E-1", "E-2", "P"]


@about("refused", "violated", "exact")
def test_every_seat_with_a_refused_am_is_gone_whoever_the_csm_is():
    assert seats_of("E-1,C-1,", "am_id\nE-1\nE-2", "owner,csm,refused", **PODS) == [
        *("E-1 + C-1", "E-2 + C-1", "E-2 + C-2"),
    ]
    assert seats_of("E-1,C-1,E-2", "am_id\nE-1\nE-2", "owner,csm,refused", **PODS) == ["E-1 + C-1"]


@about("refused", "violated", "exact", "allowed")
def test_an_account_is_not_given_to_a_csm_it_refuses_and_its_own_may_stay():
    def of(row, **tables):
        return seats_of(row, "am_id\nE-1\nE-2", "owner,csm,refused_csm", **{**PODS, **tables})

    assert of("E-1,C-1,C-2") == ["E-1 + C-1", "E-2 + C-1"]
    assert of("E-1,C-1,C-1; GHOST") == ["E-1 + C-1", "E-2 + C-1", "E-2 + C-2"]
    assert of("E-1,C-2,C-1") == ["E-1 + C-2", "E-2 + C-2"]
    left = "csm_id,leaves_on\nC-1,2025-12-31\nC-2,\nC-3,"
    pods = PODS["pods"] + "\nP-1,E-1,C-3\nP-1,E-1,C-2"
    assert of("E-1,C-1,", csms=left, pods=pods) == ["E-1 + C-2", "E-1 + C-3", "E-2 + C-2"]
    assert of("E-1,C-1,C-3", csms=left, pods=pods) == ["E-1 + C-2", "E-2 + C-2"]


def test_without_pods_no_csm_changes_and_none_is_refused():
    book = book_of("account_id,owner,csm,refused_csm\na,E-1,C-1,C-2", AMS, csms="csm_id\nC-1\nC-2")
    assert snapshot_of(book).accounts.refused_csm.shape == (0, 2)
    assert broken("refused", "a E-1 C-1", book.text_tables()["accounts"].to_csv(index=False), AMS) == []


def family(rows, ams=AMS):
    """The seats of the family of account a, sorted."""
    return sorted(seats(problem_of(book_of(f"account_id,owner,parent_id,refused\n{rows}", ams)), "a"))


@about("refused", "violated", "allowed")
def test_a_family_goes_nowhere_where_one_of_its_members_is_refused():
    assert family("a,E-1,G,\nb,E-1,G,E-2") == ["E-1", "E-3"]
    assert family("a,E-1,G,\nb,E-2,G,E-2") == ["E-1", "E-2", "E-3", "several seats"]  # b is there: a may join it
    assert family("a,E-1,G,E-2\nb,E-2,G,") == ["E-1", "E-3", "several seats"]


def test_members_of_a_leaver_join_another_book_where_they_refuse_that_of_their_family():
    left = "am_id,leaves_on\nE-1,2025-12-31\nE-2,\nE-3,"
    rows = "a,E-1,G,{}\nb,E-2,G,"
    assert family(rows.format(""), left) == ["E-2", "E-3"]
    assert family(rows.format("E-2"), left) == ["E-3", "several seats"]


LEFT_CSM = {
    "csms": "csm_id,leaves_on\nC-1,2025-12-31\nC-2,\nC-3,",
    "pods": "pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-1,E-1,C-2\nP-1,E-1,C-3\nP-2,E-2,C-2\nP-2,E-2,C-3",
}


@about("refused", "violated", "exact")
def test_members_whose_csm_left_take_the_first_of_the_pod_whom_they_do_not_refuse():
    def of(*refused):
        rows = "\n".join(f"{name},E-1,C-1,G,{names}" for name, names in zip("ab", refused, strict=True))
        head = "account_id,owner,csm,parent_id,refused_csm"
        return seats(problem_of(book_of(f"{head}\n{rows}", "am_id\nE-1\nE-2", **LEFT_CSM)), "a")

    assert sorted(of("", "")) == ["E-1 + C-2", "E-1 + C-3", "E-2 + C-2", "E-2 + C-3"]
    assert sorted(of("C-2", "C-2")) == ["E-1 + C-3", "E-2 + C-3"]
    assert sorted(of("C-2", "")) == ["E-1 + C-3", "E-2 + C-3", "several seats"]


def test_an_account_whose_pod_has_only_csms_it_refuses_is_named_with_what_to_do():
    rows = "account_id,owner,csm,refused_csm,refused\na,E-1,C-1,C-2;C-3,\nb,E-1,C-1,,"
    (told,) = messages(lambda: problem_of(book_of(rows, "am_id\nE-1\nE-2", **LEFT_CSM)))
    assert 'value "a": no AM may take this account' in told
    assert "its CSM C-1 has left, and no pod fits" in told
    assert told.endswith("Or take a CSM out of refused_csm.")


def test_a_csm_that_the_planner_assigned_may_not_be_refused():
    rows = "account_id,owner,csm,refused_csm,assign_csm\na,E-1,C-1,C-2,C-2\nb,E-1,C-1,C-1,C-1"
    (told,) = messages(lambda: snapshot_of(book_of(rows, "am_id\nE-1\nE-2", **PODS)))
    assert told == (
        'accounts, account a, column assign_csm, value "C-2": the account names the same CSM in refused_csm. '
        "Clear one of the two columns."
    )


def test_a_seat_that_the_planner_fixed_may_not_be_refused():
    contradiction = 'column assign_to, value "E-2": the account names the same AM in refused.'
    told = f"accounts, account a, {contradiction} Clear one of the two columns."
    book = book_of("account_id,owner,refused,assign_to\na,E-1,E-3;E-2,E-2\nb,E-1,E-3,E-2\nc,E-2,E-2,E-2", AMS)
    assert messages(lambda: snapshot_of(book)) == [told]
    pooled = book_of("account_id,owner,refused,assign_to\na,E-1,P,E-3", POOLED, **POOL)
    assert len(messages(lambda: snapshot_of(pooled))) == 1


def test_an_account_that_refuses_everybody_left_is_named():
    book = book_of("account_id,owner,refused,region\na,,E-2,EMEA", "am_id,region\nE-1,APAC\nE-2,EMEA\nE-3,APAC")
    (told,) = messages(lambda: problem_of(book))
    assert "it has no owner; of 3 AMs region leaves 1, refused leaves 0." in told
    assert told.endswith("Or take an AM out of refused.")


def test_a_refusal_of_the_owner_is_told_once_for_all():
    rows = "\n".join(f"a{n},E-1,E-1;E-1" for n in range(7))
    snapshot = snapshot_of(book_of(f"account_id,owner,refused\n{rows}\nb,E-1,E-2\nc,,E-1", AMS))
    assert [str(warning) for warning in snapshot.warnings] == [
        "accounts, column refused: 7 accounts refuse the AM who owns them (a0, a1, a2, a3, a4 and 2 more); a refusal "
        "takes nothing away from its owner. Name another AM in assign_to."
    ]
    left = snapshot_of(book_of("account_id,owner,refused\na,E-1,E-1", "am_id,status\nE-1,inactive\nE-2,"))
    assert "refused_owner" not in {warning.code for warning in left.warnings}


def test_refusals_are_pairs_of_account_and_book_each_once_in_order():
    ams = snapshot_of(book_of("account_id,owner\na,E-1", POOLED, **POOL)).ams
    named = [(), ("E-4", "E-2", "P"), ("GHOST",), (), ("E-1",)]
    assert refused_books(pd.Series(named), ams).tolist() == [[1, 1], [1, 2], [4, 0]]
    assert refused_books(pd.Series(named[:1]), ams).shape == (0, 2)


# The check


def test_a_refused_am_in_a_plan_is_found():
    book = "account_id,owner,arr,refused\na,E-1,0,E-2;GHOST\nb,E-2,0,E-2\nc,,0,E-1"
    assert broken("refused", "a E-1, b E-2, c E-3", book, AMS) == []
    assert broken("refused", "a E-3, b E-1, c E-2", book, AMS) == []
    assert broken("refused", "a E-2, b E-2, c E-1", book, AMS) == [
        "account a goes to E-2, and refused names E-2",
        "account c goes to E-1, and refused names E-1",
    ]


def test_a_refused_pool_in_a_plan_is_found():
    book = "account_id,owner,arr,refused\na,E-1,0,E-4;P\nb,E-3,0,E-4"
    assert broken("refused", "a E-2, b E-3", book, POOLED, **POOL) == []
    assert broken("refused", "a P, b E-3", book, POOLED, **POOL) == ["account a goes to P, and refused names E-4, P"]


def test_a_refused_csm_in_a_plan_is_found():
    book = "account_id,owner,csm,arr,refused_csm\na,E-2,C-1,0,C-2\nb,E-2,C-2,0,C-2"
    ams = "am_id\nE-1\nE-2"
    assert broken("refused", "a E-2 C-1, b E-2 C-2", book, ams, **PODS) == []
    assert broken("refused", "a E-2 C-2, b E-2 C-2", book, ams, **PODS) == [
        "account a goes to CSM C-2, whom refused_csm names"
    ]


def test_a_family_where_a_member_refuses_a_csm_is_found():
    book = "account_id,owner,csm,arr,parent_id,refused_csm\na,E-1,C-1,0,G,C-2\nb,E-1,C-1,0,G,"
    ams = "am_id\nE-1\nE-2"
    options = [option["a"] + option["b"] for option in ledger_of(book, ams, **LEFT_CSM).legal_options("G")]
    together = [("E-1", "C-3", "E-1", "C-3"), ("E-2", "C-3", "E-2", "C-3")]
    assert options == [("E-1", "C-3", "E-1", "C-2"), *together], "as today each takes the first it may"


def test_a_family_of_which_a_member_refuses_every_csm_of_the_pod_has_no_seat_there():
    rows = "account_id,owner,csm,{}parent_id,refused_csm\na,E-1,C-1,{}G,C-2\nb,E-1,C-1,{}G,"
    tables = {"csms": LEFT_CSM["csms"], "pods": "pod_id,am_id,csm_id\nP-1,E-1,C-1\nP-1,E-1,C-2"}
    assert ledger_of(rows.format("arr,", "0,", "0,"), "am_id\nE-1", **tables).legal_options("G") == []
    told = messages(lambda: problem_of(book_of(rows.format("", "", ""), "am_id\nE-1", **tables)))
    assert "its CSM C-1 has left, and no pod fits" in told[0]


def test_a_family_where_a_member_is_refused_is_found():
    book = "account_id,owner,arr,parent_id,refused\na,E-1,0,G,\nb,E-1,0,G,E-2"
    assert broken("families", "a E-3, b E-3", book, AMS) == []
    assert len(broken("families", "a E-2, b E-2", book, AMS)) == 1
    assert broken("refused", "a E-2, b E-2", book, AMS) == ["account b goes to E-2, and refused names E-2"]
    assert [option["a"] for option in ledger_of(book, AMS).legal_options("G")] == [("E-1", ""), ("E-3", "")]


def test_any_plan_that_gives_an_account_to_somebody_it_refuses_is_rejected_by_this_rule():
    tried = 0
    for seed in range(0, 20 * REFUSING, REFUSING):
        case = random_case(seed)
        if (proposal := proposal_of(case)) is None:
            continue
        ledger = Ledger.build(case.book.text_tables(), case.model, case.book.effective_date, case.scope)
        assert verified(case, proposal.assignments, dict(proposal.record), proposal) == []
        for name, account in ledger.accounts.items():
            for am_id in {ledger.book_of(am_id) for am_id in account.refused} & set(ledger.books):
                if not ledger.stays(account, am_id):
                    plan = proposal.assignments.copy()
                    plan.loc[plan["account_id"] == name, "to_am"] = am_id
                    found = verified(case, plan, dict(proposal.record), proposal)
                    assert any(fault.rule == "refused" and f"account {name} " in fault.message for fault in found)
                    tried += 1
    assert tried > 10


# When read


def test_names_e_mails_and_short_salesforce_ids_are_read_as_the_am_is():
    ams = "am_id,name,email\nE-1,Ann,\nE-2,Ben Birch,ben@example.com\nE-3,Cy,cy@example.com"
    book = book_of("account_id,owner,refused\na,E-1,Ben Birch; cy@example.com\nb,E-1,E-3", ams)
    assert book.accounts["refused"].tolist() == [("E-2", "E-3"), ("E-3",)]
    assert [warning.code for warning in book.warnings] == ["owner_name"]
    users = "am_id\n005000000000001AAA\n005000000000002"
    salesforce = book_of("account_id,owner,refused\na,005000000000001,005000000000001;005000000000002", users)
    assert salesforce.accounts["refused"].tolist() == [("005000000000001AAA", "005000000000002AAA")]


def test_names_and_short_salesforce_ids_are_read_as_the_csm_is():
    csms = "csm_id,name\nC-1,Ann\nC-2,Ben Birch"
    book = book_of("account_id,owner,refused_csm\na,E-1,Ben Birch;C-1\nb,E-1,", AMS, csms=csms)
    assert book.accounts["refused_csm"].tolist() == [("C-2", "C-1"), ()]
    users = "csm_id\n005000000000001AAA"
    salesforce = book_of("account_id,owner,refused_csm\na,E-1,005000000000001", AMS, csms=users)
    assert salesforce.accounts["refused_csm"].tolist() == [("005000000000001AAA",)]


def test_a_refused_csm_who_is_nobody_is_warned_of_by_the_names_of_csms():
    pooled = book_of("account_id,owner,refused_csm\na,E-1,P;C-9", POOLED, csms="csm_id\nC-1", **POOL)
    told = [str(warning) for warning in pooled.warnings if warning.code == "unknown_refused"]
    assert len(told) == 2
    assert 'value "P": there is no such csm_id in csms to refuse.' in told[0] + told[1]


def test_a_name_that_two_ams_share_is_an_error():
    ams = "am_id,name\nE-1,Ann\nE-2,Dora\nE-3,Dora"
    (told,) = messages(lambda: book_of("account_id,owner,refused\na,E-1,E-1;Dora", ams))
    assert told == 'accounts row 2, column refused, value "Dora": 2 people have this name: "E-2" and "E-3". Use the id.'


def test_who_is_nobody_in_the_book_is_warned_of_and_refused_in_vain():
    rows = "a,E-1,E-22\nb,E-1,E-1;E-22\nc,E-1,\nd,E-1,M1;M2;M3;M4;M5;M6"
    book = book_of(f"account_id,owner,refused\n{rows}", AMS)
    told = [str(warning) for warning in book.warnings if warning.code == "unknown_refused"]
    assert told[0] == (
        'accounts row 2, column refused, value "E-22": there is no such am_id in ams to refuse. It stands in 2 rows. '
        'Did you mean "E-2"?'
    )
    assert told[1].endswith('value "M1": there is no such am_id in ams to refuse. '
                            "Correct it, or leave it: it then has no effect.")  # fmt: skip
    assert told[-1] == "accounts, column refused: 2 more who are refused are not in ams."
    assert len(told) == 6
    assert seats(problem_of(book), "d") == ["E-1", "E-2", "E-3"]


def test_a_pool_and_nobody_at_all_are_no_unknown_ids():
    pooled = book_of("account_id,owner,refused\na,E-1,P\nb,E-1,", POOLED, **POOL)
    assert "unknown_refused" not in {warning.code for warning in pooled.warnings}


# In a proposal


def with_refusals(**refused):
    """ACCOUNTS with a column of refusals, by account."""
    head, *lines = ACCOUNTS.splitlines()
    cells = {name.replace("_", "-"): text for name, text in refused.items()}
    return "\n".join([f"{head},refused", *(f"{line},{cells.get(line[:4], '')}" for line in lines)])


THREE = "am_id,name,capacity\nM-1,Ann,15\nM-2,Ben,20\nM-3,Cy,30\n"


def proposed(accounts, ams=THREE):
    return rb.propose(small_book(accounts, ams), workers=1)


def test_a_plan_goes_elsewhere_and_says_whom_it_had_to_leave_out():
    before = proposed(ACCOUNTS).assignments.set_index("account_id")["to_am"]
    after = proposed(with_refusals(A_06=before["A-06"]))
    assert after.assignments.set_index("account_id").loc["A-06", "to_am"] != before["A-06"]
    assert after.explain("A-06").splitlines()[-1] == f"It refuses {before['A-06']}."
    assert f"  {before['A-06']}:" not in after.explain("A-06")


def test_a_refusal_of_the_family_is_said_of_each_member():
    accounts = "account_id,name,owner,arr,parent_id,refused\na,,M-1,0,G,M-3;M-1\nb,,M-1,0,G,M-2"
    text = proposed(accounts).explain("b").splitlines()
    assert text[-3:] == ["No rule admits another seat for it.", "It refuses M-2.", "a of its family refuses M-3."]
    assert "refuses" not in proposed(ACCOUNTS).explain("A-01")


def test_explain_lists_refusals_as_json(run, tmp_path):
    proposed(with_refusals(A_01="M-2;M-3")).write(tmp_path / "run")
    code, out, _ = run("explain", tmp_path / "run", "--account", "A-01", "--json")
    assert code == 0
    assert json.loads(out)["refused"] == [
        {"account_id": "A-01", "am_id": name, "csm_id": ""} for name in ("M-2", "M-3")
    ]


def test_an_explanation_tells_refused_csms_as_such():
    rows = "account_id,name,owner,csm,arr,refused,refused_csm\na,,M-1,C-1,0,M-3,C-2\nb,,M-1,C-1,0,,"
    pods = "pod_id,am_id,csm_id\nP-1,M-1,C-1\nP-2,M-2,C-2\nP-2,M-2,C-1"
    book = small_book(rows, THREE, csms="csm_id,name\nC-1,Eve\nC-2,Fay\n", pods=pods)
    proposal = rb.propose(book, workers=1)
    assert proposal.explain("a").splitlines()[-1] == "It refuses M-3, CSM C-2."
    assert "refuses" not in proposal.explain("b")


def test_a_reviewer_may_not_send_an_account_where_it_is_refused(tmp_path):
    file = tmp_path / "decisions.csv"
    file.write_text("Account,Decision,Override\nA-01,,M-3\nA-02,,M-3\n", encoding="utf-8")
    with pytest.raises(InvalidInput) as raised:
        read_decisions(file, proposed(with_refusals(A_01="M-3")))
    assert [str(fault) for fault in raised.value] == [
        'decisions.csv row 2, column Override (override), value "M-3": the account names M-3 in refused. '
        "Name another AM, or clear refused and propose again."
    ]


def test_a_refusal_decides_who_may_own_an_account_so_that_a_new_one_makes_a_proposal_stale():
    traits = [
        observe(small_book(accounts, THREE), rb.load_model("coverage_units")).seats["A-01"].traits
        for accounts in (ACCOUNTS, with_refusals(A_01="M-2;M-3"))
    ]
    assert [json.loads(text).get("refused") for text in traits] == [None, "M-2;M-3"]
