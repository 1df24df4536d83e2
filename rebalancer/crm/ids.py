"""Salesforce ids of accounts and users: what is one, and its form of 18 characters."""

from __future__ import annotations

import re

from rebalancer.reading.ids import id18

ACCOUNT, USER = "001", "005"
"""The first three characters of an id say of which object it is."""

KINDS = {ACCOUNT: "account", USER: "user"}
SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


class NotAnIdError(ValueError):
    """Why a text is no Salesforce id of the kind asked for, as the end of a sentence that begins with the text."""


def whole_id(text: str, prefix: str) -> str:
    """The id with 18 characters; one of 15 gets the three that tell its capitals. Raises `NotAnIdError`.

    An id of 18 whose last three characters do not fit the others was damaged on the way and is refused.
    """
    if not SHAPE.fullmatch(text):
        raise NotAnIdError("is no Salesforce id")
    if not text.startswith(prefix):
        raise NotAnIdError(f"is no id of a Salesforce {KINDS[prefix]}, which begins with {prefix}")
    whole = id18(text[:15])
    if len(text) == 18 and text != whole:
        raise NotAnIdError(f"is damaged: for its other characters the last three would be {whole[15:]}")
    return whole


def is_id(text: str, prefix: str) -> bool:
    """Whether `whole_id` would take it."""
    try:
        whole_id(text, prefix)
    except NotAnIdError:
        return False
    return True
