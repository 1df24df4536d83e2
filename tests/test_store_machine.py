"""Random lives of a store, held against a plain model of what should come out."""

import os
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from stores import OWNERS, START, as_approver, copies, plan_of, postgresql_store, sqlite_store

from rebalancer.errors import StalePlan, UsageError
from rebalancer.store import apply, approve, audit, owners, reject, show, submit_plan, undo

ACCOUNTS = st.sampled_from(sorted(OWNERS))
AMS = st.sampled_from(["M-1", "M-2", "M-3"])
SUBSET = st.sets(ACCOUNTS)
MANY = st.dictionaries(ACCOUNTS, AMS, min_size=3)
LIVE = ("open", "approved")


class Model:
    """What should be so: nothing but dictionaries."""

    def __init__(self):
        self.owner, self.seen, self.file = dict(OWNERS), dict(OWNERS), dict(OWNERS)
        self.version = dict.fromkeys(OWNERS, 1)
        self.late = {account: [] for account in OWNERS}
        self.away = set()
        self.proposals = {}

    def put(self, account, am):
        self.owner[account] = am
        self.version[account] += 1

    def shown(self):
        return {account: am for account, am in self.file.items() if account not in self.away}

    def there(self):
        return {account: am for account, am in self.owner.items() if account not in self.away}

    def read_file(self):
        """What a file shows that is behind counts for nothing: `late` are the owners it may show, oldest first."""
        lagging, behind = False, False
        for account, am in self.shown().items():
            late, pending = self.late[account], self.owner[account] != self.seen[account]
            if pending and am != self.owner[account] and am in late:
                lagging |= am == self.seen[account]
                behind |= am != self.seen[account]
                self.late[account] = late[len(late) - 1 - late[::-1].index(am) :]
            else:
                self.late[account] = []
                if am not in (self.seen[account], self.owner[account]):
                    self.put(account, am)
            self.seen[account] = am
        return lagging, behind

    def apply(self, account, am):
        back = am == self.seen[account]
        self.late[account] = [] if back else [*self.late[account], self.owner[account]]
        self.put(account, am)

    def propose(self, name, moves, undoes=None):
        if undoes is None:
            for other in self.proposals.values():
                if other["undoes"] is None and other["state"] in LIVE:
                    other["state"] = "superseded"
        made = {a: (self.owner[a], am, self.version[a]) for a, am in moves.items()}
        self.proposals[name] = {
            "state": "open", "moves": made, "undoes": undoes, "decision": dict.fromkeys(moves, "undecided"),
            "ends": {}, "done": {},
        }  # fmt: skip

    def stale(self, name, accounts):
        moves = self.proposals[name]["moves"]
        return any(
            a in self.away or (self.owner[a], self.version[a]) != (moves[a][0], moves[a][2]) for a in accounts
        )  # fmt: skip

    def ended(self, name, now):
        one = self.proposals[name]
        return {a for a, end in one["ends"].items() if one["decision"][a] == "approved" and end <= now}


def chosen(proposal, named, but=()):
    return named or {a for a, decision in proposal["decision"].items() if decision not in but}


