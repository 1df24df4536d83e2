"""A Salesforce that takes update files as Data Loader and the Bulk API do, and gives back their result files."""

import csv
import io
import random

from small_books import ACCOUNTS, AMS, CSMS, PODS, WITH_CSMS, book_of

from rebalancer.reading.ids import id18

USERS = {f"M-{n}": id18(f"0055500000Xyy0{n}") for n in range(1, 4)}
MEMBERS = {f"C-{n}": id18(f"0055500000Xyy1{n}") for n in range(1, 3)}
IDS = {f"A-0{n}": id18(f"0015500000Xyy0{n}") for n in range(1, 8)}
LOCKED = "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record, or 1 records: 0015500000Xyy01:--"


def salesforce_text(text):
    """A table of the small books with ids of Salesforce."""
    for ours, theirs in {**IDS, **USERS, **MEMBERS}.items():
        text = text.replace(ours, theirs)
    return text


def salesforce_book(pods=False):
    """The small book with ids of Salesforce."""
    if pods:
        tables = {"csms": salesforce_text(CSMS), "pods": salesforce_text(PODS)}
        return book_of(salesforce_text(WITH_CSMS), salesforce_text(AMS), **tables)
    return book_of(salesforce_text(ACCOUNTS), salesforce_text(AMS))


class Salesforce:
    """Owners by account. `failing` are accounts that are refused, with the error, until they are taken out of it."""

    def __init__(self, book, failing=None):
        accounts = book.accounts
        self.owners = dict(zip(accounts["account_id"], accounts["owner"], strict=True))
        self.failing = dict(failing or {})

    def update(self, file):
        """Load `Id,OwnerId`; the rows that succeeded and, with their error, those that failed."""
        data = file.read_bytes()
        assert not data.startswith(b"\xef\xbb\xbf")
        assert b"\r" not in data
        lines = data.decode("ascii").splitlines()
        assert lines[0] == "Id,OwnerId"
        done, failed = [], []
        for line in lines[1:]:
            account, owner = line.split(",")
            assert len(account) == len(owner) == 18
            if account in self.failing:
                failed.append((account, owner, self.failing[account]))
            else:
                self.owners[account] = owner
                done.append((account, owner))
        return done, failed


def data_loader(folder, done, failed, name="1"):
    """The two result files of Data Loader, rows in any order."""
    random.Random(0).shuffle(done)
    success = [("ID", "ID", "OWNERID", "STATUS"), *((i, i, owner, "Item Updated") for i, owner in done)]
    error = [("ID", "OWNERID", "ERROR"), *failed]
    return [written(folder / f"success{name}.csv", success), written(folder / f"error{name}.csv", error)]


def bulk_api(folder, done, failed, unprocessed=()):
    """The three result files of the Bulk API."""
    return [
        written(folder / "successful.csv", [("sf__Id", "sf__Created", "Id", "OwnerId"),
                                            *((i, "false", i, owner) for i, owner in done)]),
        written(folder / "failed.csv", [("sf__Id", "sf__Error", "Id", "OwnerId"),
                                        *(("", why, i, owner) for i, owner, why in failed)]),
        written(folder / "unprocessed.csv", [("Id", "OwnerId"), *unprocessed]),
    ]  # fmt: skip


def written(path, rows):
    """A CSV as Data Loader writes it: every field quoted, CRLF."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    path.write_bytes(text.getvalue().encode("utf-8"))
    return path
