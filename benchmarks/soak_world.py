"""World: what happens to the books of the simulated nights, and the files in which a CRM would show it.

Every figure here is ours, chosen so that legal plans exist nearly always and most books are left alone most nights.
What happens depends on the seed, the book, the night and what was applied before, and on nothing else.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import books
from benchmarks.soak_truth import tier_of, units_of

START = date(2026, 1, 5)
REGION = 12
"""AMs of a region, among whom its accounts can move."""

NOISE = 0.02
USED = (0.80, 0.92)
"""Share of a region's capacity that its accounts need: below it customers come, above it some leave."""

GROWING, SPIKE, OUTSIDE, AWAY, LEAVER, CAPACITY, BROKEN = 0.12, 0.06, 0.05, 0.02, 0.005, 0.01, 0.005
"""Chances per book and night, where `busy` is 1."""


@dataclass
class Account:
    """A customer. `trend` is its ARR without noise, which grows by `slope` a night; complexity in hundredths."""

    region: int
    owner: str
    trend: float
    slope: float
    products: int
    stakeholders: int
    complexity: int
    arr: int = 0
    away_until: int = -1

    @property
    def units(self) -> int:
        return units_of(tier_of(int(self.trend), None), self.products, self.stakeholders, self.complexity)


@dataclass
class Am:
    """An AM; capacity in hundredths, `leaves_on` an ISO date or empty."""

    region: int
    capacity: int
    leaves_on: str = ""


@dataclass
class Episode:
    """Load of an AM that grows for some nights, or stands higher for some nights and falls again (`before` says from
    what), and does so a second time after `pause` nights.
    """

    am: str
    first: int
    last: int
    factor: float
    before: dict[str, int] | None = None
    pause: int = 0


@dataclass
class BookWorld:
    """A book as it truly is. `shown` are owners that were applied and that the file will show from a night on."""

    number: int
    accounts: dict[str, Account]
    ams: dict[str, Am]
    episodes: list[Episode] = field(default_factory=list)
    shown: list[tuple[int, str, str]] = field(default_factory=list)
    ids: int = 0
    broken: bool = False
    missing: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        return f"book-{self.number:03}"

    def readable(self, night: int) -> bool:
        """The night can read the book."""
        return not self.broken and not self.absent(night)

    def absent(self, night: int) -> bool:
        """There is no folder of the book that night."""
        return self.missing[0] <= night < self.missing[1]

    def text(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, text: dict[str, Any]) -> BookWorld:
        """The book of such a text."""
        given = dict(text)
        given["accounts"] = {name: Account(**one) for name, one in text["accounts"].items()}
        given["ams"] = {name: Am(**one) for name, one in text["ams"].items()}
        given["episodes"] = [Episode(**one) for one in text["episodes"]]
        given["shown"] = [tuple(one) for one in text["shown"]]
        given["missing"] = tuple(text["missing"])
        return cls(**given)


def day_of(night: int) -> str:
    """The ISO date of a night."""
    return (START + timedelta(days=night)).isoformat()


