"""Inputs: what a run was made from, as the files of its `inputs/` folder."""

from __future__ import annotations

import csv
import hashlib

import pandas as pd

from rebalancer.book import Book
from rebalancer.coverage import CoverageModel


def input_files(book: Book, model: CoverageModel) -> dict[str, str]:
    """The files of `inputs/`: canonical tables, the resolved model, and the effective date."""
    files = {f"{name}.csv": csv_text(frame) for name, frame in book.text_tables().items()}
    files["model.toml"] = model.to_toml()
    files["book.toml"] = f"effective_date = {book.effective_date.isoformat()}\n"
    return files


def input_hashes(book: Book, model: CoverageModel) -> dict[str, str]:
    """sha256 of every file of `inputs/`."""
    return {name: digest(text) for name, text in sorted(input_files(book, model).items())}


def csv_text(frame: pd.DataFrame) -> str:
    """A frame of text as CSV with LF line ends."""
    text = frame.to_csv(index=False, lineterminator="\n")
    if "\r" in text:  # Python's csv leaves a field with a bare CR unquoted, and would read it back as two rows
        text = frame.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_ALL)
    return text


def digest(text: str) -> str:
    """sha256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
