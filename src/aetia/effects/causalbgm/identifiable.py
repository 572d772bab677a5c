"""CausalBGM whose latents have a prior given an observed label of the unit (iVAE)."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import torch

from aetia.data import as_dataset, text_columns
from aetia.effects.causalbgm.config import IdentifiableConfig
from aetia.effects.causalbgm.estimator import CausalBGM
from aetia.effects.causalbgm.fitted import Fitted
from aetia.effects.causalbgm.study_table import read_study
from aetia.errors import DataWarning, InputError
from aetia.randomness import RandomState, seed_sequence

__all__ = ["IdentifiableCausalBGM"]

_FEW_LEVELS = 20
"""Columns with more distinct numbers than this are cut into groups."""


class IdentifiableCausalBGM(CausalBGM):
    r"""CausalBGM with the prior :math:`z \mid u \sim N(m(u), s^2(u) I)` given a label u.

    The label must be observed and must modulate the latents (a site, a batch, a time segment);
    then latents are identified up to simple transformations (Khemakhem et al., 2020). Labels drawn
    at random, as in the original package, carry no information and identify nothing; they are kept
    as ``auxiliary="random"``.

    Args:
        treatment_kind: ``"auto"``, ``"binary"`` or ``"continuous"``.
        latent_dims: Latents of each role, or ``"auto"``.
        n_folds: Folds of the units.
        n_replicates: Networks for each fold.
        init: ``"egm"`` or ``"prior"``.
        n_egm_steps: Updates of the joint start.
        n_critic_steps: Updates of the critic for each of them.
        n_epochs: Passes of iterative updating.
        latent_updates: ``"sample"`` or ``"map"``.
        batch_size: Units of a step.
        learning_rate: Of the joint start.
        iterative_learning_rate: Of the networks in iterative updating.
        latent_learning_rate: Of the latents in iterative updating.
        encoder_units: Hidden widths of the encoder of causal latents.
        rest_encoder_units: Hidden widths of the encoder of the rest.
        covariate_units: Hidden widths of the network of the covariates.
        treatment_units: Hidden widths of the network of the treatment.
        outcome_units: Hidden widths of the network of the outcome.
        critic_units: Hidden widths of the critic.
        n_knots: Bends of every covariate.
        n_dose_knots: Bends of the dose.
        bayesian_nets: Whether weights have a law of their own.
        kl_weight: Of that law.
        relevance: Strength of the sparsity prior on covariates.
        latent_noise: Spread of latents around the encoder while it learns.
        latent_shrinkage: Weight of squared latents.
        generative_weight: Of reconstructions and critic.
        latent_weight: Of the reconstruction of latents.
        variance_penalty: Pull on raw variances.
        variance_weighting: Exponent of variances in the loss.
        correction: ``"one-step"`` or ``"none"``.
        n_draws: Draws of every posterior.
        sampler: ``"hmc"`` or ``"metropolis"``.
        n_warm_up: Steps of a sampler before it counts.
        n_kept: Draws of the latents of each network.
        thin: Steps for each kept draw.
        auxiliary: ``"given"`` to ``fit``, or ``"random"`` labels.
        n_segments: Random labels, or groups of a continuous auxiliary variable.
        prior_units: Hidden widths of the network of the prior.
        random_state: None, an integer or a NumPy generator.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        segments_: Label of every unit, as a number.
    """

    _method = "identifiable"
    _config_class = IdentifiableConfig

    def __init__(
        self,
        *,
        treatment_kind: Literal["auto", "binary", "continuous"] = "auto",
        latent_dims: tuple[int, int, int, int] | Literal["auto"] = (2, 2, 2, 4),
        n_folds: int | Literal["auto"] = "auto",
        n_replicates: int = 1,
        init: Literal["egm", "prior"] = "egm",
        n_egm_steps: int | Literal["auto"] = "auto",
        n_critic_steps: int = 1,
        n_epochs: int = 10,
        latent_updates: Literal["sample", "map"] = "sample",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float = 4e-3,
        iterative_learning_rate: float = 1e-3,
        latent_learning_rate: float = 1e-2,
        encoder_units: tuple[int, ...] = (32,),
        rest_encoder_units: tuple[int, ...] = (64, 64),
        covariate_units: tuple[int, ...] = (64, 64),
        treatment_units: tuple[int, ...] = (64, 32, 8),
        outcome_units: tuple[int, ...] = (64, 64),
        critic_units: tuple[int, ...] = (64, 32, 8),
        n_knots: int = 4,
        n_dose_knots: int = 5,
        bayesian_nets: bool = False,
        kl_weight: float | Literal["auto"] = "auto",
        relevance: float = 0.1,
        latent_noise: float = 0.7,
        latent_shrinkage: float = 0.05,
        generative_weight: float = 0.1,
        latent_weight: float = 1.0,
        variance_penalty: float = 0.001,
        variance_weighting: float = 0.5,
        correction: Literal["one-step", "none"] = "one-step",
        n_draws: int = 400,
        sampler: Literal["hmc", "metropolis"] = "hmc",
        n_warm_up: int = 150,
        n_kept: int = 100,
        thin: int = 1,
        auxiliary: Any = "given",
        n_segments: int = 10,
        prior_units: tuple[int, ...] = (64,),
        random_state: RandomState = None,
        device: str = "auto",
        progress: bool | None = None,
    ) -> None:
        self.treatment_kind = treatment_kind
        self.latent_dims = latent_dims
        self.n_folds = n_folds
        self.n_replicates = n_replicates
        self.init = init
        self.n_egm_steps = n_egm_steps
        self.n_critic_steps = n_critic_steps
        self.n_epochs = n_epochs
        self.latent_updates = latent_updates
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.iterative_learning_rate = iterative_learning_rate
        self.latent_learning_rate = latent_learning_rate
        self.encoder_units = encoder_units
        self.rest_encoder_units = rest_encoder_units
        self.covariate_units = covariate_units
        self.treatment_units = treatment_units
        self.outcome_units = outcome_units
        self.critic_units = critic_units
        self.n_knots = n_knots
        self.n_dose_knots = n_dose_knots
        self.bayesian_nets = bayesian_nets
        self.kl_weight = kl_weight
        self.relevance = relevance
        self.latent_noise = latent_noise
        self.latent_shrinkage = latent_shrinkage
        self.generative_weight = generative_weight
        self.latent_weight = latent_weight
        self.variance_penalty = variance_penalty
        self.variance_weighting = variance_weighting
        self.correction = correction
        self.n_draws = n_draws
        self.sampler = sampler
        self.n_warm_up = n_warm_up
        self.n_kept = n_kept
        self.thin = thin
        self.auxiliary = auxiliary
        self.n_segments = n_segments
        self.prior_units = prior_units
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def fit(
        self, treatment: Any, outcome: Any, covariates: Any, auxiliary: Any = None
    ) -> IdentifiableCausalBGM:
        """Fit the ensemble and the prior.

        Args:
            treatment: As for :class:`CausalBGM`.
            outcome: As for :class:`CausalBGM`.
            covariates: As for :class:`CausalBGM`.
            auxiliary: Label of every unit: text, integers, or a number that is cut into groups of
                equal size; or the name of a column of ``covariates``, which stays one of them.

        Returns:
            The fitted estimator.

        Raises:
            InputError: If there is no auxiliary variable, or it has one level.
            NumericalError: If losses are not finite.
        """
        config = IdentifiableConfig(**self._options())
        table = read_study(treatment, outcome, covariates, kind=config.treatment_kind)
        if config.auxiliary == "random":
            warnings.warn(
                "auxiliary='random': labels that carry no information identify nothing; the prior "
                "is as good as a single one.",
                DataWarning,
                stacklevel=2,
            )
            rng = np.random.default_rng(seed_sequence(self.random_state).spawn(9)[8])
            segments = rng.integers(config.n_segments, size=table.n)
        elif auxiliary is None:
            raise InputError(
                "IdentifiableCausalBGM needs an observed auxiliary variable: fit(..., auxiliary=u) "
                "with a site, batch or time segment. auxiliary='random' as an option goes without."
            )
        else:
            if isinstance(auxiliary, str):
                data = as_dataset(covariates, categorical=text_columns(covariates), relations=False)
                auxiliary = data.column(auxiliary)
            segments = segment_codes(auxiliary, table.n, config.n_segments)
        self._fit(config, table, segments)
        self.segments_ = segments
        return self

    def _restore(self, extra: dict[str, torch.Tensor]) -> None:
        segments = self._fitted().segments
        assert segments is not None
        self.segments_ = segments.numpy()

    def _new_segments(self, fit: Fitted, n: int) -> torch.Tensor | None:
        # Nothing is known of the labels of new units: each gets the most common one's prior.
        most = torch.bincount(fit.segments).argmax() if fit.segments is not None else None
        return None if most is None else most.expand(n)


def segment_codes(auxiliary: Any, n: int, n_segments: int) -> np.ndarray:
    """Turn an auxiliary variable into numbers from 0 on.

    Args:
        auxiliary: One value for each unit.
        n: Units.
        n_segments: Groups that a continuous one is cut into.

    Returns:
        Codes.

    Raises:
        InputError: If lengths differ, values are missing, or all are the same.
    """
    values = np.asarray(auxiliary)
    if values.shape != (n,):
        raise InputError(
            f"auxiliary must have one value for each of {n} units, got shape {values.shape}."
        )
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise InputError(f"auxiliary is missing in {int(np.isnan(values).sum())} units.")
    labels = values.astype(str) if values.dtype.kind not in "iufb" else values
    distinct, codes = np.unique(labels, return_inverse=True)
    if len(distinct) > _FEW_LEVELS and values.dtype.kind in "iuf":
        cuts = np.unique(np.quantile(values, np.linspace(0, 1, n_segments + 1)[1:-1]))
        distinct, codes = np.unique(np.searchsorted(cuts, values, "right"), return_inverse=True)
    if len(distinct) < 2:
        raise InputError("auxiliary has the same value in all units; it modulates nothing.")
    return codes.reshape(n).astype(np.int64)