class Machine(RuleBasedStateMachine):
    """Submits, changes by hand, decides, applies, undoes and waits, in any order."""

    make = None
    seen = None

    def __init__(self):
        super().__init__()
        self.store = self.make()
        self.approver = as_approver(self.store)
        self.model, self.now, self.day, self.runs = Model(), START, 0, 0

    @initialize()
    def first_file(self):
        self.import_file()

    def import_file(self):
        self.day, self.runs = self.day + 1, self.runs + 1
        day = (START + timedelta(days=self.day)).date().isoformat()
        submit_plan(self.store, plan_of({}, self.model.shown(), f"run-{self.runs}", day=day), now=self.now)
        lagging, behind = self.model.read_file()
        self.seen["import: a file that lags behind"] += lagging
        self.seen["import: a file that shows the first of two moves"] += behind

    @rule(account=ACCOUNTS, am=AMS)
    def change_by_hand(self, account, am):
        self.model.file[account] = am
        self.model.away = set()
        self.import_file()

    @rule()
    def file_shows_what_was_applied(self):
        self.model.file, self.model.away = dict(self.model.owner), set()
        self.import_file()

    @rule(account=ACCOUNTS)
    def file_leaves_an_account_out(self, account):
        """It is back with the next file, as that shows it."""
        self.model.away = {account}
        self.import_file()
        waits = self.model.owner[account] != self.model.seen[account]
        self.seen["import: an account left out that waits"] += waits

    @rule(data=st.data(), account=ACCOUNTS)
    def file_shows_an_owner_of_before(self, data, account):
        if self.model.late[account]:
            self.model.file[account] = data.draw(st.sampled_from(self.model.late[account]))
            self.model.away = set()
            self.import_file()

    @rule(data=st.data(), account=ACCOUNTS, first=AMS, second=AMS)
    def move_twice_and_show_the_first(self, data, account, first, second):
        for am in (first, second):
            self.submit(moves={account: am})
            self.approve(data=data, named=set())
            self.apply(data=data)
        self.file_shows_an_owner_of_before(data=data, account=account)

    @rule(days=st.integers(0, 9))
    def wait(self, days):
        self.now += timedelta(days=days)

    @rule(moves=st.dictionaries(ACCOUNTS, AMS, min_size=1))
    def submit(self, moves):
        there = self.model.there()
        moves = {account: am for account, am in moves.items() if am != there.get(account, am)}
        if moves:
            self.runs += 1
            plan = plan_of(moves, there, f"run-{self.runs}")
            done = submit_plan(self.store, plan, observe=False, now=self.now)
            self.model.propose(done.proposal_id, moves)

    def pick(self, data, *states):
        """Mostly a proposal in one of these states."""
        names = list(self.model.proposals)
        fitting = [name for name in names if self.model.proposals[name]["state"] in states]
        among = fitting if fitting and data.draw(st.integers(0, 4)) else names[-4:]
        return data.draw(st.sampled_from(among)) if among else None

    @rule(data=st.data(), moves=MANY, some=SUBSET, account=ACCOUNTS, am=AMS)
    def submit_approve_and_apply(self, data, moves, some, account, am):
        """Goes further in one step, so that more is applied and undone; sometimes something happens in between."""
        between = data.draw(st.sampled_from(["nothing", "some", "change", "wait", "undo", "change and undo"]))
        self.submit(moves=moves)
        self.approve(data=data, named=some if between == "some" else set())
        if between == "change":
            self.change_by_hand(account=account, am=am)
        if between == "wait":
            self.wait(days=20)
        self.apply(data=data)
        if between == "wait":
            self.approve(data=data, named=set())
        if between == "change and undo":
            self.change_by_hand(account=account, am=am)
        if between.endswith("undo"):
            self.undo(data=data)
            self.approve(data=data, named=set())
            self.apply(data=data)

    @rule(data=st.data(), named=SUBSET)
    def approve(self, data, named):
        name = self.pick(data, *LIVE)
        if name is None:
            return
        one = self.model.proposals[name]
        named &= set(one["moves"])
        if one["state"] not in LIVE:
            with pytest.raises(UsageError):
                approve(self.approver, name, accounts=named, now=self.now)
            return
        ended = self.model.ended(name, self.now)
        decision = {a: "undecided" if a in ended else d for a, d in one["decision"].items()}
        new = {a for a in chosen({"decision": decision}, named, ["rejected"]) if decision[a] != "approved"}
        if self.model.stale(name, new):
            self.seen["approve: stale"] += 1
            with pytest.raises(StalePlan):
                approve(self.approver, name, accounts=named, now=self.now)
            return
        done = approve(self.approver, name, accounts=named, now=self.now)
        assert set(done.accounts) == new
        self.seen["approve: anew"] += bool(ended and new)
        one["decision"] = {a: "approved" if a in new else d for a, d in decision.items()}
        one["ends"].update(dict.fromkeys(new, self.now + timedelta(days=14)))
        one["state"] = "approved" if "approved" in one["decision"].values() else "open"

    @rule(data=st.data(), named=SUBSET)
    def reject(self, data, named):
        name = self.pick(data, *LIVE)
        if name is None:
            return
        one = self.model.proposals[name]
        named &= set(one["moves"])
        if one["state"] not in (*LIVE, "rejected"):
            with pytest.raises(UsageError):
                reject(self.store, name, accounts=named, now=self.now)
            return
        done = reject(self.store, name, accounts=named, now=self.now)
        new = {a for a in chosen(one, named) if one["decision"][a] != "rejected"}
        assert set(done.accounts) == new
        one["decision"].update(dict.fromkeys(new, "rejected"))
        left = set(one["decision"].values())
        if left == {"rejected"}:
            one["state"] = "rejected"
        elif new and one["state"] == "approved" and "approved" not in left:
            one["state"] = "open"

    @rule(data=st.data())
    def apply(self, data):
        name = self.pick(data, "approved")
        if name is None:
            return
        one = self.model.proposals[name]
        if one["state"] == "applied":
            assert not apply(self.store, name, now=self.now).new
            return
        if one["state"] != "approved":
            with pytest.raises(UsageError):
                apply(self.store, name, now=self.now)
            return
        approved = {a for a, decision in one["decision"].items() if decision == "approved"}
        ended, stale = self.model.ended(name, self.now), self.model.stale(name, approved)
        if ended or stale:
            self.seen[f"apply: {'ended' if ended else 'stale'}"] += 1
            with pytest.raises(StalePlan):
                apply(self.store, name, now=self.now)
            return
        assert apply(self.store, name, now=self.now).accounts == len(approved)
        for account in approved:
            self.model.apply(account, one["moves"][account][1])
            one["done"][account] = self.model.version[account]
        one["state"] = "applied"
        self.seen["apply: part" if len(approved) < len(one["moves"]) else "apply: all"] += 1
        if one["undoes"] is not None:
            self.seen["apply: an undo"] += 1
            self.model.proposals[one["undoes"]]["state"] = "undone"

    @rule(data=st.data())
    def undo(self, data):
        name = self.pick(data, "applied")
        if name is None:
            return
        one = self.model.proposals[name]
        others = [other for other in self.model.proposals.items() if other[1]["undoes"] == name]
        wanted = ("applied", "undone") if one["state"] == "undone" else LIVE
        known = [other for other, facts in others if facts["state"] in wanted]
        if known:
            assert undo(self.store, name, now=self.now).proposal_id == known[0]
            return
        done = {a: version for a, version in one["done"].items() if a not in self.model.away}
        back = {a: one["moves"][a][0] for a, version in done.items() if self.model.version[a] == version}
        if one["state"] != "applied":
            with pytest.raises(UsageError):
                undo(self.store, name, now=self.now)
        elif not back:
            self.seen["undo: stale"] += 1
            with pytest.raises(StalePlan):
                undo(self.store, name, now=self.now)
        else:
            done = undo(self.store, name, now=self.now)
            assert (done.moves, len(done.left_out)) == (len(back), len(one["done"]) - len(back))
            self.model.propose(done.proposal_id, back, undoes=name)
            self.seen["undo: part" if done.left_out else "undo: all"] += 1

    @invariant()
    def the_owners_are_those_of_the_model(self):
        if self.day:
            assert {account: am for account, (am, _) in owners(self.store, "main").items()} == self.model.there()

    def teardown(self):
        for name, one in self.model.proposals.items():
            shown = show(self.store, name)
            assert shown.facts["state"] == one["state"]
            assert {move["account_id"]: move["decision"] for move in shown.moves} == one["decision"]
        assert audit(self.store).findings == ()


