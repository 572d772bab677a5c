"""Diagnostics of estimated effects in words."""

from __future__ import annotations

from aetia.report.before.checks import Check
from aetia.report.before.effect_answers import EffectAnswers

__all__ = ["check_effects"]


def check_effects(answers: EffectAnswers) -> list[Check]:
    """Judge estimated effects by what can be checked; confounding cannot.

    Args:
        answers: What a study says.

    Returns:
        Findings, each with a stable code.
    """
    verdict = answers.overlap.verdict()
    checks = [
        Check(
            "AF001",
            "bad" if answers.overlap.is_poor else "good",
            verdict[0].upper() + verdict[1:],
        )
    ]
    r2 = answers.scores.get("r2_y")
    if r2 is not None:
        checks.append(_fit(r2, is_out_of_fold=answers.facts.get("n_folds") != 1))
    checks += _calibration(answers)
    n = len(answers.rows)
    few = n < 200
    checks.append(
        Check(
            "AF004",
            "look" if few else "good",
            f"{n:,} units" + (": few; intervals rest on approximations." if few else "."),
        )
    )
    best, last = answers.facts.get("best_steps") or [], answers.facts.get("last_step") or 0
    if best and last and answers.facts.get("n_folds") != 1:
        late = sum(step >= last for step in best) / len(best)
        checks.append(
            Check(
                "AF005",
                "look" if late > 0.5 else "good",
                f"{late:.0%} of the networks were still improving when training ended"
                + (
                    "; more steps (--set n_egm_steps=...) may predict better."
                    if late > 0.5
                    else ", the others had passed their best held-out loss."
                ),
            )
        )
    rhat = max(
        (
            float(d["rhat_median"])
            for d in (answers.units.diagnostics, answers.average.diagnostics)
            if d.get("rhat_median") is not None
        ),
        default=None,
    )
    if rhat is not None:
        checks.append(
            Check(
                "AF006",
                "good" if rhat <= 1.05 else "look" if rhat <= 1.1 else "bad",
                f"The chains of the sampler have a median R-hat of {rhat:.2f}"
                + (": they agree." if rhat <= 1.05 else "; run them longer."),
            )
        )
    return checks


def _fit(r2: float, *, is_out_of_fold: bool) -> Check:
    if not is_out_of_fold:
        return Check(
            "AF002",
            "look",
            f"The networks predict the outcomes with R² {r2:.2f}, but there is one fold: they "
            "learned from most of them, so this and calibration cannot be judged.",
        )
    if r2 > 0.05:
        return Check(
            "AF002",
            "good",
            f"The outcomes of units that the networks never saw are predicted with R² {r2:.2f}.",
        )
    return Check(
        "AF002",
        "look",
        f"The outcomes of unseen units are not predicted better than by their mean (R² {r2:.2f}): "
        "effects of single units say little, averages rest on the correction.",
    )


def _calibration(answers: EffectAnswers) -> list[Check]:
    share = answers.coverage().get(0.9)
    if share is None or answers.ranks is None:
        return []
    tolerance = 2.6 * (0.9 * 0.1 / len(answers.ranks)) ** 0.5
    gap = share - 0.9
    near = abs(gap) <= tolerance + 0.02
    text = f"{share:.0%} of the outcomes lie inside their 90 % prediction intervals"
    if not near:
        text += (
            ": the intervals are too narrow for single outcomes"
            if gap < 0
            else ": the intervals are wider than needed"
        )
    return [Check("AF003", "good" if near else "bad" if gap < -0.1 else "look", text + ".")]
