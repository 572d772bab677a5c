"""What is checked on results: one function a check, all in one table."""

from aetia.report.checks import effect, graph, series, tables  # noqa: F401  they fill the table
from aetia.report.checks.documentation import checks_page
from aetia.report.checks.table import CHECKS, Check, Finding, findings
from aetia.report.checks.training import training_findings

__all__ = ["CHECKS", "Check", "Finding", "checks_page", "findings", "training_findings"]