LIVES = int(os.environ.get("REBALANCER_LIVES", "0"))
"""Lives of each long test, by hand: 500 take some 20 minutes on PostgreSQL."""

OUTCOMES = (
    *("approve: stale", "approve: anew", "apply: stale", "apply: ended", "apply: part", "apply: all"),
    *("apply: an undo", "undo: all", "undo: part", "undo: stale", "import: a file that lags behind"),
    *("import: a file that shows the first of two moves", "import: an account left out that waits"),
)
"""What has to have happened, else the lives were too quiet to show anything."""


def live(copy, examples, steps):
    seen = Counter()
    machine = type("StoreMachine", (Machine,), {"make": staticmethod(copy), "seen": seen})
    how = settings(max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True)
    run_state_machine_as_test(machine, settings=how)
    assert [outcome for outcome in OUTCOMES if not seen[outcome]] == [], seen


def test_a_store_does_what_a_plain_model_does(tmp_path):
    with copies(sqlite_store(tmp_path), tmp_path) as copy:
        live(copy, 80, 30)


@pytest.mark.long
def test_a_store_does_what_a_plain_model_does_in_many_lives(tmp_path):
    with copies(sqlite_store(tmp_path), tmp_path) as copy:
        live(copy, LIVES or 100, 50)


@pytest.mark.long
def test_a_store_in_postgresql_does_what_a_plain_model_does_in_many_lives(tmp_path, postgresql):
    with copies(postgresql_store(postgresql), tmp_path, postgresql) as copy:
        live(copy, LIVES or 30, 50)
