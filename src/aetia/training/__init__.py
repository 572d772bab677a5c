"""The one training loop, by steps, for every neural method."""

from __future__ import annotations

import warnings
from typing import Any

from aetia.training.checkpoints import load_checkpoint, save_checkpoint
from aetia.training.config import TrainingConfig
from aetia.training.diagnosis import USUAL_RANGES, TrainingFinding, diagnose
from aetia.training.gather import average_rows, gather_rows
from aetia.training.health import COMMON_SIGNALS, Healthy, read_record, verdicts
from aetia.training.learning_curves import learning_curves
from aetia.training.loop import train
from aetia.training.minibatches import minibatches
from aetia.training.parameter_groups import ParameterGroup
from aetia.training.phase import Phase
from aetia.training.processes import make_fabric
from aetia.training.rowwise_adam import RowwiseAdam
from aetia.training.run import Trained
from aetia.training.summary import SUMMARY_FILE, seed_record, write_summary
from aetia.training.terms import weigh
from aetia.training.trackers import TRACKERS, Tracker

__all__ = [
    "COMMON_SIGNALS",
    "SUMMARY_FILE",
    "TRACKERS",
    "USUAL_RANGES",
    "Healthy",
    "ParameterGroup",
    "Phase",
    "RowwiseAdam",
    "Tracker",
    "Trained",
    "TrainingConfig",
    "TrainingFinding",
    "average_rows",
    "diagnose",
    "gather_rows",
    "learning_curves",
    "load_checkpoint",
    "make_fabric",
    "minibatches",
    "read_record",
    "save_checkpoint",
    "seed_record",
    "train",
    "verdicts",
    "weigh",
    "write_summary",
]


def __getattr__(name: str) -> Any:
    """Answer to the earlier name of :class:`TrainingFinding` for one release."""
    if name != "Finding":
        raise AttributeError(f"module 'aetia.training' has no attribute {name!r}")
    warnings.warn(
        "aetia.training.Finding is now aetia.training.TrainingFinding; the next release will not "
        "know the old name.",
        FutureWarning,
        stacklevel=2,
    )
    return TrainingFinding
