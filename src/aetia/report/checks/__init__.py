"""What is checked on results: one function a check, all in one table."""

from aetia.report.checks.table import CHECKS, Check, Finding, findings
from aetia.report.checks.training import training_findings

__all__ = ["CHECKS", "Check", "Finding", "findings", "training_findings"]
