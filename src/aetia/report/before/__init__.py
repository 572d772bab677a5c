"""The one-file HTML report and the run folder around it."""

from aetia.report.before.checks import Check, check_posterior
from aetia.report.before.completed_table import complete_cells, read_cells
from aetia.report.before.diffusion_report import write_diffusion_run
from aetia.report.before.effect_answers import EffectAnswers, choose_contrast, collect_effects
from aetia.report.before.effect_checks import check_effects
from aetia.report.before.effect_folder import average_facts, write_effect_run
from aetia.report.before.effect_report import effect_in_words, render_effect_report
from aetia.report.before.experiment_report import render_experiment_report
from aetia.report.before.generation_report import generation_in_words, render_generation_report
from aetia.report.before.graph_folder import write_run
from aetia.report.before.graph_report import render_graph_report
from aetia.report.before.health_folder import health_records, write_health_pages
from aetia.report.before.health_report import health_in_words, render_health_report
from aetia.report.before.imputation_report import imputation_in_words, render_imputation_report
from aetia.report.before.rebuilding import rebuild_report
from aetia.report.before.run_folder import check_writable
from aetia.report.before.series_answers import SeriesAnswers, collect_series
from aetia.report.before.series_checks import check_series
from aetia.report.before.series_folder import write_series_run
from aetia.report.before.series_report import compare_series, render_series_report, series_in_words
from aetia.report.before.table_answers import (
    GenerationAnswers,
    ImputationAnswers,
    compare_tables,
    model_facts,
)
from aetia.report.before.table_checks import check_generated, check_imputed
from aetia.report.before.table_folder import write_generation_run, write_imputation_run

__all__ = [
    "Check",
    "EffectAnswers",
    "GenerationAnswers",
    "ImputationAnswers",
    "SeriesAnswers",
    "average_facts",
    "check_effects",
    "check_generated",
    "check_imputed",
    "check_posterior",
    "check_series",
    "check_writable",
    "choose_contrast",
    "collect_effects",
    "collect_series",
    "compare_series",
    "compare_tables",
    "complete_cells",
    "effect_in_words",
    "generation_in_words",
    "health_in_words",
    "health_records",
    "imputation_in_words",
    "model_facts",
    "read_cells",
    "rebuild_report",
    "render_effect_report",
    "render_experiment_report",
    "render_generation_report",
    "render_graph_report",
    "render_health_report",
    "render_imputation_report",
    "render_series_report",
    "series_in_words",
    "write_diffusion_run",
    "write_effect_run",
    "write_generation_run",
    "write_health_pages",
    "write_imputation_run",
    "write_run",
    "write_series_run",
]
