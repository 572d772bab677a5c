"""Checks of imputed cells, of generated rows, and of the training of diffusion models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aetia.report.checks.table import Said, check

if TYPE_CHECKING:
    from aetia.report.kinds.diffusion import DiffusionAnswers
    from aetia.report.kinds.generation import GenerationAnswers
    from aetia.report.kinds.imputation import ImputationAnswers


@check("AG001", "Error on hidden cells", kind="imputation", severity="bad")
def hidden_error(answers: ImputationAnswers) -> Said:
    """How far imputations of cells that were hidden on purpose are off, beside column means.

    Near 100 %: the other columns say little about the missing cells. Above: too few rows, or too
    few training steps.
    """
    hidden = answers.hidden
    if not hidden:
        yield "look", "No cells were hidden to check the imputation."
        return
    ratio = hidden["rmse"] / hidden["rmse_of_mean"] if hidden["rmse_of_mean"] else 1.0
    text = f"The error on hidden cells is {ratio:.0%} of that of column means"
    if ratio < 0.95:
        yield "good", f"{text}."
    elif ratio <= 1.05:
        yield "look", f"{text}: the other columns say little about them."
    else:
        yield "bad", f"{text}: worse than column means. Few rows, or too few training steps?"


@check("AG002", "Intervals of hidden cells", kind="imputation", severity="bad")
def hidden_coverage(answers: ImputationAnswers) -> Said:
    """Whether 90 % of the hidden cells lie inside their 90 % intervals."""
    hidden = answers.hidden
    share = {float(k): v for k, v in hidden.get("coverage", {}).items()}.get(0.9)
    if share is None:
        return
    gap = share - 0.9
    # Cells of one row go together, so more than the spread of independent ones is allowed.
    near = abs(gap) <= 1.5 * 2.6 * (0.09 / max(hidden["n_cells"], 1)) ** 0.5
    tail = "" if near else ": too narrow" if gap < 0 else ": wider than needed"
    yield (
        "good" if near else "bad" if gap < -0.1 else "look",
        f"{share:.0%} of the hidden cells lie inside their 90 % intervals{tail}.",
    )


@check("AG003", "Agreement of the chains", kind="imputation", severity="bad")
def chains(answers: ImputationAnswers) -> Said:
    """The largest R-hat of the chains over missing cells; above 1.1, draw more or longer."""
    rhat = answers.draws.diagnostics.get("rhat_max")
    if rhat is None or rhat != rhat:
        return
    yield (
        "good" if rhat <= 1.1 else "look" if rhat <= 1.3 else "bad",
        f"The largest R-hat of the chains over missing cells is {rhat:.2f}"
        + ("." if rhat <= 1.1 else "; more draws or --set n_warmup=... mix better."),
    )


@check("AG004", "Number of rows", kind="imputation", severity="look")
def rows(answers: ImputationAnswers) -> Said:
    """Whether there are 300 rows or more; with fewer, compare with a linear method."""
    n, d = answers.draws.given.shape
    few = n < 300
    yield (
        "look" if few else "good",
        f"{n:,} rows for {d} columns"
        + (": few for a network; compare with a linear method." if few else "."),
    )


@check("AG005", "Why cells are missing", kind="imputation", severity="look")
def missingness(answers: ImputationAnswers) -> Said:
    """What is assumed about why cells are missing; no data can show that it holds.

    If values hide themselves, use --missingness mnar.
    """
    if answers.facts.config.get("missingness", "mar") == "mar":
        yield (
            "look",
            "Assumed: whether a cell is missing depends only on what was seen. If values hide "
            "themselves (large incomes are not told), use --missingness mnar.",
        )


@check("AG101", "Discriminating real from generated rows", kind="generation", severity="bad")
def discrimination(answers: GenerationAnswers) -> Said:
    """How well a classifier discriminates generated from real rows, out of fold.

    An AUROC of 0.5 means not at all. Above 0.65, look at the columns that differ, and train longer.
    """
    auroc = answers.comparison.get("auroc")
    if auroc is not None:
        yield (
            "good" if auroc < 0.65 else "look" if auroc < 0.85 else "bad",
            f"A classifier discriminates generated from real rows with an AUROC of {auroc:.2f} "
            "(0.5: not at all, 1: always).",
        )


@check("AG102", "Distributions of the columns", kind="generation", severity="look")
def columns(answers: GenerationAnswers) -> Said:
    """How many columns have a distance of more than 0.15 (Kolmogorov-Smirnov) from the table's."""
    compared = answers.comparison["columns"]
    n_far = sum(c["distance"] > 0.15 for c in compared)
    worst = max(compared, key=lambda c: c["distance"])
    yield (
        "look" if n_far else "good",
        f"{n_far} of {len(compared)} columns differ clearly in their distribution; most "
        f"{worst['column']} (distance {worst['distance']:.2f}).",
    )


@check("AG103", "Whole numbers", kind="generation", severity="look")
def whole_numbers(answers: GenerationAnswers) -> Said:
    """Which columns of whole numbers are drawn as continuous ones; round them if that matters."""
    whole = [
        c["column"]
        for c in answers.comparison["columns"]
        if c["is_whole"] and not c.get("is_drawn_whole") and c["n_values"] > 2
    ]
    if whole:
        shown = ", ".join(whole[:5]) + (", ..." if len(whole) > 5 else "")
        yield "look", f"Whole numbers are drawn as continuous ones: {shown}."


@check("AG104", "Privacy", kind="generation", severity="look")
def privacy(answers: GenerationAnswers) -> Said:
    """Rows of the table can be near generated ones: do not publish them as anonymous data."""
    yield "look", "Generated rows are no copies, but nothing here guarantees privacy."


@check("AE601", "Signals of the training", kind="diffusion", severity="look")
def signals(answers: DiffusionAnswers) -> Said:
    """What the training recorded beside its healthy range; the health page shows the curves."""
    for signal, text in answers.verdicts.items():
        yield "good" if text == "ok" else "look", f"{signal}: {text}."
