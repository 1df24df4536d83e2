"""Books: who owns what as far as the store knows, and how a newer file changes that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from rebalancer.errors import UsageError, printable
from rebalancer.store.events import append
from rebalancer.store.lagging import Absent, Earlier, Owned, absent_of, earlier_of, kept_of, waits
from rebalancer.store.plan import Observed, Person, Seat
from rebalancer.store.store import Work
from rebalancer.store.tables import accounts, books, in_parts, people, runs


def book_named(connection: sa.Connection, name: str) -> sa.Row[Any]:
    """The row of a book. Raises `UsageError` naming the books there are where it is unknown."""
    row = connection.execute(sa.select(books).where(books.c.name == name)).first()
    if row is None:
        known = sorted(connection.execute(sa.select(books.c.name)).scalars())
        there = f"It knows {', '.join(map(printable, known))}." if known else "It knows none yet."
        raise UsageError(f'the store knows no book "{printable(name)}". {there}')
    return row


def is_past(work: Work, name: str, seen: Observed) -> bool:
    """The store has seen a file of the book of a later day."""
    as_of = work.connection.execute(sa.select(books.c.as_of).where(books.c.name == name)).scalar_one_or_none()
    return as_of is not None and seen.day < as_of


def observe_book(work: Work, name: str, seen: Observed, *, newest: bool = False) -> int:
    """Take in what a file shows of a book, and hand back its number.

    A file that is older than the newest one is not taken in; `newest` says that of this day there is no newer one. An
    owner counts as changed where the file differs from the file before and from all that was applied since: the file
    may show only a part of that yet.
    """
    row = work.connection.execute(sa.select(books).where(books.c.name == name)).first()
    if row is None:
        return _first(work, name, seen)
    book = int(row.book_id)
    if newest or not _is_older(work, row, seen):
        known = _known(work.connection, book)
        _refuse_another(name, known, seen)
        _take_in(work, book, name, known, seen, row.as_of)
        _replace_people(work, book, seen.people)
        values = {"as_of": seen.day, "accounts_sha256": seen.accounts_sha256}
        work.connection.execute(books.update().where(books.c.book_id == book).values(values))
    return book


def _first(work: Work, name: str, seen: Observed) -> int:
    values = {"name": name, "as_of": seen.day, "accounts_sha256": seen.accounts_sha256}
    book = work.connection.execute(books.insert().values(values).returning(books.c.book_id)).scalar_one()
    _take_in(work, int(book), name, {}, seen)
    _replace_people(work, int(book), seen.people)
    return int(book)


def _is_older(work: Work, row: sa.Row[Any], seen: Observed) -> bool:
    """The file is of an earlier day, or of the same day and was already followed by another."""
    if seen.day != row.as_of or seen.accounts_sha256 == row.accounts_sha256:
        return bool(seen.day < row.as_of)
    same = (runs.c.book_id == row.book_id, runs.c.accounts_sha256 == seen.accounts_sha256)
    same_day = runs.c.effective_date == seen.day
    return work.connection.execute(sa.select(runs.c.run_id).where(*same, same_day)).first() is not None


def _known(connection: sa.Connection, book: int) -> dict[str, sa.Row[Any]]:
    rows = connection.execute(sa.select(accounts).where(accounts.c.book_id == book))
    return {row.account_id: row for row in rows}


def _refuse_another(name: str, known: Mapping[str, Any], seen: Observed) -> None:
    common = sum(account in known for account in seen.seats)
    if 2 * common < min(len(known), len(seen.seats)):
        raise UsageError(
            f'the run has {common:,} accounts in common with the book "{printable(name)}" of the store, which has '
            f"{len(known):,}. It is of another book: give that its own name with --book."
        )


def _take_in(
    work: Work, book: int, name: str, known: Mapping[str, sa.Row[Any]], seen: Observed, as_of: str = ""
) -> None:
    """Write what is new, changed and gone since the file of the day `as_of`, and note it as one event."""
    new = _arrived(work.connection, book, known, seen.seats, as_of)
    gone = [row for account, row in known.items() if account not in seen.seats]
    updates, changes = [], [*map(_added, new), *map(_gone, gone)]
    there = [row for account, row in known.items() if account in seen.seats]
    late = earlier_of(work.connection, book, (row for row in there if _may_lag(row, seen.seats[row.account_id])))
    for row in there:
        account = row.account_id
        if (update := _update(row, seen.seats[account], late.get(account))) is not None:
            updates.append({"of_book": book, "of_account": account, **update})
            changes += _changed(row, update)
    _write(work.connection, book, new, gone, updates)
    if changes or not known:
        rows = [{**change, "book_id": book} for change in changes]
        absent = kept_of(gone)
        body = {"day": seen.day, "accounts": len(seen.seats), **({"absent": absent} if absent else {})}
        append(work, "observed", body, book=name, changes=rows)


def _arrived(
    connection: sa.Connection, book: int, known: Mapping[str, Any], seats: Mapping[str, Seat], as_of: str
) -> list[dict[str, Any]]:
    """The rows of accounts that the file before did not have. One that was there before goes on as it was."""
    new = {account: seat for account, seat in seats.items() if account not in known}
    absent = absent_of(connection, book, as_of, new) if known else {}
    late = earlier_of(connection, book, filter(waits, absent.values()))
    return [_row(book, account, seat, absent.get(account), late.get(account)) for account, seat in new.items()]


def _row(book: int, account: str, seat: Seat, was: Absent | None, late: Earlier | None) -> dict[str, Any]:
    tier = "" if was is None else was.tier
    return {"book_id": book, "account_id": account, **_seat(was, seat, late), "tier": tier}


def _may_lag(row: Owned, seat: Seat) -> bool:
    """The account waits, and the file shows neither what it showed before nor what was applied."""
    before, now = (row.seen_am, row.seen_csm), (row.am_id, row.csm_id)
    return waits(row) and (seat.am_id, seat.csm_id) not in (before, now)


def _seat(row: Owned | None, seat: Seat, late: Earlier | None) -> dict[str, Any]:
    """Who has an account, of which something is known or nothing, once a file shows a seat of it; its version goes up
    by one where that is somebody else.
    """
    am, csm, version = seat.am_id, seat.csm_id, 1
    if row is not None:
        ams, csms = ((row.seen_am,), (row.seen_csm,)) if late is None else (late.ams, late.csms)
        am, csm = row.am_id if am in ams else am, row.csm_id if csm in csms else csm
        version = row.version + ((am, csm) != (row.am_id, row.csm_id))
    seen = {"seen_am": seat.am_id, "seen_csm": seat.csm_id, "traits": seat.traits}
    return {"am_id": am, "csm_id": csm, **seen, "version": version}


def _update(row: sa.Row[Any], seat: Seat, late: Earlier | None) -> dict[str, Any] | None:
    """The columns of an account that a file changes, None where there are none."""
    new = _seat(row, seat, late)
    return new if any(new[column] != getattr(row, column) for column in new) else None


def _added(row: Mapping[str, Any]) -> dict[str, str]:
    return change_of(row["account_id"], "added", ("", ""), (row["am_id"], row["csm_id"]))


def _gone(row: sa.Row[Any]) -> dict[str, str]:
    return change_of(row.account_id, "gone", (row.am_id, row.csm_id), ("", ""))


def _changed(row: sa.Row[Any], new: Mapping[str, Any]) -> list[dict[str, str]]:
    before, now = (row.am_id, row.csm_id), (str(new["am_id"]), str(new["csm_id"]))
    return [change_of(row.account_id, "outside", before, now)] if before != now else []


def change_of(account: str, kind: str, before: tuple[str, str], now: tuple[str, str]) -> dict[str, str]:
    """A row of `history` without its event and book; pairs are (AM, CSM)."""
    return {
        "account_id": account,
        "kind": kind,
        "from_am": before[0],
        "to_am": now[0],
        "from_csm": before[1],
        "to_csm": now[1],
    }


def _write(
    connection: sa.Connection,
    book: int,
    new: Sequence[Mapping[str, Any]],
    gone: Iterable[sa.Row[Any]],
    updates: list[dict[str, Any]],
) -> None:
    if new:
        connection.execute(accounts.insert(), new)
    for row in gone:
        connection.execute(accounts.delete().where(*_at(book, row.account_id)))
    if updates:
        columns = ("am_id", "csm_id", "seen_am", "seen_csm", "traits", "version")
        values: dict[str, Any] = {name: sa.bindparam(name) for name in columns}
        place = _at(sa.bindparam("of_book"), sa.bindparam("of_account"))
        connection.execute(accounts.update().where(*place).values(values), updates)


def _at(book: Any, account: Any) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return accounts.c.book_id == book, accounts.c.account_id == account


def _replace_people(work: Work, book: int, new: Mapping[tuple[str, str], Person]) -> None:
    work.connection.execute(people.delete().where(people.c.book_id == book))
    rows = [{"book_id": book, "role": role, "person_id": name, **vars(person)} for (role, name), person in new.items()]
    if rows:
        work.connection.execute(people.insert(), rows)


def accounts_of(connection: sa.Connection, book: int, ids: Iterable[str]) -> dict[str, sa.Row[Any]]:
    """The rows of some accounts by id; those that are gone are left out."""
    found = {}
    for part in in_parts(ids):
        rows = connection.execute(sa.select(accounts).where(_at(book, "")[0], accounts.c.account_id.in_(part)))
        found.update({row.account_id: row for row in rows})
    return found


def people_of(connection: sa.Connection, book: int) -> dict[tuple[str, str], sa.Row[Any]]:
    """The people of a book by role and id."""
    rows = connection.execute(sa.select(people).where(people.c.book_id == book))
    return {(row.role, row.person_id): row for row in rows}
