"""Runs as folders: results, files, checks, and pages made from what lies on disk."""

from typing import Any

from aetia.discovery.rcgnn.series_answers import SeriesAnswers, collect_series
from aetia.effects.answers import EffectAnswers, collect_effects
from aetia.effects.contrast import choose_contrast
from aetia.files import check_writable
from aetia.generation.comparison import compare_tables
from aetia.report.checks import CHECKS, Check, Finding, findings
from aetia.report.context import RunContext, WrittenRun
from aetia.report.kinds import KINDS, RunKind
from aetia.report.kinds.diffusion import DiffusionAnswers
from aetia.report.kinds.effect import effect_in_words
from aetia.report.kinds.experiment import ExperimentAnswers
from aetia.report.kinds.generation import GenerationAnswers, collect_generation
from aetia.report.kinds.graph import GraphAnswers, collect_graph
from aetia.report.kinds.health import health_records, write_health_pages
from aetia.report.kinds.imputation import ImputationAnswers, collect_imputation
from aetia.report.runs import rebuild_report, render_report, write_run
from aetia.results.completed_table import complete_cells, read_cells

__all__ = [
    "CHECKS",
    "KINDS",
    "Check",
    "DiffusionAnswers",
    "EffectAnswers",
    "ExperimentAnswers",
    "Finding",
    "GenerationAnswers",
    "GraphAnswers",
    "ImputationAnswers",
    "RunContext",
    "RunKind",
    "SeriesAnswers",
    "WrittenRun",
    "check_writable",
    "choose_contrast",
    "collect_effects",
    "collect_generation",
    "collect_graph",
    "collect_imputation",
    "collect_series",
    "compare_tables",
    "complete_cells",
    "effect_in_words",
    "findings",
    "health_records",
    "read_cells",
    "rebuild_report",
    "render_report",
    "write_health_pages",
    "write_run",
]


def __getattr__(name: str) -> Any:
    """Answer to the earlier name ``render_effect_report`` for one release."""
    if name != "render_effect_report":
        raise AttributeError(f"module 'aetia.report' has no attribute {name!r}")
    import warnings

    warnings.warn(
        "aetia.report.render_effect_report(answers, title=...) is now render_report('effect', "
        "answers, RunContext(title=...)); the next release will not know the old name.",
        FutureWarning,
        stacklevel=2,
    )
    return lambda answers, **context: render_report("effect", answers, RunContext(**context))
