"""A fitted ensemble and its study: what every question is asked of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.correction import (
    arm_scores,
    bootstrap_weights,
    corrected_dose_response,
    spline_knots,
    widened_by_folds,
)
from aetia.effects.causalbgm.dose_distribution import DoseDistribution
from aetia.effects.causalbgm.folds import Folds, out_of_fold
from aetia.effects.causalbgm.generative import (
    Mechanisms,
    Units,
    outcome_distribution,
    treatment_distribution,
)
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.networks import Networks
from aetia.effects.causalbgm.study_table import StudyTable

__all__ = ["Averages", "Fitted", "level_distributions"]


class LevelDistributions(NamedTuple):
    """Normal distributions of the outcome under some levels, in the networks' units."""

    mean: Float[Tensor, "*draws n levels"]
    variance: Float[Tensor, "*draws n levels"]


class Averages(NamedTuple):
    """Draws of averages over units, in the user's units."""

    means: Float[np.ndarray, "draws levels"]
    """Mean potential outcomes."""
    single: Float[np.ndarray, "draws levels"]
    """Potential outcomes of one unit, drawn at random, noise included."""


def level_distributions(
    mechanisms: Mechanisms,
    networks: Networks,
    z: Float[Tensor, "*draws n latents"],
    levels: Float[np.ndarray, " levels"],
) -> LevelDistributions:
    """Compute the distribution of every unit's outcome under every level.

    Args:
        mechanisms: Weights.
        networks: The ensemble, which knows the roles of the latents.
        z: Latents.
        levels: Levels of the treatment, in the networks' units.

    Returns:
        Means and variances.
    """
    outcomes = [
        outcome_distribution(
            mechanisms, networks.roles, z, z.new_full((z.shape[-2],), float(level))
        )
        for level in levels
    ]
    return LevelDistributions(
        torch.stack([one.mean[..., 0] for one in outcomes], -1),
        torch.stack([one.variance[..., 0] for one in outcomes], -1),
    )


