"""A night: what it proposes, what it leaves alone, and what it leaves in the store. On SQLite and on PostgreSQL."""

import json
from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa
from nightly_books import ACCOUNTS, AMS, QUIET, Nights, with_arr, with_owners
from stores import as_approver, content, plan_of, postgresql_store, sqlite_store

import rebalancer as rb
from rebalancer.errors import Busy
from rebalancer.nightly.answers import Wanted
from rebalancer.nightly.baseline import baseline
from rebalancer.nightly.knowledge import known_of
from rebalancer.nightly.lock import night_lock
from rebalancer.nightly.night import nightly
from rebalancer.nightly.sources import find_books
from rebalancer.nightly.statuses import worst
from rebalancer.store import (
    apply,
    approve,
    audit,
    list_proposals,
    open_store,
    owners,
    reject,
    show,
    submit,
    submit_plan,
)
from rebalancer.store.tables import clocks, events, metadata, night_books, nights
from rebalancer.store.watching import books_of_day


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def made(request, tmp_path):
    if request.param == "sqlite":
        return Nights(sqlite_store(tmp_path), tmp_path)
    return Nights(postgresql_store(request.getfixturevalue("postgresql")), tmp_path)


def states(made):
    return {row["proposal_id"]: row["state"] for row in list_proposals(made.store)}


def moves_of(made, proposal):
    return {move["account_id"]: move["to_am"] for move in show(made.store, proposal).moves}


def with_column(table, name, value):
    first, *others = table.splitlines()
    return "\n".join([f"{first},{name}", *(f"{line},{value}" for line in others)]) + "\n"


def lost_by(made, proposal):
    return {move["from_am"] for move in show(made.store, proposal).moves}


def rows(made, table):
    with made.store.reading() as connection:
        return [row._asdict() for row in connection.execute(sa.select(table))]


def told(made, what):
    return [json.loads(row["body"]) for row in rows(made, events) if row["what"] == what]


def agreed(made, proposal, **how):
    approve(as_approver(made.store), proposal, now=made.now, **how)


def applied(made, proposal):
    agreed(made, proposal)
    apply(made.store, proposal, now=made.now)


def test_a_book_above_its_trigger_is_proposed_for_and_a_quiet_one_is_not(made):
    made.write("north").write("south", QUIET)
    report = made.night()
    found = {one.answer.name: one for one in report.books}
    assert found["north"].answer.status == "proposed"
    assert found["south"].answer.status == "no_change"
    assert report.exit_code == 0
    assert list(states(made).values()) == ["open"]
    assert set(moves_of(made, found["north"].proposal_id)) <= {"A-01", "A-02", "A-03", "A-04"}
    assert (made.out / "north" / found["north"].answer.run_id / "manifest.json").is_file()
    assert not (made.out / "south").exists()
    assert audit(made.store).ok


def test_the_same_night_again_adds_nothing(made):
    made.write("north").write("south", QUIET)
    made.night()
    kept = [table for table in metadata.sorted_tables if table.name != "nights"]
    before = {table.name: rows(made, table) for table in kept}
    again = made.night()
    assert not any(one.new for one in again.books)
    assert [one.answer.status for one in again.books] == ["proposed", "no_change"]
    assert {table.name: rows(made, table) for table in kept} == before
    assert len(rows(made, nights)) == 2


def test_an_open_proposal_is_kept_the_next_night(made):
    made.write()
    first = made.one()
    second = made.one(days=1)
    assert (second.answer.status, second.proposal_id) == ("kept", first.proposal_id)
    assert list(states(made).values()) == ["open"]
    assert [row["day"] for row in rows(made, night_books)] == ["2026-01-15", "2026-01-16"]


def test_noise_of_two_percent_gives_nothing_new(made):
    made.write("north").write("south", QUIET)
    made.night()
    before = states(made)
    for night in range(1, 6):
        noise = {account: 1 + 0.02 * (-1) ** (night + place) for place, account in enumerate("1234567")}

        def shaken(account, arr, noise=noise):
            return arr * noise[account[-1]]

        made.write("north", with_arr(ACCOUNTS, shaken)).write("south", with_arr(QUIET, shaken))
        report = made.night(days=1)
        assert [one.answer.status for one in report.books] == ["kept", "no_change"]
    assert states(made) == before


