"""How many latents each role needs, by sliced inverse regression and principal components."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from aetia.effects.causalbgm.generative import LatentRoles

__all__ = ["latent_dimensions", "sliced_inverse_dimension"]


def sliced_inverse_dimension(
    covariates: Float[np.ndarray, "n p"],
    target: Float[np.ndarray, " n"],
    *,
    n_slices: int = 10,
    share: float = 0.8,
) -> int:
    """Estimate the dimension of what a target depends on (Li, 1991).

    Args:
        covariates: Complete columns.
        target: Treatment or outcome.
        n_slices: Groups of units with neighbouring targets.
        share: Share of the variance between the groups' means that must be explained.

    Returns:
        The smallest number of directions that explain it, at least 1.
    """
    centred = covariates - covariates.mean(0)
    root, _ = np.linalg.qr(centred)
    white = root * np.sqrt(len(centred))
    distinct, rank = np.unique(target, return_inverse=True)
    if len(distinct) <= n_slices:  # units with the same target belong together
        groups = [np.flatnonzero(rank == k) for k in range(len(distinct))]
    else:
        order = np.argsort(target, kind="stable")
        groups = [g for g in np.array_split(order, n_slices) if len(g)]
    means = np.array([white[g].mean(0) for g in groups])
    sizes = np.array([len(g) for g in groups]) / len(target)
    variances = np.linalg.eigvalsh((means * sizes[:, None]).T @ means)[::-1]
    if variances.sum() <= 0:
        return 1
    return int(np.searchsorted(np.cumsum(variances) / variances.sum(), share) + 1)


def latent_dimensions(
    covariates: Float[np.ndarray, "n p"],
    treatment: Float[np.ndarray, " n"],
    outcome: Float[np.ndarray, " n"],
    *,
    confounder: int = 3,
    share: float = 0.7,
    largest: int = 64,
    smallest_rest: int = 3,
) -> LatentRoles:
    """Choose the sizes of the four roles, as the original package's estimator does.

    Args:
        covariates: Complete columns.
        treatment: Treatment of every unit.
        outcome: Outcome of every unit.
        confounder: Number of confounding latents, which the data do not tell.
        share: Share of the covariates' variance that all latents together should explain.
        largest: Bound of their number.
        smallest_rest: Lower bound of the last role.

    Returns:
        The sizes.
    """
    sd = covariates.std(0)
    standard = (covariates - covariates.mean(0)) / np.where(sd > 0, sd, 1.0)
    for_outcome = sliced_inverse_dimension(standard, outcome)
    for_treatment = sliced_inverse_dimension(standard, treatment)
    variances = np.linalg.svd(standard, compute_uv=False) ** 2
    total = int(np.searchsorted(np.cumsum(variances) / variances.sum(), share) + 1)
    rest = min(total, largest) - confounder - for_outcome - for_treatment
    return LatentRoles(confounder, for_outcome, for_treatment, max(rest, smallest_rest))
