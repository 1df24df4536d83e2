"""What reviewers write: words that mean yes or no, and people by id, name or e-mail."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from rebalancer.book import Book

APPROVE = frozenset(
    (
        *("approve", "approved", "approves", "accept", "accepted", "agree", "agreed", "confirm", "confirmed", "ok"),
        *("okay", "yes", "y", "ja", "fine", "good", "go", "move", "\u2713", "\u2714"),
    )
)
KEEP = frozenset(
    (
        *("reject", "rejected", "rejects", "no", "n", "nein", "deny", "denied", "decline", "declined", "refuse"),
        *("refused", "keep", "kept", "keep as is", "stay", "stays", "hold", "no change", "not ok"),
        *("do not move", "don't move", "dont move"),
    )
)


def meaning(text: str) -> str:
    """`approve`, `keep`, "" where nothing is written, or `?`."""
    words = plain(text).strip(".!,;: ")
    if not words:
        return ""
    return "approve" if words in APPROVE else "keep" if words in KEEP else "?"


def plain(text: str) -> str:
    """The text in one form of Unicode and without case, hidden characters or repeated spaces."""
    visible = "".join(ch for ch in unicodedata.normalize("NFKC", text) if unicodedata.category(ch) != "Cf")
    return " ".join(visible.replace("\u2019", "'").split()).casefold()


class People:
    """The AMs and pools of a book by everything they may be called."""

    def __init__(self, book: Book) -> None:
        ams = book.ams
        self.ids = frozenset((*ams["am_id"], *book.tables["pools"]["pool_id"]))
        by_id, by_name = defaultdict(set), defaultdict(set)
        for person in self.ids:
            by_id[plain(person)].add(person)
        for column in ("name", "email"):
            for person, text in zip(ams["am_id"], ams[column], strict=True):
                if text:
                    by_name[plain(text)].add(person)
        self._lookups = (by_id, by_name)

    def called(self, text: str) -> list[str]:
        """The ids of those who are called so, ids before names; the exact id alone where there is one."""
        text = text.strip()
        if text in self.ids:
            return [text]
        for lookup in self._lookups:
            found = lookup.get(plain(text)) or lookup.get(plain(text.removeprefix("'")))
            if found:
                return sorted(found)
        return []

    def names(self) -> Iterable[str]:
        """What they may be called, without case."""
        return [name for lookup in self._lookups for name in lookup]
