"""Diagnostics of imputed cells and generated rows in words."""

from __future__ import annotations

from aetia.report.before.checks import Check
from aetia.report.before.table_answers import GenerationAnswers, ImputationAnswers

__all__ = ["check_generated", "check_imputed"]


def check_imputed(answers: ImputationAnswers) -> list[Check]:
    """Judge imputed cells.

    Args:
        answers: The cells and their check.

    Returns:
        Findings, each with a stable code.
    """
    checks = []
    hidden, facts = answers.hidden, answers.draws.diagnostics
    if hidden:
        ratio = hidden["rmse"] / hidden["rmse_of_mean"] if hidden["rmse_of_mean"] else 1.0
        checks.append(
            Check(
                "AG001",
                "good" if ratio < 0.95 else "look" if ratio <= 1.05 else "bad",
                f"The error on hidden cells is {ratio:.0%} of that of column means"
                + (
                    "."
                    if ratio < 0.95
                    else ": the other columns say little about them."
                    if ratio <= 1.05
                    else ": worse than column means. Few rows, or too few training steps?"
                ),
            )
        )
        share = {float(k): v for k, v in hidden["coverage"].items()}.get(0.9)
        if share is not None:
            gap = share - 0.9
            # Cells of one row go together, so more than the spread of independent ones is allowed.
            near = abs(gap) <= 1.5 * 2.6 * (0.09 / max(hidden["n_cells"], 1)) ** 0.5
            tail = "" if near else ": too narrow" if gap < 0 else ": wider than needed"
            checks.append(
                Check(
                    "AG002",
                    "good" if near else "bad" if gap < -0.1 else "look",
                    f"{share:.0%} of the hidden cells lie inside their 90 % intervals{tail}.",
                )
            )
    else:
        checks.append(Check("AG001", "look", "No cells were hidden to check the imputation."))
    rhat = facts.get("rhat_max")
    if rhat is not None and rhat == rhat:
        checks.append(
            Check(
                "AG003",
                "good" if rhat <= 1.1 else "look" if rhat <= 1.3 else "bad",
                f"The largest R-hat of the chains over missing cells is {rhat:.2f}"
                + ("." if rhat <= 1.1 else "; more draws or --set n_warmup=... mix better."),
            )
        )
    n, d = answers.draws.given.shape
    few = n < 300
    checks.append(
        Check(
            "AG004",
            "look" if few else "good",
            f"{n:,} rows for {d} columns"
            + (": few for a network; compare with a linear method." if few else "."),
        )
    )
    config = facts.get("config") or {}
    if config.get("missingness", "mar") == "mar":
        checks.append(
            Check(
                "AG005",
                "look",
                "Assumed: whether a cell is missing depends only on what was seen. If values hide "
                "themselves (large incomes are not told), use --missingness mnar.",
            )
        )
    return checks


def check_generated(answers: GenerationAnswers) -> list[Check]:
    """Judge generated rows.

    Args:
        answers: The rows and their comparison.

    Returns:
        Findings, each with a stable code.
    """
    checks = []
    auroc = answers.comparison.get("auroc")
    if auroc is not None:
        checks.append(
            Check(
                "AG101",
                "good" if auroc < 0.65 else "look" if auroc < 0.85 else "bad",
                f"A classifier tells generated from real rows with an AUROC of {auroc:.2f} "
                "(0.5: not at all, 1: always).",
            )
        )
    far = [c for c in answers.comparison["columns"] if c["distance"] > 0.15]
    worst = max(answers.comparison["columns"], key=lambda c: c["distance"])
    checks.append(
        Check(
            "AG102",
            "good" if not far else "look",
            f"{len(far)} of {len(answers.comparison['columns'])} columns differ clearly in their "
            f"distribution; most {worst['column']} (distance {worst['distance']:.2f}).",
        )
    )
    whole = [
        c["column"]
        for c in answers.comparison["columns"]
        if c["is_whole"] and not c.get("is_drawn_whole") and c["n_values"] > 2
    ]
    if whole:
        shown = ", ".join(whole[:5]) + (", ..." if len(whole) > 5 else "")
        checks.append(
            Check("AG103", "look", f"Whole numbers are drawn as continuous ones: {shown}.")
        )
    checks.append(
        Check(
            "AG104",
            "look",
            "Generated rows are no copies, but nothing here guarantees privacy.",
        )
    )
    return checks
