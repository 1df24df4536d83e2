"""What a book looks like as it stands."""

from rebalancer.insight.calibration import Calibration, calibrate
from rebalancer.insight.csm_sizing import CsmSizing, csm_sizing
from rebalancer.insight.diagnosis import Diagnosis, diagnose
from rebalancer.insight.heatmap import Heatmap, heatmap, heatmap_report
from rebalancer.insight.holds import HoldsReport, holds
from rebalancer.insight.marginal import Marginal, marginal
from rebalancer.insight.organisations import Organisations, organisations
from rebalancer.insight.programme import ProgrammeReport, programme
from rebalancer.insight.scorecard import Scorecard, scorecard
from rebalancer.insight.service import Audit, audit
from rebalancer.insight.sizing import Sizing, SizingCheck, size, sizing_check
from rebalancer.insight.splits import SplitEffect, split_effect
from rebalancer.insight.touch_model import TouchReport, touch_model
from rebalancer.insight.triggers import TriggerReport, triggers

__all__ = [
    "Audit",
    "Calibration",
    "CsmSizing",
    "Diagnosis",
    "Heatmap",
    "HoldsReport",
    "Marginal",
    "Organisations",
    "ProgrammeReport",
    "Scorecard",
    "Sizing",
    "SizingCheck",
    "SplitEffect",
    "TouchReport",
    "TriggerReport",
    "audit",
    "calibrate",
    "csm_sizing",
    "diagnose",
    "heatmap",
    "heatmap_report",
    "holds",
    "marginal",
    "organisations",
    "programme",
    "scorecard",
    "size",
    "sizing_check",
    "split_effect",
    "touch_model",
    "triggers",
]
