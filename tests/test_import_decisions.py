"""What reviewers write becomes locks and fixed seats: the reasonable is understood, the unclear refused by its cell."""

import itertools
import json

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_books import ACCOUNTS, CSMS, PODS, TIGHT_AMS, WITH_CSMS, book_of, bytes_of

from rebalancer.cli import main
from rebalancer.errors import InvalidInput, UsageError
from rebalancer.plan import propose
from rebalancer.review import Decision, read_decisions, review, with_decisions
from rebalancer.review.conflict import smallest_conflict
from rebalancer.review.words import meaning
from rebalancer.run_directory import read_run, write_run
from rebalancer.surfaces.workbook import FILE
from rebalancer.verify import verify_run

NAMED_AMS = """am_id,name,capacity,leaves_on,email
M-1,Ann,15,,ann@example.com
M-2,Ben Birch,20,,ben@example.com
M-3,Cy,15,2026-01-01,
M-4,Dora,10,,
M-5,Dora,10,,
"""


def proposal_of(book, **options):
    return propose(book, **{"workers": 1, "time_limit": 10, **options})


@pytest.fixture(scope="module")
def proposal():
    """A-04 leaves M-1, A-06 and A-07 are placed."""
    made = proposal_of(book_of())
    assert set(made.moves["account_id"]) == {"A-04", "A-06", "A-07"}
    return made


@pytest.fixture(scope="module")
def named():
    return proposal_of(book_of(ams=NAMED_AMS))


@pytest.fixture
def run(proposal, tmp_path):
    proposal.write(str(tmp_path / "run"))
    return tmp_path / "run"


def table(tmp_path, text):
    """A CSV of decisions; the header is the usual one where the text has none."""
    file = tmp_path / "decisions.csv"
    head = "" if text.lower().startswith("account") else "Account,Decision,Override,Comment\n"
    file.write_text(head + text, encoding="utf-8")
    return file


def decided(tmp_path, proposal, text):
    """Account, kind and AM of every decision."""
    found = read_decisions(table(tmp_path, text), proposal)
    return [(decision.account_id, decision.kind, decision.am_id) for decision in found.decisions]


def faults(tmp_path, proposal, text):
    with pytest.raises(InvalidInput) as raised:
        read_decisions(table(tmp_path, text), proposal)
    return [str(fault) for fault in raised.value]


def fill_in(file, **cells):
    """Write into the sheet as a person does: `A_04={"Decision": "Reject"}`."""
    book = openpyxl.load_workbook(file)
    sheet = book["Moves"]
    column = {cell.value: cell.column for cell in sheet[1]}
    for row in range(2, sheet.max_row + 1):
        for title, text in cells.get(sheet.cell(row, column["Account"]).value.replace("-", "_"), {}).items():
            sheet.cell(row, column[title]).value = text
    book.save(file)
    return file


