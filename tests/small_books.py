"""Small books for tests of what lies above the rules, as text, as a `Book` and as a directory."""

import io

import pandas as pd

from rebalancer.book import Book

DAY = "2026-01-15"

ACCOUNTS = """account_id,name,owner,arr,tier
A-01,Acme,M-1,300000,enterprise
A-02,Bolt,M-1,200000,enterprise
A-03,Core,M-1,150000,enterprise
A-04,Dune,M-1,120000,enterprise
A-05,Echo,M-2,110000,enterprise
A-06,Fjord,,100000,enterprise
A-07,Gale,M-3,90000,mid_market
"""
"""M-1 is over its 15 units, A-06 has no owner, M-3 leaves."""

AMS = """am_id,name,capacity,leaves_on
M-1,Ann,15,
M-2,Ben,20,
M-3,Cy,15,2026-01-01
"""

TIGHT_AMS = AMS.replace("M-2,Ben,20", "M-2,Ben,15")
"""Two units short."""

WIDE_AMS = """am_id,name,capacity
M-1,Ann,100
M-2,Ben,100
M-3,Cy,100
"""

OWNED = ACCOUNTS.replace("A-06,Fjord,,", "A-06,Fjord,M-2,")
"""Nothing has to move in `WIDE_AMS`."""

CSMS = "csm_id,name\nC-1,Dee\nC-2,Eli\n"
PODS = "pod_id,am_id,csm_id\nP-1,M-1,C-1\nP-2,M-2,C-2\n"
WITH_CSMS = "account_id,name,owner,arr,tier,csm\n" + "\n".join(
    f"{line},{'C-2' if ',M-2,' in line else 'C-1'}" for line in ACCOUNTS.splitlines()[1:]
)


def frame(text):
    """A table of text."""
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def book_of(accounts=ACCOUNTS, ams=AMS, **others):
    """A book of tables written as CSV, on `DAY`."""
    tables = {name: frame(text) for name, text in others.items()}
    return Book.from_frames(frame(accounts), frame(ams), effective_date=DAY, **tables)


def write_book(folder, accounts=ACCOUNTS, ams=AMS, settings="", **others):
    """A book directory of tables written as CSV, on `DAY`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"accounts": accounts, "ams": ams, **others}.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    (folder / "book.toml").write_text(f"effective_date = {DAY}\n{settings}", encoding="utf-8")
    return folder


def bytes_of(folder):
    """The bytes of every file under a directory, by name."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
