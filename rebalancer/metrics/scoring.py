"""Who is scored and by what: books, teams and everybody, with values of their own where accounts have none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from rebalancer.metrics.contacts import Contacts, read_contacts
from rebalancer.metrics.health import health_frame
from rebalancer.metrics.opportunities import Deals, read_deals
from rebalancer.metrics.readings import Known, Readings, read_metrics, teams_of
from rebalancer.metrics.tally import Sums, Tally, book_codes
from rebalancer.quarters import Quarter
from rebalancer.snapshot import Snapshot
from rebalancer.tables import TIERS


@dataclass(frozen=True)
class Cut:
    """The order of all figures: each book, nobody (accounts without an owner), each manager's team, everybody."""

    books: int
    team: np.ndarray
    """The team of each book and of nobody; the last number is that of books without a manager."""
    teams: int

    def spread(self, sums: Sums) -> Sums:
        """Sums by book and nobody, followed by those of teams and of everybody."""
        by_team = sums.merged(self.team, self.teams + 1)
        part, whole = (
            np.concatenate([own, team[: self.teams], [own.sum()]])
            for own, team in ((sums.part, by_team.part), (sums.whole, by_team.whole))
        )
        return Sums(part, whole)


def cut_of(snapshot: Snapshot) -> Cut:
    """Books and teams of a snapshot."""
    teams = teams_of(snapshot)
    place = {name: number for number, name in enumerate(teams)}
    team = [place.get(str(manager), len(teams)) for manager in snapshot.ams.manager]
    return Cut(len(snapshot.ams), np.array([*team, len(teams)]), len(teams))


@dataclass(frozen=True)
class Scoring:
    """What the figures of a scorecard are worked out from."""

    snapshot: Snapshot
    readings: Readings
    deals: Deals
    contacts: Contacts
    now: Quarter
    """The quarter scored; only there do values without a date count."""
    known: dict[tuple[str, Quarter, str], Known] = field(default_factory=dict)
    """What `latest` has found already."""

    @cached_property
    def cut(self) -> Cut:
        """Books and teams."""
        return cut_of(self.snapshot)

    @cached_property
    def key(self) -> np.ndarray:
        """Flags of the accounts that the strategic layer looks at."""
        tiers = np.array([tier in self.snapshot.model.scorecard.key_tiers for tier in TIERS])
        return tiers[self.snapshot.accounts.tier]

    @cached_property
    def health(self) -> pd.DataFrame:
        """The health scores of the quarter scored; see `health.health_frame`."""
        return health_frame(self.snapshot, self.readings, self.day(self.now), today=self.undated(self.now))

    def undated(self, quarter: Quarter) -> bool:
        """Whether values without a date count: they are today's, so in the running or the last full quarter."""
        return quarter == self.now and quarter >= Quarter.of(self.snapshot.book.effective_date).previous

    def day(self, quarter: Quarter) -> date:
        """The day as of which a quarter is scored: its last, or the effective date where that is earlier."""
        return min(quarter.end, self.snapshot.book.effective_date)

    def latest(self, name: str, quarter: Quarter, subject: str = "account") -> Known:
        """The last value of each account, AM or team as of a quarter, if it is still valid."""
        asked = (name, quarter, subject)
        if asked not in self.known:
            day, days, undated = self.day(quarter), self.snapshot.model.scorecard.valid_days, self.undated(quarter)
            self.known[asked] = self.readings.latest(name, day, days, subject, undated=undated)
        return self.known[asked]

    def spread(self, figure: Tally | Sums) -> Sums:
        """What accounts or books add up to, in the order of `Cut`."""
        if isinstance(figure, Tally):
            code = book_codes(self.snapshot.accounts.owner, self.cut.books)
            figure = figure.by(code, self.cut.books + 1)
        return self.cut.spread(figure)

    def own(self, name: str, quarter: Quarter, which: str) -> Sums:
        """`value` or `target` of the rows of AMs and teams themselves, in the order of `Cut`."""
        am, team = (getattr(self.latest(name, quarter, subject), which) for subject in ("am", "team"))
        return _said(np.concatenate([am, [np.nan], team]))

    def own_averaged(self, name: str, quarter: Quarter, which: str) -> Sums:
        """The average over the AMs' own rows for each team and everybody; over the teams' rows where no AM has one."""
        am, team = (getattr(self.latest(name, quarter, subject), which) for subject in ("am", "team"))
        teams = _said(team)
        nothing = np.zeros(self.cut.books + 1 + self.cut.teams)
        everybody = Sums(np.append(nothing, teams.part.sum()), np.append(nothing, teams.whole.sum()))
        return self.cut.spread(_said(np.append(am, np.nan))).or_else(everybody)


def _said(values: np.ndarray) -> Sums:
    return Sums(np.nan_to_num(values), (~np.isnan(values)).astype(np.float64))


def scoring_of(snapshot: Snapshot, quarter: Quarter) -> Scoring:
    """What the figures of a quarter are worked out from."""
    return Scoring(snapshot, read_metrics(snapshot), read_deals(snapshot), read_contacts(snapshot), quarter)
