"""Nights for tests: small books in a folder, a store, and nights that are worked off in this process."""

from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta

from small_books import frame

from rebalancer.nightly.answers import Wanted
from rebalancer.nightly.night import nightly
from rebalancer.nightly.sources import find_books

FIRST = datetime(2026, 1, 15, 2, 0, tzinfo=UTC)

AMS = """am_id,name,capacity,leaves_on,manager
M-1,Ann,15,,Olga
M-2,Ben,20,,Olga
M-3,Cy,20,,Piet
"""
ACCOUNTS = """account_id,name,owner,arr
A-01,Acme,M-1,300000
A-02,Bolt,M-1,200000
A-03,Core,M-1,150000
A-04,Dune,M-1,120000
A-05,Echo,M-2,110000
A-06,Fjord,M-2,100000
A-07,Gale,M-3,90000
"""
"""M-1 is above its trigger: four enterprise accounts of 5 units each, and room for 15."""

QUIET = ACCOUNTS.replace("A-04,Dune,M-1,", "A-04,Dune,M-3,")
"""Nobody is."""


class Inline(Executor):
    """Works off what it is given at once, in this process."""

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Nights:
    """Books in a folder and nights over them. `now` is the time of the last one."""

    def __init__(self, store, folder, executor=None):
        self.store, self.root, self.executor = store, folder / "books", executor or Inline()
        self.out, self.now = folder / "runs", FIRST
        self.root.mkdir()

    def write(self, name="north", accounts=ACCOUNTS, ams=AMS, settings=None):
        """Write a book as its systems show it."""
        place = self.root / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "accounts.csv").write_text(accounts, encoding="utf-8")
        (place / "ams.csv").write_text(ams, encoding="utf-8")
        if settings is not None:
            (place / "book.toml").write_text(settings, encoding="utf-8")
        return self

    def night(self, days=0, **how):
        """A night some days after the last one; the report."""
        self.now += timedelta(days=days)
        wanted = Wanted(now=self.now, out=str(self.out), **{"time_limit": 5.0, **how})
        return nightly(self.store, find_books(str(self.root)), wanted, self.executor, now=self.now)

    def one(self, days=0, name="north", **how):
        """What became of one book in a night."""
        return next(told for told in self.night(days, **how).books if told.answer.name == name)


def with_owners(accounts, owners):
    """The accounts with other owners: `with_owners(ACCOUNTS, {"A-01": "M-2"})`."""
    table = frame(accounts)
    table["owner"] = [
        owners.get(account, owner) for account, owner in zip(table["account_id"], table["owner"], strict=True)
    ]
    return table.to_csv(index=False, lineterminator="\n")


def with_arr(accounts, change):
    """The accounts with other ARR: `change` is a function of account and ARR."""
    table = frame(accounts)
    table["arr"] = [
        str(round(change(account, int(arr)))) for account, arr in zip(table["account_id"], table["arr"], strict=True)
    ]
    return table.to_csv(index=False, lineterminator="\n")
