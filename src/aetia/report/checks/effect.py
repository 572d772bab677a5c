"""Checks of estimated effects; confounding cannot be checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aetia.report.checks.table import Said, check

if TYPE_CHECKING:
    from aetia.effects.answers import EffectAnswers


@check("AF001", "Comparable units", kind="effect", severity="bad")
def overlap(answers: EffectAnswers) -> Said:
    """Whether units alike in their covariates received different levels of the treatment.

    Without them effects are extrapolated: compare fewer doses, or units that could have received
    both levels.
    """
    verdict = answers.overlap.verdict()
    yield "bad" if answers.overlap.is_poor else "good", verdict[0].upper() + verdict[1:]


@check("AF002", "Prediction of outcomes", kind="effect", severity="look")
def prediction(answers: EffectAnswers) -> Said:
    """How well the outcomes of units that the networks never saw are predicted.

    No better than by their mean: effects of single units say little, averages rest on the
    correction by residuals. With one fold this cannot be judged.
    """
    r2 = answers.scores.get("r2_y")
    if r2 is None:
        return
    if answers.training.get("n_folds") == 1:
        yield (
            "look",
            f"The networks predict the outcomes with R² {r2:.2f}, but there is one fold: they "
            "learned from most of them, so this and calibration cannot be judged.",
        )
    elif r2 > 0.05:
        yield (
            "good",
            f"The outcomes of units that the networks never saw are predicted with R² {r2:.2f}.",
        )
    else:
        yield (
            "look",
            "The outcomes of unseen units are not predicted better than by their mean (R² "
            f"{r2:.2f}): effects of single units say little, averages rest on the correction.",
        )


@check("AF003", "Prediction intervals", kind="effect", severity="bad")
def calibration(answers: EffectAnswers) -> Said:
    """Whether 90 % of the outcomes lie inside their 90 % prediction intervals.

    Below 80 % single outcomes are stated with too much certainty; intervals of averages may still
    hold.
    """
    share = answers.coverage().get(0.9)
    if share is None or answers.ranks is None:
        return
    tolerance = 2.6 * (0.9 * 0.1 / len(answers.ranks)) ** 0.5
    gap = share - 0.9
    near = abs(gap) <= tolerance + 0.02
    text = f"{share:.0%} of the outcomes lie inside their 90 % prediction intervals"
    if not near and gap < 0:
        text += ": the intervals are too narrow for single outcomes"
    elif not near:
        text += ": the intervals are wider than needed"
    yield "good" if near else "bad" if gap < -0.1 else "look", text + "."


@check("AF004", "Number of units", kind="effect", severity="look")
def units(answers: EffectAnswers) -> Said:
    """Whether there are 200 units or more; with fewer, intervals rest on approximations."""
    n = len(answers.rows)
    few = n < 200
    yield (
        "look" if few else "good",
        f"{n:,} units" + (": few; intervals rest on approximations." if few else "."),
    )


@check("AF005", "Length of the training", kind="effect", severity="look")
def steps(answers: EffectAnswers) -> Said:
    """Whether most networks had passed their best loss on validation rows when training ended.

    If not, more steps (--set n_egm_steps=...) may predict better.
    """
    told = answers.training
    best, last = told.get("best_steps") or [], told.get("last_step") or 0
    if not best or not last or told.get("n_folds") == 1:
        return
    late = sum(step >= last for step in best) / len(best)
    yield (
        "look" if late > 0.5 else "good",
        f"{late:.0%} of the networks were still improving when training ended"
        + (
            "; more steps (--set n_egm_steps=...) may predict better."
            if late > 0.5
            else ", the others had passed their best held-out loss."
        ),
    )


@check("AF006", "Agreement of the chains", kind="effect", severity="bad")
def chains(answers: EffectAnswers) -> Said:
    """Whether the chains of the sampler agree: a median R-hat of at most 1.05; else run longer."""
    found = [d.diagnostics.get("rhat_median") for d in (answers.units, answers.average)]
    known = [float(rhat) for rhat in found if rhat is not None]
    if not known:
        return
    rhat = max(known)
    yield (
        "good" if rhat <= 1.05 else "look" if rhat <= 1.1 else "bad",
        f"The chains of the sampler have a median R-hat of {rhat:.2f}"
        + (": they agree." if rhat <= 1.05 else "; run them longer."),
    )