def test_a_derived_tier_holds_until_the_arr_is_five_percent_beyond_its_edge(made):
    """100,000 is the edge of enterprise: A-06 stands on it."""
    made.write("south", QUIET)
    made.night()
    for arr, units in ((98_000, "enterprise"), (95_100, "enterprise"), (94_000, "mid_market"), (104_000, "mid_market"),
                       (106_000, "enterprise")):  # fmt: skip
        made.write("south", with_arr(QUIET, lambda account, now, arr=arr: arr if account == "A-06" else now))
        made.night(days=1)
        assert tier_of(made, "A-06") == units, arr


def test_a_derived_tier_holds_where_the_file_leaves_the_account_out_for_a_night(made):
    made.write("south", QUIET)
    made.night()
    lower = with_arr(QUIET, lambda account, now: 98_000 if account == "A-06" else now)
    for accounts in ("\n".join(line for line in QUIET.splitlines() if "A-06" not in line) + "\n", lower):
        made.write("south", accounts)
        assert made.one(days=1, name="south").answer.status == "no_change"
    assert tier_of(made, "A-06") == "enterprise"


def tier_of(made, account):
    with made.store.reading() as connection:
        query = sa.text("SELECT tier FROM accounts WHERE account_id = :account")
        return connection.execute(query, {"account": account}).scalar_one()


def test_an_open_proposal_that_is_no_longer_needed_is_withdrawn(made):
    made.write()
    first = made.one()
    made.write(accounts=QUIET)
    second = made.one(days=1)
    assert (second.answer.status, second.proposal_id) == ("withdrawn", "")
    assert states(made) == {first.proposal_id: "superseded"}
    assert made.one(days=1).answer.status == "no_change"


def test_a_move_that_is_still_needed_stays_when_another_book_is_triggered_as_well(made):
    made.write()
    first = made.one()
    kept = moves_of(made, first.proposal_id)
    crowded = ACCOUNTS + "".join(f"B-{i},New {i},M-2,150000\n" for i in range(3))
    made.write(accounts=crowded, ams=AMS.replace("M-3,Cy,20", "M-3,Cy,60"))
    second = made.one(days=1)
    now = moves_of(made, second.proposal_id)
    assert second.answer.status == "proposed"
    assert {account: am for account, am in now.items() if account in kept} == kept
    assert len(now) > len(kept)
    assert states(made)[first.proposal_id] == "superseded"


def test_a_proposal_that_became_illegal_is_replaced(made):
    made.write()
    first = made.one()
    target = next(iter(moves_of(made, first.proposal_id).values()))
    name = {"M-2": "Ben", "M-3": "Cy"}[target]
    full = AMS.replace(f"{target},{name},20", f"{target},{name},5")
    made.write(ams=full.replace(",20,", ",40,"), accounts=ACCOUNTS)
    second = made.one(days=1)
    assert second.answer.status == "proposed"
    assert states(made) == {first.proposal_id: "superseded", second.proposal_id: "open"}
    assert target not in moves_of(made, second.proposal_id).values()


@pytest.mark.parametrize(("level", "was"), [({"value": 104, "bound": 100}, 1.04), ({"value": 104, "bound": None}, 1.0)])
def test_a_night_knows_how_far_from_the_least_the_open_proposal_was(made, level, was):
    told = json.dumps({"levels": [{"name": "overload", "value": 0, "bound": 0}, {"name": "disruption", **level}]})
    submit_plan(made.store, replace(plan_of({"A-1": "M-2"}), record=told), book="north", now=made.now)
    with made.store.reading() as connection:
        assert known_of(connection, "north").live.was == was


def test_what_was_applied_is_the_baseline_until_the_file_shows_it(made):
    made.write()
    first = made.one()
    applied(made, first.proposal_id)
    after = {account: am for account, (am, _) in owners(made.store, "north").items()}
    assert made.one(days=1).answer.status == "no_change"
    made.write(accounts=with_owners(ACCOUNTS, after))
    assert made.one(days=1).answer.status == "no_change"
    assert audit(made.store).ok
    assert {account: am for account, (am, _) in owners(made.store, "north").items()} == after