def call(*words):
    """Exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


# Words


@pytest.mark.parametrize("word", ["Approve", "approved", "OK", "ok.", " Yes ", "ja", "\u2713", "Fine!"])
def test_words_of_consent_approve(word):
    assert meaning(word) == "approve"


@pytest.mark.parametrize("word", ["Reject", "no", "NO!", "keep", "Hold", "stays", "Don\u2019t move", "nein"])
def test_words_of_refusal_keep(word):
    assert meaning(word) == "keep"


@pytest.mark.parametrize("word", ["maybe", "?", "x", "ok but later", "discuss", "1", "approve reject"])
def test_other_words_are_unclear(word):
    assert meaning(word) == "?"


@settings(max_examples=200)
@given(st.text(max_size=12))
def test_any_text_has_one_of_four_meanings(text):
    assert meaning(text) in ("approve", "keep", "", "?")


# Rows


def test_decisions_and_comments_are_read(tmp_path, proposal):
    text = "A-04,no,,Merger\nA-06,ok,,\nA-07,,,Ask Ann\n"
    assert decided(tmp_path, proposal, text) == [("A-04", "keep", "M-1"), ("A-06", "approve", "M-2")]
    found = read_decisions(table(tmp_path, text), proposal)
    assert found.comments == {"A-04": "Merger", "A-07": "Ask Ann"}


@pytest.mark.parametrize("who", ["M-1", "m-1", "Ann", " ANN ", "ann@example.com", "'M-1", "A\u200bnn"])
def test_an_override_names_somebody_by_id_name_or_email(who, tmp_path, named):
    assert decided(tmp_path, named, f"A-06,,{who},\n") == [("A-06", "override", "M-1")]


def test_a_name_under_decision_is_an_override(tmp_path, named):
    assert decided(tmp_path, named, "A-06,Ann,,\n") == [("A-06", "override", "M-1")]


@pytest.mark.parametrize("word", ["", "no", "ok", "Reject"])
def test_an_override_is_what_counts_beside_a_decision(word, tmp_path, named):
    assert decided(tmp_path, named, f"A-06,{word},Ann,\n") == [("A-06", "override", "M-1")]


def test_an_override_to_the_owner_keeps_and_one_to_the_planned_am_approves(tmp_path, proposal):
    assert decided(tmp_path, proposal, "A-04,,M-1,\n") == [("A-04", "keep", "M-1")]
    assert decided(tmp_path, proposal, "A-04,,Ben,\n") == [("A-04", "approve", "M-2")]
    assert decided(tmp_path, proposal, "A-04,keep,Ann,\n") == [("A-04", "keep", "M-1")]


def test_accounts_that_do_not_move_can_be_decided_on_as_well(tmp_path, proposal):
    assert decided(tmp_path, proposal, "A-01,keep,,\nA-02,,Ben,\n") == [
        ("A-01", "keep", "M-1"),
        ("A-02", "override", "M-2"),
    ]


def test_the_same_row_twice_is_one_decision(tmp_path, proposal):
    assert decided(tmp_path, proposal, "A-04,no,,\nA-04,Reject,,\n") == [("A-04", "keep", "M-1")]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("A-04,maybe,,", 'row 2, column Decision (decision), value "maybe": it is not clear what is decided.'),
        ("A-44,ok,,", 'row 2, column Account (account_id), value "A-44": there is no such account in this run.'),
        (",ok,,", "row 2, column Account (account_id)"),
        ("A-04,,Zoe,", 'row 2, column Override (override), value "Zoe": there is no such AM in this run.'),
        ("A-04,,Dora,", "2 people have this name: M-4, M-5. Use the id."),
        ("A-04,,Cy,", "M-3 has left or is on leave. Name another AM."),
        ("A-06,no,,", "it can't stay: it has no owner. Approve it, or name an AM under Override."),
        ("A-07,keep,,", "it can't stay: its owner has left."),
        ("A-04,keep,Dora Z,", "there is no such AM"),
        ("A-04,keep,M-4,", "Decision says that the account stays, and Override that it goes to M-4."),
        ("A-04,ok,,\nA-04,no,,", "row 3, column Decision (decision), value \"no\": row 2 decides otherwise on A-04."),
    ],
)  # fmt: skip
def test_the_unclear_is_refused_with_its_cell(row, told, tmp_path, named):
    (only,) = faults(tmp_path, named, f"{row}\n")
    assert told in only


def test_every_fault_of_a_file_is_told_at_once(tmp_path, proposal):
    assert len(faults(tmp_path, proposal, "A-04,maybe,,\nA-44,ok,,\nA-06,,Zoe,\n")) == 3


def test_decisions_on_another_plan_are_refused(tmp_path, proposal):
    text = "Account,From AM,To AM,Decision\nA-04,M-1,M-2,ok\nA-06,,M-9,ok\n"
    (only,) = faults(tmp_path, proposal, text)
    assert "row 3" in only
    assert "in this run it is M-2: the decision was made on another plan" in only


def test_a_file_without_decisions_has_no_columns_for_them(tmp_path, proposal):
    assert "neither a column Decision nor a column Override" in faults(tmp_path, proposal, "Account,What\nA-04,x\n")[0]
    assert "account_id" in faults(tmp_path, proposal, "Account Nr X,Decision\nA-04,ok\n")[0]
    with pytest.raises(UsageError, match="there is no file of decisions"):
        read_decisions(tmp_path / "missing.xlsx", proposal)


def test_a_lock_of_the_book_is_not_overridden(tmp_path):
    head, first, *rest = ACCOUNTS.splitlines()
    locked = "\n".join([f"{head},lock,lock_reason", f"{first},true,contract", *(f"{line},," for line in rest)])
    (only,) = faults(tmp_path, proposal_of(book_of(locked)), "A-01,,M-2,\n")
    assert "the account is locked to its owner (contract)" in only


# What follows


def test_a_rejected_move_stays_and_another_account_goes_instead(proposal):
    found = review(proposal, [Decision("A-04", "keep", "M-1")], workers=1)
    plan = found.after.assignments.set_index("account_id")
    assert plan.at["A-04", "to_am"] == "M-1"
    assert plan.at["A-04", "locked"]
    assert "review decision" in plan.at["A-04", "reason"]
    assert set(found.after.moves["account_id"]) == {"A-03", "A-06", "A-07"}
    level = {change.name: change for change in found.levels}["disruption"]
    assert level.proven
    assert level.extra == found.after.value - proposal.value > 0
    assert found.decisions["alone_overload"].iat[0] > 0
    assert found.undecided == 2


def test_an_override_goes_where_it_is_sent(proposal):
    found = review(proposal, [Decision("A-07", "override", "M-1")], workers=1, price=True)
    assert found.after.legal
    assert found.after.assignments.set_index("account_id").at["A-07", "to_am"] == "M-1"
    assert found.decisions["priced_disruption"].iat[0] == found.after.value - proposal.value
    assert found.decisions["priced_proven"].iat[0]


def test_what_decisions_add_to_an_overload_is_told():
    over = proposal_of(book_of(ams=TIGHT_AMS))
    assert not over.legal
    found = review(over, [Decision(f"A-0{n}", "keep", "M-1") for n in range(1, 5)], workers=1)
    assert found.conflict == ()
    assert "more overload (1 is a whole limit)" in found.text()


def test_approving_everything_changes_nothing_and_costs_nothing(proposal):
    every = [Decision(row["account_id"], "approve", row["to_am"]) for row in proposal.moves.to_dict("records")]
    found = review(proposal, every, workers=1)
    pd.testing.assert_series_equal(found.after.assignments["to_am"], proposal.assignments["to_am"])
    assert [level.extra for level in found.levels] == [0, 0]
    assert found.decisions["alone_disruption"].eq(0).all()


def test_a_plan_with_pods_keeps_am_and_csm_as_approved(tmp_path):
    proposal = proposal_of(book_of(WITH_CSMS, csms=CSMS, pods=PODS))
    file = table(tmp_path, "\n".join(f"{account},ok,," for account in proposal.moves["account_id"]) + "\n")
    decisions = read_decisions(file, proposal).decisions
    fixed = with_decisions(proposal.book, decisions).accounts.set_index("account_id")
    for move in proposal.moves.to_dict("records"):
        assert fixed.loc[move["account_id"], ["assign_to", "assign_csm"]].tolist() == [move["to_am"], move["to_csm"]]
    found = review(proposal, decisions, workers=1)
    for column in ("to_am", "to_csm"):
        pd.testing.assert_series_equal(found.after.assignments[column], proposal.assignments[column])


def test_the_book_of_the_run_is_not_changed(proposal):
    before = {name: frame.copy() for name, frame in proposal.book.tables.items()}
    with_decisions(proposal.book, [Decision("A-04", "keep", "M-1"), Decision("A-06", "override", "M-1")])
    for name, frame in before.items():
        pd.testing.assert_frame_equal(proposal.book.tables[name], frame)


def test_a_later_decision_replaces_an_earlier_one(proposal):
    once = with_decisions(proposal.book, [Decision("A-04", "keep", "M-1")])
    twice = with_decisions(once, [Decision("A-04", "override", "M-2")])
    pd.testing.assert_frame_equal(
        twice.accounts, with_decisions(proposal.book, [Decision("A-04", "override", "M-2")]).accounts
    )


def test_decisions_that_leave_no_legal_plan_are_named_and_no_others(proposal):
    keeps = [Decision(f"A-0{n}", "keep", "M-1", row=n) for n in range(1, 5)]
    found = review(proposal, [*keeps, Decision("A-06", "approve", "M-2", row=9)], workers=1)
    assert not found.after.legal
    assert list(found.conflict) == keeps
    assert "These decisions together leave no legal plan: row 1: A-01 stays with M-1" in found.text()


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 11), min_size=1, max_size=4), st.randoms())
def test_the_conflict_found_is_a_smallest_one(culprits, random):
    parts = list(range(12))
    random.shuffle(parts)
    found = smallest_conflict(parts, lambda some: culprits <= set(some))
    assert set(found) == culprits


def test_where_nothing_is_known_the_conflict_holds_more_and_still_conflicts():
    asked = itertools.count()
    found = smallest_conflict(list(range(8)), lambda some: {1, 6} <= set(some) and next(asked) < 2)
    assert {1, 6} <= set(found)


# The command, and the workbook inside the run


def test_the_workbook_may_be_written_into_where_it_is(run):
    before = (run / FILE).read_bytes()
    fill_in(run / FILE, A_04={"Decision": "Reject", "Override": "", "Comment": "no"})
    assert (run / FILE).read_bytes() != before
    assert verify_run(run) == []
    assert read_run(run).run_id


@pytest.mark.parametrize(
    ("title", "value"),
    [
        ("To AM", "M-1"),
        ("ARR", 1),
        ("Reason", "x"),
        ("Account", "A-01"),
        ("Forced", "yes"),
        ("Name", ""),
        ("Units", "9"),
    ],
)
def test_what_the_workbook_says_of_a_move_may_not_be_changed(title, value, run):
    fill_in(run / FILE, A_04={title: value})
    (first, *_) = verify_run(run)
    assert first.rule == "manifest"
    assert FILE in first.message


def test_a_workbook_that_lost_a_row_or_can_not_be_read_is_rejected(run):
    book = openpyxl.load_workbook(run / FILE)
    book["Moves"].delete_rows(2)
    book.save(run / FILE)
    assert ["has no row for" in found.message for found in verify_run(run)] == [True]
    (run / FILE).write_bytes(b"PK\x03\x04 nonsense")
    assert len(verify_run(run)) == 1
    (run / FILE).unlink()
    assert ["is listed and is not there" in found.message for found in verify_run(run)] == [True]


def test_rows_may_be_sorted_and_the_open_workbook_leaves_its_marks(run):
    book = openpyxl.load_workbook(run / FILE)
    rows = [[cell.value for cell in row] for row in book["Moves"].iter_rows(min_row=2)]
    for number, row in enumerate(rows[::-1], start=2):
        for column, value in enumerate(row, start=1):
            book["Moves"].cell(number, column).value = value
    book.save(run / FILE)
    (run / f"~${FILE}").write_bytes(b"open")
    (run / f".~lock.{FILE}#").write_bytes(b"open")
    assert verify_run(run) == []


def test_only_the_workbook_may_be_written_into_whatever_the_manifest_says(run):
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    manifest["editable"]["books.csv"] = manifest["files"].pop("books.csv")
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert ["books.csv is there and is not listed" in found.message for found in verify_run(run)] == [True]


def test_a_run_with_decisions_in_it_is_not_replaced(run, proposal):
    fill_in(run / FILE, A_04={"Decision": "Reject"})
    before = bytes_of(run)
    with pytest.raises(UsageError, match="somebody wrote into"):
        write_run(proposal, run)
    assert bytes_of(run) == before


def test_the_command_writes_a_new_run_with_what_was_decided(run, capsys):
    fill_in(run / FILE, A_04={"Decision": "no", "Comment": "@Merger"}, A_06={"Decision": "ok", "Comment": "Fine"})
    assert call("import-decisions", run, run / FILE, "--out", run.parent / "next", "--workers", "1") == 0
    told = capsys.readouterr().out
    assert "2 decisions: 1 approved, 1 kept where they are; 1 move undecided." in told
    assert "They cost" in told
    assert verify_run(run.parent / "next") == []
    after = read_run(run.parent / "next")
    assert after.assignments.set_index("account_id").at["A-04", "to_am"] == "M-1"
    kept = pd.read_csv(run.parent / "next" / "decisions.csv", dtype=str, keep_default_na=False)
    assert kept[["account_id", "decision", "am_id", "comment"]].to_numpy().tolist() == [
        ["A-04", "keep", "M-1", "@Merger"],
        ["A-06", "approve", "M-2", "Fine"],
    ]
    sheet = pd.read_excel(run.parent / "next" / FILE, sheet_name="Moves", dtype=str, na_filter=False, engine="calamine")
    sheet = sheet.set_index("Account")
    assert sheet.loc["A-06", ["Decision", "Comment"]].tolist() == ["Approve", "Fine"]
    assert sheet.loc["A-07", ["Decision", "Comment"]].tolist() == ["", ""]


def test_decisions_of_several_rounds_are_carried_along(run, tmp_path, capsys):
    assert (
        call("import-decisions", run, table(tmp_path, "A-04,no,,One\n"), "--out", tmp_path / "2", "--workers", "1") == 0
    )
    second = table(tmp_path, "A-04,,M-2,Two\nA-07,,,Three\n")
    assert call("import-decisions", tmp_path / "2", second, "--out", tmp_path / "3", "--workers", "1") == 0
    third = table(tmp_path, "A-06,ok,,\n")
    assert call("import-decisions", tmp_path / "3", third, "--out", tmp_path / "4", "--workers", "1") == 0
    kept = pd.read_csv(tmp_path / "4" / "decisions.csv", dtype=str, keep_default_na=False)
    assert kept[["account_id", "decision", "comment"]].to_numpy().tolist() == [
        ["A-04", "override", "Two"],
        ["A-06", "approve", ""],
        ["A-07", "", "Three"],
    ]
    assert read_run(tmp_path / "4").assignments.set_index("account_id").at["A-04", "to_am"] == "M-2"
    capsys.readouterr()


def test_the_same_decisions_give_the_same_run(run, tmp_path):
    file = table(tmp_path, "A-04,no,,x\n")
    for name in ("one", "two"):
        assert call("import-decisions", run, file, "--out", tmp_path / name, "--workers", "1") == 0
    one, two = (bytes_of(tmp_path / name) for name in ("one", "two"))
    assert {name for name in one if one[name] != two[name]} <= {"timings.json"}


def test_decisions_that_leave_no_legal_plan_end_with_4_and_say_what_is_short(run, tmp_path, capsys):
    file = table(tmp_path, "".join(f"A-0{n},keep,,\n" for n in range(1, 5)) + "A-06,ok,,\n")
    assert call("import-decisions", run, file, "--out", tmp_path / "next", "--workers", "1", "--json") == 4
    told = json.loads(capsys.readouterr().out)
    assert [row["account_id"] for row in told["conflict"]] == ["A-01", "A-02", "A-03", "A-04"]
    assert told["shortages"]
    assert not read_run(tmp_path / "next").legal


def test_decisions_against_a_limit_that_nothing_may_break_end_with_4_and_write_nothing(tmp_path, capsys):
    book = book_of()
    limited = proposal_of(
        type(book)(book.tables, book.effective_date, None, {"limits": {"when_over_capacity": "stop"}})
    )
    limited.write(str(tmp_path / "run"))
    file = table(tmp_path, "".join(f"A-0{n},keep,,\n" for n in range(1, 5)))
    assert call("import-decisions", tmp_path / "run", file, "--out", tmp_path / "next", "--workers", "1") == 4
    assert "These decisions together leave no legal plan: row 2: A-01" in capsys.readouterr().err
    assert not (tmp_path / "next").exists()


@pytest.mark.parametrize(("text", "code"), [("A-04,,,only words\n", 3), ("A-04,perhaps,,\n", 3)])
def test_a_file_that_decides_nothing_writes_nothing(text, code, run, tmp_path, capsys):
    assert call("import-decisions", run, table(tmp_path, text), "--out", tmp_path / "next") == code
    assert not (tmp_path / "next").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_the_run_that_was_decided_on_is_never_written_over(run, tmp_path):
    assert call("import-decisions", run, table(tmp_path, "A-04,no,,\n"), "--out", run, "--workers", "1") == 2
    assert verify_run(run) == []


def test_decisions_may_part_a_family(tmp_path):
    head, *rows = ACCOUNTS.splitlines()
    family = "\n".join([f"{head},parent_id", *(f"{row},{'A-03' if row.startswith('A-04') else ''}" for row in rows)])
    proposal_of(book_of(family)).write(str(tmp_path / "run"))
    file = table(tmp_path, "A-03,keep,,\nA-04,,M-2,\n")
    assert call("import-decisions", tmp_path / "run", file, "--out", tmp_path / "next", "--workers", "1") == 0
    plan = read_run(tmp_path / "next").assignments.set_index("account_id")
    assert plan.loc[["A-03", "A-04"], "to_am"].tolist() == ["M-1", "M-2"]
