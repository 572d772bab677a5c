"""The one-file HTML report and the run folder around it."""

from aetia.report.checks import Check, check_posterior
from aetia.report.experiment_report import render_experiment_report
from aetia.report.graph_report import render_graph_report
from aetia.report.run_folder import check_writable, rebuild_report, write_run

__all__ = [
    "Check",
    "check_posterior",
    "check_writable",
    "rebuild_report",
    "render_experiment_report",
    "render_graph_report",
    "write_run",
]