def test_what_was_applied_stays_the_baseline_when_the_file_leaves_the_account_out_for_a_night(made):
    made.write()
    first = made.one()
    applied(made, first.proposal_id)
    after = {account: am for account, (am, _) in owners(made.store, "north").items()}
    moved = set(moves_of(made, first.proposal_id))
    made.write(accounts="\n".join(line for line in ACCOUNTS.splitlines() if line.split(",")[0] not in moved) + "\n")
    assert made.one(days=1).answer.status == "no_change"
    assert not moved & set(owners(made.store, "north"))
    made.write()
    assert made.one(days=1).answer.status == "no_change"
    assert {account: am for account, (am, _) in owners(made.store, "north").items()} == after


def test_a_file_that_shows_the_first_of_two_applied_moves_does_not_undo_the_second(made):
    made.write(ams=AMS.replace("M-2,Ben,20", "M-2,Ben,10"))
    first = made.one()
    applied(made, first.proposal_id)
    to = moves_of(made, first.proposal_id)
    assert set(to.values()) == {"M-3"}
    made.write(ams=AMS.replace("M-3,Cy,20,", "M-3,Cy,20,2026-01-16").replace(",15,", ",18,"))
    second = made.one(days=1)
    applied(made, second.proposal_id)
    after = {account: am for account, (am, _) in owners(made.store, "north").items()}
    assert set(to) <= {account for account, am in after.items() if am == "M-2"}
    made.write(accounts=with_owners(ACCOUNTS, to), ams=AMS)
    third = made.one(days=1)
    assert third.answer.status == "no_change"
    assert {account: am for account, (am, _) in owners(made.store, "north").items()} == after


def test_an_approved_proposal_waits_for_whoever_applies_it(made):
    made.write()
    first = made.one()
    agreed(made, first.proposal_id)
    second = made.one(days=1)
    assert (second.answer.status, second.proposal_id) == ("kept", first.proposal_id)
    assert states(made) == {first.proposal_id: "approved"}
    made.write(accounts=QUIET)
    assert made.one(days=1).answer.status == "proposed" or states(made)[first.proposal_id] == "superseded"


def test_a_rejected_move_is_not_proposed_again_for_ninety_days(made):
    made.write()
    first = made.one()
    moved = moves_of(made, first.proposal_id)
    reject(made.store, first.proposal_id, now=made.now)
    for days in (1, 30, 58):
        found = made.one(days=days)
        assert found.answer.status in ("proposed", "kept"), found.answer.message
        assert not set(moves_of(made, found.proposal_id)) & set(moved)
    found = made.one(days=2)
    assert found.answer.day == "2026-04-16"
    assert moves_of(made, found.proposal_id) == moved


def test_a_rejected_seat_stays_rejected_where_the_account_has_to_leave(made):
    leaving = AMS.replace("M-1,Ann,15,", "M-1,Ann,15,2026-01-10")
    made.write(accounts=ACCOUNTS.replace("A-03,Core,M-1", "A-03,Core,M-3"), ams=leaving.replace(",20,", ",60,"))
    first = made.one()
    moved = moves_of(made, first.proposal_id)
    account, am = next(iter(moved.items()))
    reject(made.store, first.proposal_id, accounts=[account], now=made.now)
    second = made.one(days=1)
    now = moves_of(made, second.proposal_id)
    assert now[account] != am
    assert {other: seat for other, seat in now.items() if other != account} == {
        other: seat for other, seat in moved.items() if other != account
    }


def test_a_model_may_ask_for_several_nights_above_the_trigger_while_the_clock_runs(made):
    made.write(settings="[overrides.stability]\nnights = 3\n")
    assert [made.one(days=days).answer.status for days in (0, 1, 1)] == ["waiting", "waiting", "proposed"]
    assert [row["first_red"] for row in rows(made, clocks)] == ["2026-01-15"]


def test_who_waits_does_not_keep_others_waiting(made):
    made.write(settings="[overrides.stability]\nnights = 2\n")
    made.one()
    crowded = ACCOUNTS + "".join(f"B-{i},New {i},M-2,150000\n" for i in range(3))
    made.write(accounts=crowded, ams=AMS.replace("M-3,Cy,20", "M-3,Cy,60"))
    second = made.one(days=1)
    assert second.answer.status == "proposed"
    assert lost_by(made, second.proposal_id) == {"M-1"}
    third = made.one(days=1)
    assert lost_by(made, third.proposal_id) == {"M-1", "M-2"}


