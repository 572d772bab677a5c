"""A corruption in sentences."""

from __future__ import annotations

from aetia.scm.corruption.options import Corruption

__all__ = ["corruption_in_words"]


def corruption_in_words(options: Corruption) -> list[str]:
    """Say what is done to the true values, in the order in which it is done.

    Args:
        options: What to do.

    Returns:
        Sentences.
    """
    lines = []
    if options.gain is not None:
        lines.append(
            f"Each sensor was multiplied by a gain from {options.gain[0]} to {options.gain[1]}."
        )
    if options.offset:
        lines.append(
            f"Each sensor got an offset of up to {options.offset} of its standard deviation."
        )
    if options.nonlinear is not None:
        lines.append(
            f"Each sensor answers by a curve: powers 2 to {options.nonlinear.degree} of the true "
            f"value were added, with coefficients of size {options.nonlinear.size} / power."
        )
    if options.noise:
        lines.append(
            f"White noise of {options.noise} standard deviations was added"
            + (", more for values far from the mean." if options.heteroscedastic else ".")
        )
    if options.outliers is not None:
        lines.append(
            f"{options.outliers.rate:.0%} of the readings are outliers, off by up to "
            f"{options.outliers.size} standard deviations."
        )
    if options.drift:
        lines.append(
            f"Each sensor drifts through the whole recording, with innovations of {options.drift} "
            "standard deviations."
        )
    if options.stuck is not None:
        lines.append(
            f"Sensors are stuck at their last reading for {options.stuck.rate:.0%} of the time, in "
            f"spells of {options.stuck.mean_length} steps on average. Nothing marks these readings."
        )
    if options.missing is not None:
        why = {
            "mcar": "by chance",
            "mar": "where two other sensors, which lose nothing, say so",
            "mnar-self": "more often the higher the true value is",
            "mnar-threshold": "where the true value is highest",
            "mnar-extreme": "where the true value is highest or lowest",
            "mnar-structural": "where the true values of a sensor's causes say so",
        }[options.missing.kind]
        lines.append(f"{options.missing.rate:.0%} of the cells of a sensor are lost, {why}.")
    if options.dead is not None:
        lines.append(
            f"Sensors give no reading for {options.dead.rate:.0%} of the time, in spells of "
            f"{options.dead.mean_length} steps on average."
        )
    return lines or ["Nothing was corrupted."]
