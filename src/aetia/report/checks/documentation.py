"""The page of the documentation about checks, made from their table."""

from __future__ import annotations

from aetia.report.checks.table import CHECKS
from aetia.report.checks.training import TRAINING_TITLES

__all__ = ["checks_page"]

_KINDS = {
    "graph": "Graphs behind a table",
    "series": "Graphs of sensors",
    "effect": "Effects of a treatment",
    "imputation": "Imputed cells",
    "generation": "Generated rows",
    "diffusion": "Experiments with diffusion models",
}


def checks_page() -> str:
    """Write ``docs/checks.md``.

    Returns:
        Markdown.
    """
    lines = [
        "# What is checked",
        "",
        "<!-- Made from the table of checks by aetia.report.checks.checks_page. -->",
        "",
        "Every report answers the question “Can it be trusted?” by checks. Each has a code that",
        "stays the same between versions, and says `good`, `look` (it deserves a look) or `bad`.",
        "The command line prints those that are not good, `--json` lists all. `--mute AE004`",
        "leaves a check out that you have dealt with.",
        "",
    ]
    for kind, heading in _KINDS.items():
        lines += [
            f"## {heading}",
            "",
            "| code | what is checked | at worst | |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {c.code} | {c.title} | {c.severity} | {c.advice} |"
            for c in CHECKS.values()
            if c.kind == kind
        ]
        lines.append("")
    lines += [
        "## Trainings",
        "",
        "Explained in [health](health.md).",
        "",
        "| code | what is checked |",
    ]
    lines += ["|---|---|", *(f"| {code} | {title} |" for code, title in TRAINING_TITLES.items())]
    return "\n".join([*lines, ""])
