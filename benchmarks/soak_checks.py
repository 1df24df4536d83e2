"""Checks of the simulated nights: what the store says against what truly was, a violation for each difference."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from benchmarks.soak_truth import TIERS, Clocks, View, cost_of, tier_of, units_of
from benchmarks.soak_world import BookWorld, day_of, visible
from rebalancer.nightly.recording import Told
from rebalancer.nightly.statuses import LASTING
from rebalancer.store import Store
from rebalancer.store.lifecycle import LIVE
from rebalancer.store.tables import accounts, books, clocks, events, moves, proposals, runs

REJECTED_NIGHTS = 90
WORSE = 1.05

Move = tuple[str, str, str]
"""From whom, to whom, and the decision."""


@dataclass(frozen=True)
class Live:
    """The live proposal of a book and its moves by account. `price` is the disruption that its run tells, `least` the
    bound of it: no plan costs less.
    """

    proposal_id: str
    state: str
    moves: dict[str, Move]
    price: int | None = None
    least: int | None = None

    def standing(self) -> dict[str, str]:
        """Where the moves that were not rejected lead."""
        return {account: to for account, (_, to, decision) in self.moves.items() if decision != "rejected"}


@dataclass
class BookTruth:
    """What a store should know of a book: owners that count, those last seen in the file, tiers that hold, clocks;
    the last view; the accounts and AMs that planners decided on since; and the nights of rejected moves.

    `late` are owners that the file may show of an account for which it is behind, oldest first; `aside` is what is
    known of accounts while the file leaves them out: owner, owner seen, late ones, tier.
    """

    owner: dict[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    late: dict[str, list[str]] = field(default_factory=dict)
    aside: dict[str, tuple[str, str, list[str], int]] = field(default_factory=dict)
    tier: dict[str, int] = field(default_factory=dict)
    clocks: Clocks = field(default_factory=Clocks)
    view: View | None = None
    decided: list[str] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)

    def look(self, book: BookWorld, night: int) -> View:
        """Take in the files of a night. An owner counts as changed where the file differs from the file before and from
        what was applied since.
        """
        shown = visible(book, night)
        for account in [account for account in self.owner if account not in shown]:
            self._leave_out(account)
        for account, one in shown.items():
            if account in self.aside:
                self.owner[account], self.seen[account], self.late[account], self.tier[account] = self.aside.pop(
                    account
                )
            self._show(account, one.owner)
            self.tier[account] = tier_of(one.arr, self.tier.get(account))
        units = {
            name: units_of(self.tier[name], one.products, one.stakeholders, one.complexity)
            for name, one in shown.items()
        }
        day = day_of(night)
        return View(
            owner=dict(self.owner),
            units=units,
            cost={name: cost_of(self.tier[name], one.arr) for name, one in shown.items()},
            capacity={name: am.capacity for name, am in book.ams.items()},
            region={name: am.region for name, am in book.ams.items()},
            left=frozenset(name for name, am in book.ams.items() if am.leaves_on and am.leaves_on <= day),
        )

    def _leave_out(self, account: str) -> None:
        late = self.late.pop(account, [])
        self.aside[account] = (self.owner.pop(account), self.seen.pop(account), late, self.tier.pop(account))

    def _show(self, account: str, am: str) -> None:
        late, owner = self.late.get(account, []), self.owner.get(account)
        if am != owner and owner != self.seen.get(account) and am in late:
            late = late[len(late) - 1 - late[::-1].index(am) :]
        else:
            self.owner[account], late = am, []
        self.seen[account], self.late[account] = am, late

    def applied(self, account: str, am: str) -> None:
        """A move was applied, which the file shows some nights later."""
        back = am == self.seen[account]
        self.late[account] = [] if back else [*self.late.get(account, []), self.owner[account]]
        self.owner[account] = am

    def text(self) -> dict[str, Any]:
        """All of it, for JSON."""
        view = None if self.view is None else {**asdict(self.view), "left": sorted(self.view.left)}
        own = ("owner", "seen", "late", "aside", "tier", "decided", "rejected")
        return {**{name: getattr(self, name) for name in own}, "view": view, "clocks": asdict(self.clocks)}

    @classmethod
    def of(cls, text: Mapping[str, Any]) -> BookTruth:
        """The truth of such a text."""
        given = dict(text)
        view = given["view"]
        given["view"] = None if view is None else View(**{**view, "left": frozenset(view["left"])})
        given["clocks"] = Clocks(**given["clocks"])
        given["aside"] = {account: tuple(one) for account, one in given["aside"].items()}
        return cls(**given)


def live_proposals(store: Store) -> dict[str, Live]:
    """The live plan of every book that has one."""
    query = sa.select(books.c.name, proposals.c.proposal_id, proposals.c.state, runs.c.record, moves)
    query = query.join(proposals, proposals.c.book_id == books.c.book_id)
    query = query.join(moves, moves.c.proposal_id == proposals.c.proposal_id)
    query = query.join(runs, (runs.c.book_id == books.c.book_id) & (runs.c.run_id == proposals.c.run_id))
    found: dict[str, Live] = {}
    with store.reading() as connection:
        for row in connection.execute(query.where(proposals.c.state.in_(LIVE), proposals.c.undoes == "")):
            if row.name not in found:
                found[row.name] = Live(row.proposal_id, row.state, {}, *_told(row.record))
            found[row.name].moves[row.account_id] = (row.from_am, row.to_am, row.decision)
    return found


def _told(record: str) -> tuple[int, int | None]:
    level = next(level for level in json.loads(record)["levels"] if level["name"] == "disruption")
    return level["value"], level["bound"]


@dataclass
class Checks:
    """`violations` must stay empty; `given_up` lists moves given up for a reason. `quiet` counts books of which nothing
    but the ARR moved since the night before, `quiet_open` those of them with an open proposal.
    """

    night: int
    violations: list[dict[str, Any]]
    given_up: list[dict[str, Any]]
    quiet: int = 0
    quiet_open: int = 0

    def wrong(self, kind: str, book: str, detail: str) -> None:
        """Note a violation."""
        self.violations.append({"kind": kind, "night": self.night, "book": book, "detail": detail})

    def book(
        self, world: BookWorld, truth: BookTruth, told: Told | None, live: tuple[Live | None, Live | None]
    ) -> View | None:
        """Check what became of a book; the view of the night where it could read the book."""
        if not world.readable(self.night):
            expected = None if world.absent(self.night) else "invalid"
            if (told.answer.status if told else None) != expected:
                self.wrong("status", world.name, f"{told and told.answer.status}, not {expected}")
            return None
        if told is None or told.answer.status not in LASTING:
            answer = told and told.answer
            self.wrong("status", world.name, f"{answer and answer.status}: {answer and answer.message}")
            return None
        view = truth.look(world, self.night)
        self._need(world.name, view, told)
        self._noise(world.name, truth, view, told, live)
        if told.new and live[0] is not None and (live[1] is None or live[1].proposal_id != live[0].proposal_id):
            self._flapping(world.name, truth, view, live[0], live[1])
        if told.new and told.answer.status == "proposed" and live[1] is not None:
            self._proposed(world.name, truth, view, live[1])
        return view

    def _need(self, book: str, view: View, told: Told) -> None:
        """What has to be done is proposed, or there is no legal plan for it."""
        todo = [*sorted(view.over()), *(account for account in view.owner if view.homeless(account))]
        status = told.answer.status
        if todo and status in ("no_change", "withdrawn"):
            self.wrong("not_proposed", book, f"{status} where {', '.join(todo[:5])} had to be cured")
        if told.answer.clocked is not None and told.answer.clocked.triggered != len(view.over()):
            self.wrong("triggered", book, f"{told.answer.clocked.triggered} triggered, not {len(view.over())}")

    def _noise(
        self, book: str, truth: BookTruth, view: View, told: Told, live: tuple[Live | None, Live | None]
    ) -> None:
        """Where nothing but the ARR moved since the night before, nothing new is proposed."""
        before = truth.view
        if before is None or truth.decided:
            return
        if any(getattr(before, name) != getattr(view, name) for name in ("owner", "units", "capacity", "left")):
            return
        self.quiet += 1
        self.quiet_open += live[0] is not None and live[0].state == "open"
        if told.new and told.answer.status == "proposed":
            old, new = (one.standing() if one else {} for one in live)
            gap = f"{view.price(old):,} dollars before, {view.price(new):,} now"
            self.wrong("noise", book, f"proposed anew where nothing but noise happened: {gap}")

    def _proposed(self, book: str, truth: BookTruth, view: View, live: Live) -> None:
        """A new proposal is legal, and has no move that was rejected."""
        for fault in view.faults(live.standing()):
            self.wrong("illegal", book, f"{live.proposal_id}: {fault}")
        if live.price is not None and live.price != view.price(live.standing()):
            self.wrong(
                "price", book, f"{live.proposal_id}: {live.price:,} dollars, not {view.price(live.standing()):,}"
            )
        for account, (origin, to, _) in live.moves.items():
            for name in (f"{account} {to}", f"{account} {origin} away"):
                night = truth.rejected.get(name, -1_000)
                gone = name.endswith(" away") and (not origin or origin in view.left)
                if self.night - night <= REJECTED_NIGHTS and not gone:
                    self.wrong("rejected", book, f"{live.proposal_id}: {account} to {to}, rejected in night {night}")

    def _flapping(self, book: str, truth: BookTruth, view: View, old: Live, new: Live | None) -> None:
        """Moves that are no longer proposed though their AM is still triggered: each for a reason."""
        given = GivenUp(view, old, new)
        for account, to in given.lost():
            origin = old.moves[account][0]
            reason = _changed(truth, view, account, origin, to) or given.reason(account)
            row = {"night": self.night, "book": book, "account": account, "from": origin, "to": to, "reason": reason}
            if reason is None:
                self.wrong("flapping", book, f"{old.proposal_id}: {account} from {origin} to {to}: {given.told()}")
            else:
                self.given_up.append({**row, "faults": given.faults[:3], "ratio": given.ratio, "kept": given.kept})

    def tables(self, store: Store, worlds: list[BookWorld], truths: list[BookTruth]) -> None:
        """Owners, tiers and clocks of a store against the truth."""
        owned: dict[int, dict[str, tuple[str, str, str]]] = {}
        red: dict[int, dict[str, list[list[str]]]] = {}
        with store.reading() as connection:
            number = {row.name: row.book_id for row in connection.execute(sa.select(books))}
            for row in connection.execute(sa.select(accounts)):
                owned.setdefault(row.book_id, {})[row.account_id] = (row.am_id, row.seen_am, row.tier)
            for row in connection.execute(sa.select(clocks).order_by(clocks.c.first_red)):
                line = [row.first_red, row.last_red, row.cleared]
                red.setdefault(row.book_id, {}).setdefault(row.am_id, []).append(line)
        for world, truth in zip(worlds, truths, strict=True):
            book = number.get(world.name, -1)
            wanted = {a: (truth.owner[a], truth.seen[a], TIERS[truth.tier[a]]) for a in truth.owner}
            have = owned.get(book, {})
            for account in [a for a in {**wanted, **have} if wanted.get(a) != have.get(a)][:5]:
                self.wrong("table", world.name, f"{account} is {have.get(account)}, not {wanted.get(account)}")
            if red.get(book, {}) != truth.clocks.stretches:
                self.wrong("clock", world.name, _difference(red.get(book, {}), truth.clocks.stretches))


class GivenUp:
    """What became of a proposal that another one replaced, and whether it could have been kept.

    `faults` are what would not be legal of its moves today; `ratio` is their price against that of the new ones.
    Where the run of the new ones has no bound, their own price counts as the least.
    """

    def __init__(self, view: View, old: Live, new: Live | None) -> None:
        self.view, self.old, self.new = view, old, new
        self.now = new.standing() if new else {}
        price = view.price(self.now)
        least = None if new is None else new.least
        self.most = max(price, int(WORSE * (price if least is None else least)))
        standing = old.standing()
        self.intact = {
            account: to for account, to in standing.items() if view.owner.get(account) == old.moves[account][0]
        }
        self.faults = view.faults(self.intact)
        self.ratio = round(view.price(self.intact) / max(1, view.price(self.now)), 4)
        self.kept = f"{len(set(self.now.items()) & set(standing.items()))} of {len(standing)}"
        self.over = view.over()

    def lost(self) -> list[tuple[str, str]]:
        """Moves not rejected that are no longer proposed, of AMs who are over, gone or nobody; or who made room."""
        needed = self.over | self.view.left | {""}
        if not any(origin in needed for origin, _, _ in self.old.moves.values()):
            return []
        room = {to for account, to in self.intact.items() if self.old.moves[account][0] in needed}
        found = [pair for pair in self.old.standing().items() if self.now.get(pair[0]) != pair[1]]
        return [(account, to) for account, to in found if self.old.moves[account][0] in needed | room]

    def reason(self, account: str) -> str | None:
        """Why a move could not be kept; None where it could."""
        if not self.faults:
            return "clearly worse" if self.new is not None and self.view.price(self.intact) > self.most else None
        if self.new is None:
            return "no legal plan"
        if self.old.moves[account][0] not in self.over and not self.view.homeless(account):
            return "no longer makes room"
        if any(self._good_enough(moves) for moves in self._ways(account, self.intact[account])):
            return None
        return "the whole was no longer legal"

    def told(self) -> str:
        """The figures, in words."""
        return f"{self.kept} kept, {self.ratio:.4f} of the new price, {'; '.join(self.faults[:2]) or 'legal'}"

    def _ways(self, account: str, to: str) -> Iterator[dict[str, str]]:
        """Plans that keep a move beside all those that were kept. The last ones give up those into AMs who are too full
        now, if it is none of them.
        """
        kept = {name: am for name, am in self.intact.items() if self.now.get(name) == am}
        yield {**self.now, account: to}
        yield from (self._around(), self._beside(), self._of_region(self.view.region[to]))
        yield self._placed({**kept, account: to})
        full = {fault.split()[0] for fault in self.faults}
        if to not in full:
            part = {**{name: am for name, am in self.intact.items() if am not in full}, **kept}
            yield {**self.now, **part}
            yield self._placed(part)

    def _placed(self, moves: dict[str, str]) -> dict[str, str]:
        """With these moves, the accounts left without an owner, the largest first, where there is most room."""
        found, view = dict(moves), self.view
        owner = {**view.owner, **moves}
        room = {am: view.capacity[am] - load for am, load in view.loads(owner).items() if am not in view.left}
        left = [account for account in owner if account not in moves and view.homeless(account)]
        for account in sorted(left, key=lambda name: -view.units[name]):
            region = view.region.get(self.now.get(account, ""))
            found[account] = max((am for am in room if view.region[am] == region), key=room.__getitem__, default="")
            if found[account]:
                room[found[account]] -= view.units[account]
        return found

    def _around(self) -> dict[str, str]:
        """The new plan with the old moves that still serve."""
        wanted = {a: to for a, to in self.intact.items() if self.old.moves[a][0] in self.over or self.view.homeless(a)}
        return {**self.now, **wanted}

    def _beside(self) -> dict[str, str]:
        """The old moves, and the new ones of AMs whom the old ones do not relieve and of accounts without an owner."""
        served = {self.old.moves[account][0] for account in self.intact} - {""} - self.view.left
        rest = {a: to for a, to in self.now.items() if self.view.homeless(a) or self.view.owner[a] not in served}
        return {**rest, **self.intact}

    def _of_region(self, region: int) -> dict[str, str]:
        """The old moves in one region, the new ones in the others."""
        old = {account: to for account, to in self.intact.items() if self.view.region[to] == region}
        return {**{account: to for account, to in self.now.items() if self.view.region[to] != region}, **old}

    def _good_enough(self, moves: Mapping[str, str]) -> bool:
        return not self.view.faults(moves) and self.view.price(moves) <= self.most


def triggers_told(store: Store, after: int) -> tuple[dict[str, list[tuple[str, str, str]]], int]:
    """By book (day, AM, what) of every event of triggers after a number; and the number of the newest event."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    with store.reading() as connection:
        query = sa.select(events).where(events.c.seq > after).order_by(events.c.seq)
        last = after
        for event in connection.execute(query):
            last = event.seq
            if event.what == "triggers":
                body = json.loads(event.body)
                own = [(body["day"], one["am_id"], one["what"]) for one in body["triggers"]]
                found.setdefault(event.book, []).extend(own)
    return found, last


def _difference(have: dict[str, Any], wanted: dict[str, Any]) -> str:
    am = next(am for am in {**wanted, **have} if have.get(am) != wanted.get(am))
    return f"the clock of {am} is {have.get(am)}, not {wanted.get(am)}"


def _changed(truth: BookTruth, view: View, account: str, origin: str, to: str) -> str | None:
    """What really changed for a move, if anything."""
    before = truth.view
    assert before is not None
    if account not in view.owner:
        return "the account is gone"
    if view.owner[account] != origin:
        return "its owner changed"
    if to in view.left:
        return "the new AM left"
    if origin in view.left and origin not in before.left:
        return "its AM left"
    if any(before.capacity.get(am) != view.capacity.get(am) for am in (origin, to) if am):
        return "a capacity changed"
    if {account, origin, to} & set(truth.decided) - {""}:
        return "a planner decided"
    return None