def test_each_trigger_is_raised_once_and_goes_on_where_it_fires_again_within_thirty_days(made):
    made.write()
    made.night()
    made.night(days=1)
    made.write(accounts=QUIET)
    made.night(days=1)
    made.write(accounts=ACCOUNTS)
    made.night(days=20)
    said = [(one["what"], body["day"]) for body in told(made, "triggers") for one in body["triggers"]]
    assert said == [("fired", "2026-01-15"), ("cleared", "2026-01-17"), ("fired_again", "2026-02-06")]
    assert [(row["first_red"], row["cleared"]) for row in rows(made, clocks)] == [("2026-01-15", "")]


def test_a_book_is_overdue_once_after_sixty_days(made):
    made.write()
    proposal = made.one().proposal_id
    assert made.one(days=60).answer.clocked.overdue == 0
    assert made.one(days=1).answer.clocked.overdue == 1
    assert made.one(days=1).answer.clocked.overdue == 1
    late = [one for body in told(made, "triggers") for one in body["triggers"] if one["what"] == "overdue"]
    assert late == [{"am_id": "M-1", "reason": "", "what": "overdue"}]
    assert states(made)[proposal] == "open"


def test_one_bad_book_stops_no_other(made):
    made.write("bad", accounts="account_id,name\nA-1,Acme\n").write("north")
    made.write("unowned", settings="model = 'no such'")
    report = made.night()
    found = {one.answer.name: one.answer for one in report.books}
    assert [found[name].status for name in ("bad", "north", "unowned")] == ["invalid", "proposed", "invalid"]
    assert 'column "owner"' in found["bad"].message
    assert report.exit_code == 3
    assert {row["book"]: row["exit_code"] for row in rows(made, night_books)} == {"bad": 3, "north": 0, "unowned": 3}
    made.write("bad", QUIET)
    assert made.one(name="bad").answer.status == "no_change"


def test_a_worker_that_fails_in_a_way_of_its_own_is_an_answer(made, monkeypatch):
    made.write("north").write("south", QUIET)
    real = nightly.__globals__["answer"]

    def breaks(task):
        if task.source.name == "north":
            raise ZeroDivisionError("division by zero")
        return real(task)

    monkeypatch.setitem(nightly.__globals__, "answer", breaks)
    report = made.night()
    assert [(one.answer.status, one.answer.exit_code) for one in report.books] == [("failed", 1), ("no_change", 0)]
    assert report.exit_code == 1
    monkeypatch.undo()
    assert made.one().answer.status == "proposed"


def test_a_book_without_a_legal_plan_is_explained_and_its_proposal_withdrawn(made):
    made.write()
    first = made.one()
    made.write(ams=AMS.replace(",20,", ",6,"))
    second = made.one(days=1)
    assert (second.answer.status, second.answer.exit_code) == ("over_capacity", 4)
    assert "short" in second.answer.message
    assert states(made) == {first.proposal_id: "superseded"}
    assert (made.out / "north").is_dir()


def test_a_decision_while_a_book_is_worked_on_is_not_overrun(made, monkeypatch):
    made.write()
    first = made.one()
    real, decided = nightly.__globals__["answer"], []

    def decides(task):
        found = real(task)
        if not decided:
            decided.append(reject(made.store, first.proposal_id, now=made.now))
        return found

    monkeypatch.setitem(nightly.__globals__, "answer", decides)
    second = made.one(days=1)
    assert second.answer.status == "proposed"
    assert not set(moves_of(made, second.proposal_id)) & set(moves_of(made, first.proposal_id))


def test_a_night_that_was_ended_between_two_books_goes_on_with_the_rest(made):
    made.write("east").write("north").write("west", QUIET)
    seen = []

    def ends(one):
        seen.append(one.answer.name)
        if len(seen) == 1:
            raise KeyboardInterrupt

    wanted = Wanted(now=made.now, time_limit=5.0, out=str(made.out))
    sources = find_books(str(made.root))
    with pytest.raises(KeyboardInterrupt):
        nightly(made.store, sources, wanted, made.executor, now=made.now, on_book=ends)
    assert [row["exit_code"] for row in rows(made, nights)] == [130]
    report = made.night()
    assert {one.answer.name: one.new for one in report.books} == {
        name: name != seen[0] for name in ("east", "north", "west")
    }
    assert sorted(row["book"] for row in list_proposals(made.store)) == ["east", "north"]


