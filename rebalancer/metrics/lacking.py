"""Which of the columns a figure needs a book does not have: missing data is said, never guessed."""

from __future__ import annotations

import pandas as pd

from rebalancer.book import Book


def lacking(book: Book, *columns: str) -> tuple[str, ...]:
    """Those of `columns`, each `table.column` or `table`, in which a book has no value at all, in the order asked."""
    return tuple(name for name in columns if not _has(book, name))


def _has(book: Book, name: str) -> bool:
    table, _, column = name.partition(".")
    frame = book.tables[table]
    if not column:
        return len(frame) > 0
    values = frame[column]
    if pd.api.types.is_integer_dtype(values):
        return bool((values != 0).any())  # money: a blank amount is read as 0
    return bool((values.map(len) > 0).any() if _is_list(values) else (values.notna() & (values != "")).any())


def _is_list(values: pd.Series) -> bool:
    return bool(len(values)) and isinstance(values.iloc[0], (list, tuple))
