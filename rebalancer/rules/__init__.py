"""The rules, one a file. `RULES` is the table of contents; its order is that of messages."""

from rebalancer.rules.accounts_limit import AccountsLimit
from rebalancer.rules.balance import Balance
from rebalancer.rules.blended_limit import BlendedLimit
from rebalancer.rules.budgets import Budgets
from rebalancer.rules.csm_load import CsmLoad
from rebalancer.rules.departures import Departures
from rebalancer.rules.fairness import Fairness
from rebalancer.rules.families import Families
from rebalancer.rules.fatigue import Fatigue
from rebalancer.rules.floor import Floor
from rebalancer.rules.global_programme import GlobalProgramme
from rebalancer.rules.locks import Locks
from rebalancer.rules.one_seat import OneSeat
from rebalancer.rules.open_headcount import OpenHeadcount
from rebalancer.rules.pod_continuity import PodContinuity
from rebalancer.rules.pod_size import PodSize
from rebalancer.rules.pods import Pods
from rebalancer.rules.pools import Pools
from rebalancer.rules.receiving import Receiving
from rebalancer.rules.refused import Refused
from rebalancer.rules.rule import Rule
from rebalancer.rules.tags import LANGUAGE, REGION, SKILL
from rebalancer.rules.tier_segmentation import TierSegmentation
from rebalancer.rules.units_cap import UnitsCap

ELIGIBILITY: tuple[Rule, ...] = (TierSegmentation(), REGION, LANGUAGE, SKILL)
"""Rules that say which accounts suit an AM; an owner who breaks one is a legacy owner."""

RULES: tuple[Rule, ...] = (
    OneSeat(),
    Departures(),
    Receiving(),
    OpenHeadcount(),
    *ELIGIBILITY,
    Pools(),
    Families(),
    Locks(),
    Refused(),
    Fatigue(),
    GlobalProgramme(),
    Pods(),
    PodContinuity(),
    PodSize(),
    UnitsCap(),
    AccountsLimit(),
    BlendedLimit(),
    CsmLoad(),
    Floor(),
    Budgets(),
    Fairness(),
    Balance(),
)

__all__ = ["ELIGIBILITY", "RULES", "Rule"]