@dataclass(eq=False)
class Fitted:
    """Networks, prior, folds and study.

    Attributes:
        networks: The ensemble, with its chosen weights.
        prior: Prior of the latents.
        folds: Folds of the units: which members hold out which units.
        table: The study, on the CPU.
        units: The study, on the device of the networks.
        segments: Labels of the units, for a conditional prior.
        latents: Latents of the units after iterative updating; None without it.
        rows: The health record of both phases.
        held_out: Mean loss of every member on its held-out units.
        best_step: Step of every member's weights.
    """

    networks: Networks
    prior: LatentPrior
    folds: Folds
    table: StudyTable
    units: Units
    segments: Int[Tensor, " n"] | None = None
    latents: Float[Tensor, "members n latents"] | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    held_out: Float[np.ndarray, " members"] = field(default_factory=lambda: np.zeros(0))
    best_step: Int[np.ndarray, " members"] = field(default_factory=lambda: np.zeros(0, int))

    @torch.no_grad()
    def encoded(self, units: Units) -> Float[Tensor, "members n latents"]:
        """Encode units by every member.

        Args:
            units: Their covariates.

        Returns:
            Latents.
        """
        return self.networks.encode(units.covariates, units.observed)

    def in_outcome_units(self, scaled: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Undo the scaling of outcomes.

        Args:
            scaled: Outcomes in the networks' units.

        Returns:
            In the user's.
        """
        centre, scale = self.table.outcome_scale
        return centre + scale * scaled

    @torch.no_grad()
    def out_of_fold_distributions(
        self, levels: Float[np.ndarray, " levels"]
    ) -> tuple[Float[np.ndarray, "replicates n levels"], Float[np.ndarray, "replicates n levels"]]:
        """Predict every unit's outcomes by members that never saw it.

        Args:
            levels: Levels of the treatment, in the networks' units.

        Returns:
            Means in the user's units, and variances.
        """
        z = self.encoded(self.units)
        outcomes = level_distributions(self.networks.mechanisms(), self.networks, z, levels)
        scale = self.table.outcome_scale[1]
        mean = self.in_outcome_units(outcomes.mean.double().cpu().numpy())
        variance = outcomes.variance.double().cpu().numpy() * scale**2
        if self.folds.n_folds == 1:
            return mean, variance
        return out_of_fold(mean, self.folds), out_of_fold(variance, self.folds)

    @torch.no_grad()
    def out_of_fold_treatment(
        self,
    ) -> tuple[Float[np.ndarray, "replicates n"], Float[np.ndarray, "replicates n"]]:
        """Predict every unit's treatment by members that never saw it.

        Returns:
            Probability of the second arm and zero, or mean and standard deviation of the dose in
            the user's units.
        """
        predicted = treatment_distribution(
            self.networks.mechanisms(), self.networks.roles, self.encoded(self.units)
        )
        mean = predicted.mean[..., 0].double().cpu().numpy()
        spread = predicted.variance[..., 0].double().sqrt().cpu().numpy()
        if self.table.is_binary:
            mean, spread = 1 / (1 + np.exp(-mean)), np.zeros_like(mean)
        else:
            centre, scale = self.table.treatment_scale
            mean, spread = centre + scale * mean, scale * spread
        if self.folds.n_folds == 1:
            return mean, spread
        return out_of_fold(mean, self.folds), out_of_fold(spread, self.folds)

    @torch.no_grad()
    def residuals(self) -> Float[np.ndarray, "replicates n"]:
        """Compute outcomes minus what members expected that never saw them.

        Returns:
            In the user's units.
        """
        assert self.units.treatment is not None
        predicted = outcome_distribution(
            self.networks.mechanisms(),
            self.networks.roles,
            self.encoded(self.units),
            self.units.treatment,
        )
        mean = self.in_outcome_units(predicted.mean[..., 0].double().cpu().numpy())
        if self.folds.n_folds > 1:
            mean = out_of_fold(mean, self.folds)
        return self.table.outcome - mean

    def averages(
        self,
        levels: Sequence[float] | np.ndarray,
        config: CausalBGMConfig,
        rng: np.random.Generator,
    ) -> Averages:
        """Draw mean potential outcomes of the population that the units came from.

        Args:
            levels: Doses or codes of arms, in the user's units.
            config: Options, of which the correction and the number of draws are read.
            rng: Source of randomness.

        Returns:
            Draws; each has its own weights of units and its own replicate.
        """
        table, n_draws = self.table, config.n_draws
        doses = np.asarray(levels, dtype=np.float64)
        asked = np.array([0.0, 1.0]) if table.is_binary else doses
        means, variances = self.out_of_fold_distributions(table.scaled_codes(asked))
        weights = bootstrap_weights(n_draws, table.n, rng)
        # Draws take turns with replicates at random, so that they carry the spread between these.
        replicate = rng.integers(len(means), size=n_draws)
        draws = np.empty((n_draws, len(asked)))
        corrects = config.correction == "one-step" and self.folds.n_folds > 1
        location, spread = self.out_of_fold_treatment()
        residual = self.residuals()
        for r in range(len(means)):
            mine = replicate == r
            if not corrects:
                draws[mine] = weights[mine] @ means[r]
            elif table.is_binary:
                scores = arm_scores(table.treatment, table.outcome, means[r], location[r])
                draws[mine] = weights[mine] @ scores
        if corrects and not table.is_binary:
            knots = spline_knots(table.treatment)
            at_knots, _ = self.out_of_fold_distributions(table.scaled_codes(knots))
            # Every fold alone: how far the estimate varies with the networks.
            held = self.folds.of_unit.cpu().numpy()
            alone = np.stack([held == k for k in range(self.folds.n_folds)])
            alone = alone / alone.sum(1, keepdims=True)
            k = len(doses)
            for r in range(len(means)):
                average = partial(
                    corrected_dose_response,
                    np.concatenate([means[r], at_knots[r]], 1),
                    at_knots[r],
                    np.concatenate([doses, knots]),
                    table.treatment,
                    residual[r],
                    DoseDistribution.of(table.treatment, location[r], spread[r]),
                )
                mine = replicate == r
                both = average(weights[mine])
                draws[mine] = widened_by_folds(both[:, :k], both[:, k:], average(alone)[:, k:])
        # One unit at random: its mean differs from the average, and its outcome from its mean.
        unit = rng.integers(table.n, size=n_draws)
        noise = rng.standard_normal((n_draws, len(asked)))
        own = means[replicate, unit] - means.mean((0, 1))
        single = draws + own + np.sqrt(variances[replicate, unit]) * noise
        if table.is_binary:
            at = doses.astype(int)
            return Averages(draws[:, at], single[:, at])
        return Averages(draws, single)