def test_a_proposal_of_the_night_goes_through_approval_to_its_owners(made):
    made.write()
    first = made.one()
    applied(made, first.proposal_id)
    moved = moves_of(made, first.proposal_id)
    now = {account: am for account, (am, _) in owners(made.store, "north").items()}
    assert {account: now[account] for account in moved} == moved
    assert audit(made.store).ok


def test_an_owner_who_changed_outside_makes_the_night_propose_anew(made):
    made.write()
    first = made.one()
    account = next(iter(moves_of(made, first.proposal_id)))
    made.write(accounts=with_owners(ACCOUNTS, {account: "M-3"}))
    second = made.one(days=1)
    assert second.answer.status in ("proposed", "withdrawn")
    assert states(made)[first.proposal_id] == "superseded"
    assert account not in (moves_of(made, second.proposal_id) if second.proposal_id else {})


def test_the_same_inputs_give_the_same_bytes(made, tmp_path):
    made.write()
    first = made.one().answer.run_id
    other = Nights(made.store, tmp_path / "other") if (tmp_path / "other").mkdir() is None else None
    other.write("copy")
    again = other.one(name="copy").answer.run_id
    assert again == first
    one, two = made.out / "north" / first, other.out / "copy" / first
    same = [file.name for file in sorted(one.rglob("*")) if file.is_file() and file.name != "timings.json"]
    assert len(same) > 8
    for file in sorted(one.rglob("*")):
        if file.is_file() and file.name != "timings.json":
            assert file.read_bytes() == (two / file.relative_to(one)).read_bytes(), file.name


def test_a_store_without_nights_has_no_trace_of_them(store):
    assert all(not content(store)[name] for name in ("nights", "night_books", "clocks"))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [((0, 0), 0), ((0, 10), 10), ((10, 75), 75), ((75, 6), 6), ((6, 4), 4), ((4, 8), 8), ((8, 5), 5), ((5, 3), 3),
     ((3, 7), 7), ((7, 1), 1), ((), 0), ((0, 99), 1)],
)  # fmt: skip
def test_of_many_exit_codes_the_worst_is_that_of_the_contract(codes, expected):
    assert worst(codes) == expected


def test_where_every_seat_was_rejected_the_account_is_proposed_for_again(made):
    leaving = AMS.replace("M-1,Ann,15,", "M-1,Ann,15,2026-01-10").replace(",20,", ",60,")
    made.write(ams=leaving)
    for _ in range(3):
        found = made.one(days=1)
        assert found.answer.status == "proposed", found.answer.message
        assert "A-01" in moves_of(made, found.proposal_id)
        reject(made.store, found.proposal_id, accounts=["A-01"], now=made.now)


PODS = {
    "csms": "csm_id,name,leaves_on\nC-1,Eve,2026-01-10\nC-2,Fay,\nC-3,Guy,\n",
    "pods": "pod_id,am_id,csm_id\n" + "".join(f"P-{n},M-{n},C-{csm}\n" for n in (1, 2, 3) for csm in (1, 2, 3)),
}


def csms_of(made, proposal_id):
    return {move["account_id"]: move["to_csm"] for move in show(made.store, proposal_id).moves}


def with_csm(made, csm="C-1"):
    """The quiet book, in which every account has a CSM."""
    made.write(accounts=with_column(QUIET, "csm", csm))
    for name, text in PODS.items():
        (made.root / "north" / f"{name}.csv").write_text(text, encoding="utf-8")


def test_a_csm_who_was_rejected_is_not_proposed_again_for_ninety_days_unless_nobody_else_is_left(made):
    with_csm(made)
    first = csms_of(made, (found := made.one()).proposal_id)
    assert set(first) == {f"A-0{n}" for n in range(1, 8)}, "their CSM has left"
    reject(made.store, found.proposal_id, accounts=["A-01"], now=made.now)
    second = csms_of(made, (found := made.one(days=1)).proposal_id)
    assert {first["A-01"], second["A-01"]} == {"C-2", "C-3"}
    assert {name: csm for name, csm in second.items() if name != "A-01"} == {
        name: csm for name, csm in first.items() if name != "A-01"
    }
    reject(made.store, found.proposal_id, accounts=["A-01"], now=made.now)
    assert csms_of(made, made.one(days=1).proposal_id)["A-01"] in ("C-2", "C-3"), "both were rejected"