def new_book(seed: int, number: int, accounts: int, nights: int) -> BookWorld:
    """A book whose regions are 80 to 92 % used, dealt out so that nearly everybody is below the trigger."""
    rng = np.random.default_rng([seed, number])
    ams = max(4, round(accounts / 25))
    regions = max(1, ams // REGION)
    frames = books.frames(accounts, ams, seed + 1_000 * number, books.Shape(used=0.86, regions=regions))
    people = {
        row.am_id: Am(int(row.region[1:]), round(100 * row.capacity)) for row in frames["ams"].itertuples(index=False)
    }
    found = {}
    for row in frames["accounts"].itertuples(index=False):
        slope = float(rng.normal(0, 0.004)) if rng.random() < 0.05 else 0.0
        complexity = round(100 * row.complexity)
        found[row.account_id] = Account(
            int(row.region[1:]), "", float(row.arr), slope, int(row.products), int(row.stakeholders), complexity
        )
    book = BookWorld(number, found, people, ids=accounts)
    _deal_out(book, rng)
    if number == 1:
        book.missing = (nights // 4, nights // 4 + 3)
    return book


def _deal_out(book: BookWorld, rng: np.random.Generator) -> None:
    """The largest account first, to whoever is furthest below a share of the whole drawn for each AM."""
    wanted = {am: one.capacity * rng.uniform(0.85, 1.15) for am, one in book.ams.items()}
    held = dict.fromkeys(book.ams, 0)
    for account in sorted(book.accounts.values(), key=lambda one: -one.units):
        free = [am for am, one in book.ams.items() if one.region == account.region]
        account.owner = min(free, key=lambda am: (held[am] + account.units) / wanted[am])
        held[account.owner] += account.units


def step(book: BookWorld, seed: int, night: int, owner: dict[str, str], busy: float = 1) -> None:
    """What happens to a book by that night. `owner` is who truly owns each account, `busy` a factor on all chances."""
    rng = np.random.default_rng([seed, book.number, night, 7])
    book.broken = False
    _show(book, night)
    if night > 0:
        _grow(book, rng, night, owner, busy)
        _people(book, rng, night, busy)
        _accounts(book, rng, night, busy)
        book.broken = bool(rng.random() < BROKEN * busy)
    for account in book.accounts.values():
        account.trend *= 1 + account.slope
        account.arr = round(account.trend * (1 + rng.uniform(-NOISE, NOISE)))


def _show(book: BookWorld, night: int) -> None:
    due = [one for one in book.shown if one[0] <= night]
    book.shown = [one for one in book.shown if one[0] > night]
    for _, account, am in due:
        if account in book.accounts:
            book.accounts[account].owner = am


def _grow(book: BookWorld, rng: np.random.Generator, night: int, owner: dict[str, str], busy: float) -> None:
    """Slow growth of a whole book, and spikes that fall again by themselves and come back 5 to 40 nights later."""
    active = sorted(am for am, one in book.ams.items() if not one.leaves_on)
    if rng.random() < GROWING * busy:
        length = int(rng.integers(4, 12))
        book.episodes.append(Episode(str(rng.choice(active)), night, night + length, float(rng.uniform(1.02, 1.05))))
    if rng.random() < SPIKE * busy:
        am, length, pause = str(rng.choice(active)), int(rng.integers(1, 5)), int(rng.choice([5, 12, 25, 35, 40]))
        own = [account for account, who in owner.items() if who == am and account in book.accounts]
        load = sum(book.accounts[account].units for account in own)
        if load:
            factor = 1.16 * book.ams[am].capacity / load
            before = {account: book.accounts[account].complexity for account in own}
            book.episodes.append(Episode(am, night, night + length, max(1.02, factor), before, pause))
    for one in book.episodes:
        _episode(book, one, night, owner)
    again = [one for one in book.episodes if one.pause and night == one.last]
    book.episodes = [one for one in book.episodes if night < one.last]
    book.episodes += [_later(book, one) for one in again]


def _episode(book: BookWorld, one: Episode, night: int, owner: dict[str, str]) -> None:
    if one.before is None:
        for name, account in book.accounts.items():
            if owner.get(name) == one.am:
                account.complexity = min(300, math.ceil(account.complexity * one.factor))
        return
    for name, before in one.before.items():
        if name in book.accounts and night in (one.first, one.last):
            high = round(before * one.factor)
            book.accounts[name].complexity = before if night == one.last else high


def _later(book: BookWorld, one: Episode) -> Episode:
    first = one.last + one.pause
    before = {name: book.accounts[name].complexity for name in one.before or {} if name in book.accounts}
    return Episode(one.am, first, first + (one.last - one.first), one.factor, before)


def _people(book: BookWorld, rng: np.random.Generator, night: int, busy: float) -> None:
    """An AM gives notice, and somebody new starts at once; a capacity is set anew."""
    active = sorted(am for am, one in book.ams.items() if not one.leaves_on)
    if rng.random() < LEAVER * busy:
        am = str(rng.choice(active))
        book.ams[am].leaves_on = day_of(night + int(rng.integers(0, 6)))
        book.ids += 1
        book.ams[f"N{book.ids:05}"] = Am(book.ams[am].region, book.ams[am].capacity)
    if rng.random() < CAPACITY * busy:
        am = str(rng.choice(active))
        book.ams[am].capacity = round(book.ams[am].capacity * float(rng.choice([0.95, 1.05])))


def _accounts(book: BookWorld, rng: np.random.Generator, night: int, busy: float) -> None:
    """Owners changed by others, accounts that the file leaves out for some nights, customers who come and go."""
    day = day_of(night)
    names = sorted(book.accounts)
    if rng.random() < OUTSIDE * busy:
        account = book.accounts[str(rng.choice(names))]
        free = [am for am, one in book.ams.items() if one.region == account.region and not one.leaves_on]
        account.owner = str(rng.choice(free))
    if rng.random() < AWAY * busy:
        book.accounts[str(rng.choice(names))].away_until = night + int(rng.integers(1, 5))
    for region in sorted({one.region for one in book.ams.values()}):
        capacity = sum(
            one.capacity
            for one in book.ams.values()
            if one.region == region and not (one.leaves_on and one.leaves_on <= day)
        )
        own = [name for name in names if book.accounts[name].region == region]
        used = sum(book.accounts[name].units for name in own) / capacity
        for _ in range(_gone(rng, used)):
            book.accounts.pop(str(rng.choice(own)), None)
        for _ in range(_come(rng, used)):
            book.ids += 1
            model = book.accounts[str(rng.choice(sorted(set(own) & set(book.accounts))))]
            book.accounts[f"N{book.ids:07}"] = Account(
                region, "", model.trend, 0.0, model.products, model.stakeholders, 100
            )


def _gone(rng: np.random.Generator, used: float) -> int:
    return int(rng.integers(3, 8)) if used > USED[1] else int(rng.random() < 0.03)


def _come(rng: np.random.Generator, used: float) -> int:
    return int(rng.integers(1, 4)) if used < USED[0] else int(rng.random() < 0.03)


def write(book: BookWorld, night: int, root: Path) -> None:
    """The files of a book as they are that night: without a column where it is broken, none where it is missing."""
    folder = root / book.name
    if book.absent(night):
        shutil.rmtree(folder, ignore_errors=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    arr = "arr" if not book.broken else "notes"
    lines = [f"account_id,name,owner,{arr},region,products,stakeholders,complexity"]
    for name, one in visible(book, night).items():
        lines.append(
            f"{name},Account {name},{one.owner},{one.arr},R{one.region:04},{one.products},{one.stakeholders},"
            f"{one.complexity / 100:.2f}"
        )
    (folder / "accounts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = ["am_id,name,manager,region,capacity,leaves_on"]
    for name, am in book.ams.items():
        lines.append(f"{name},Manager {name},Lead {am.region},R{am.region:04},{am.capacity / 100:.2f},{am.leaves_on}")
    (folder / "ams.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "book.toml").write_text('model = "pods"\n', encoding="utf-8")


def visible(book: BookWorld, night: int) -> dict[str, Account]:
    """The accounts in the file that night."""
    return {name: one for name, one in book.accounts.items() if one.away_until <= night}
