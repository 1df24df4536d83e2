"""What was decided, carried along: the file `decisions.csv` of a run that came of a review."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from rebalancer.errors import RebalancerError
from rebalancer.inputs import csv_text
from rebalancer.proposal import Proposal
from rebalancer.tables import to_text

FILE = "decisions.csv"
COLUMNS = ["account_id", "decision", "am_id", "comment", "alone_overload", "alone_disruption", "run_id"]


def earlier(run: str | Path) -> pd.DataFrame:
    """The decisions that a run came of (`COLUMNS`, text); no rows where it came of none."""
    file = Path(run) / FILE
    if not file.is_file():
        return pd.DataFrame(columns=COLUMNS, dtype=object)
    try:
        found = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8").astype(object)
        return found[COLUMNS]
    except (OSError, ValueError, KeyError) as error:
        raise RebalancerError(f"{file} can't be read: {error}. Check the run with `rebalancer verify`.") from None


def carried(before: pd.DataFrame, decisions: pd.DataFrame, comments: Mapping[str, str], run_id: str) -> pd.DataFrame:
    """Earlier decisions with those of a review over them, by account; comments without a decision are rows as well."""
    new = decisions.assign(run_id=run_id)[COLUMNS]
    alone = [account for account in comments if account not in set(new["account_id"])]
    rows = [{"account_id": account, "comment": comments[account], "run_id": run_id} for account in alone]
    words = pd.DataFrame(rows, columns=COLUMNS).astype(object).fillna("")
    words = words.set_index("account_id")
    old = before.set_index("account_id")
    both = words.index.intersection(old.index)
    old.loc[both, "comment"] = words.loc[both, "comment"]
    parts = [to_text(new), words.drop(both).reset_index(), old.reset_index()]
    whole = pd.concat([part.astype(object) for part in parts if len(part)] or [before])
    return whole.drop_duplicates("account_id")[COLUMNS].sort_values("account_id", ignore_index=True)


def file_of(decisions: pd.DataFrame) -> bytes:
    """The bytes of the file."""
    return csv_text(decisions).encode("utf-8")


def written(decisions: pd.DataFrame, proposal: Proposal) -> tuple[dict[str, str], dict[str, str]]:
    """What moves.xlsx of the new run shows already, by account: Approve where it moves as decided, and comments."""
    wanted = dict(zip(decisions["account_id"], decisions["am_id"], strict=True))
    moves = proposal.moves
    pairs = zip(moves["account_id"], moves["to_am"], strict=True)
    agreed = [account for account, am in pairs if wanted.get(account) == am]
    said = zip(decisions["account_id"], decisions["comment"], strict=True)
    comments = {account: text for account, text in said if text}
    return dict.fromkeys(agreed, "Approve"), comments