def test_a_rejected_csm_of_an_account_that_stays_in_its_pool_is_not_proposed_again(made):
    with_csm(made)
    made.write(
        accounts=with_column(QUIET.replace(",M-1,", ",M-4,"), "csm", "C-1"),
        ams=AMS.replace("M-1,Ann,15,", "M-1,Ann,60,") + "M-4,Dee,60,2026-01-10,Olga\n",
    )
    pods = PODS["pods"] + "".join(f"P-4,M-4,C-{csm}\n" for csm in (1, 2, 3))
    for name, text in {"pods": pods, "pools": "pool_id,am_id\nP,M-1\nP,M-4\n"}.items():
        (made.root / "north" / f"{name}.csv").write_text(text, encoding="utf-8")
    first = csms_of(made, (found := made.one()).proposal_id)
    assert moves_of(made, found.proposal_id)["A-01"] == "P"
    reject(made.store, found.proposal_id, accounts=["A-01"], now=made.now)
    assert {first["A-01"], csms_of(made, made.one(days=1).proposal_id)["A-01"]} == {"C-2", "C-3"}


@pytest.mark.parametrize("side", ["am", "csm"])
def test_the_only_seat_of_an_account_that_was_rejected_does_not_stop_what_was_approved(made, side):
    with_csm(made)
    ams = AMS.replace(",20,", ",100,")
    if side == "csm":
        csms = PODS["csms"].replace("C-3,Guy,", "C-3,Guy,2026-01-10")
        (made.root / "north" / "csms.csv").write_text(csms, encoding="utf-8")
    else:
        ams = ams.replace("M-1,Ann,15,", "M-1,Ann,15,2026-01-10").replace("M-3,Cy,100,", "M-3,Cy,100,2026-01-10")
        made.write(accounts=QUIET)
    made.write(accounts=(made.root / "north" / "accounts.csv").read_text(), ams=ams)
    found = made.one()
    reject(made.store, found.proposal_id, accounts=["A-01"], now=made.now)
    agreed(made, found.proposal_id)
    for _ in range(2):
        again = made.one(days=1)
        assert (again.answer.status, again.answer.exit_code) == ("kept", 0), again.answer.message
    assert states(made) == {found.proposal_id: "approved"}


def test_a_rejected_csm_takes_nothing_from_the_am_who_keeps_the_account(made):
    with_csm(made)
    found = made.one()
    reject(made.store, found.proposal_id, accounts=["A-01"], now=made.now)
    with made.store.reading() as connection:
        known = known_of(connection, "north")
    book = rb.load_book(made.root / "north").on(made.now.date())
    book = replace(book, tables={**book.tables, "accounts": book.accounts.assign(owner="M-2")})
    told = baseline(book, rb.load_model("coverage_units"), known)[0].accounts.set_index("account_id").loc["A-01"]
    assert (told["refused"], len(told["refused_csm"])) == ((), 1)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE clocks SET first_red = '2026-01-20'",
        "UPDATE clocks SET cleared = '2026-01-16'",
        "DELETE FROM clocks",
        "INSERT INTO clocks SELECT book_id, 'M-2', reason, first_red, name, manager, last_red, cleared FROM clocks",
    ],
)
def test_a_clock_that_was_moved_outside_is_found_by_the_audit(made, change):
    made.write()
    made.night()
    made.night(days=1)
    assert audit(made.store).ok
    with made.store.engine.begin() as connection:
        connection.execute(sa.text(change))
    found = audit(made.store).findings
    assert {one.kind for one in found} == {"clock"}
    assert "M-" in found[0].message


def test_an_open_proposal_that_could_not_be_approved_any_more_is_made_anew(made):
    with_regions = with_column(ACCOUNTS, "region", "EMEA")
    made.write(accounts=with_regions)
    first = made.one()
    moved = next(iter(moves_of(made, first.proposal_id)))
    changed = "\n".join(
        line.replace("EMEA", "DACH") if line.startswith(moved) else line for line in with_regions.splitlines()
    )
    made.write(accounts=changed + "\n")
    second = made.one(days=1)
    assert second.answer.status == "proposed"
    assert states(made)[first.proposal_id] == "superseded"
    agreed(made, second.proposal_id)
    assert made.one(days=1).answer.status == "kept"


def test_a_plan_that_is_wanted_again_is_proposed_again(made):
    """The file shows X, then Y, then X again on one day."""
    first = made.write().one()
    assert made.write(accounts=QUIET).one().answer.status == "withdrawn"
    again = made.write(accounts=ACCOUNTS).one()
    assert again.answer.status == "proposed"
    assert again.proposal_id != first.proposal_id
    assert states(made) == {first.proposal_id: "superseded", again.proposal_id: "open"}
    assert made.one().new is False
    assert audit(made.store).ok


def test_a_file_of_an_earlier_day_changes_nothing(made):
    first = made.write().one()
    before = {table.name: rows(made, table) for table in metadata.sorted_tables if "night" not in table.name}
    early = made.write(accounts=QUIET).one(day=date(2026, 1, 10))
    assert (early.answer.status, early.answer.exit_code) == ("stale", 8)
    assert {table.name: rows(made, table) for table in metadata.sorted_tables if "night" not in table.name} == before
    assert states(made) == {first.proposal_id: "open"}


def test_only_the_account_without_another_seat_is_offered_a_rejected_one(made):
    leaving = AMS.replace("M-1,Ann,15,", "M-1,Ann,15,2026-01-10").replace(",20,", ",60,")
    table = with_column(ACCOUNTS, "refused", "").replace("A-01,Acme,M-1,300000,", "A-01,Acme,M-1,300000,M-3")
    made.write(accounts=table, ams=leaving)
    first = made.one()
    before = moves_of(made, first.proposal_id)
    reject(made.store, first.proposal_id, now=made.now)
    after = moves_of(made, made.one(days=1).proposal_id)
    assert after["A-01"] == before["A-01"] == "M-2"
    assert all(after[account] != before[account] for account in before if account != "A-01")


def test_a_rejection_holds_an_account_whose_own_lock_has_ended(made):
    made.write(accounts=with_column(with_column(ACCOUNTS, "lock", "true"), "lock_until", "2025-12-31"))
    first = made.one()
    moved = set(moves_of(made, first.proposal_id))
    reject(made.store, first.proposal_id, now=made.now)
    assert not moved & set(moves_of(made, made.one(days=1).proposal_id))


def test_a_full_plan_made_by_hand_is_not_taken_back_by_a_night(made, tmp_path):
    made.write(accounts=QUIET, ams=AMS.replace("M-1,Ann,15", "M-1,Ann,14"))
    full = rb.propose(rb.load_book(made.root / "north"), scope="full", time_limit=5, effective_date="2026-01-15")
    assert not full.moves.empty
    full.write(str(tmp_path / "full"))
    submitted = submit(made.store, tmp_path / "full", book="north", now=made.now).proposal_id
    assert made.one().answer.status == "kept"
    assert states(made) == {submitted: "open"}


def test_two_names_of_one_store_have_one_lock(tmp_path):
    store = sqlite_store(tmp_path)
    (tmp_path / "other.db").symlink_to(tmp_path / "store.db")
    with night_lock(store), pytest.raises(Busy), night_lock(open_store(str(tmp_path / "other.db"))):
        pytest.fail("both hold the lock")


def test_an_am_who_got_accounts_and_is_gone_from_the_file_has_left(made):
    made.write(ams=AMS.replace("M-2,Ben,20", "M-2,Ben,10"), accounts=ACCOUNTS.replace("A-07,Gale,M-3", "A-07,Gale,M-2"))
    first = made.one()
    applied(made, first.proposal_id)
    assert set(moves_of(made, first.proposal_id).values()) == {"M-3"}
    made.write(
        ams=AMS.replace("M-3,Cy,20,,Piet\n", "").replace(",15,", ",60,"),
        accounts=ACCOUNTS.replace("A-07,Gale,M-3", "A-07,Gale,M-2"),
    )
    second = made.one(days=1)
    assert second.answer.status == "proposed", second.answer.message
    assert lost_by(made, second.proposal_id) == {"M-3"}
    applied(made, second.proposal_id)
    assert audit(made.store).ok


def test_the_status_shows_books_whose_day_is_another_than_the_nights(made):
    made.write("fixed", settings="effective_date = 2026-01-02\n")
    made.write("west", settings='[overrides.triggers]\nzone = "America/Los_Angeles"\n')
    made.night()
    assert [(one.book, one.day) for one in sorted(books_of_day(made.store), key=lambda one: one.book)] == [
        ("fixed", "2026-01-02"),
        ("west", "2026-01-14"),
    ]
