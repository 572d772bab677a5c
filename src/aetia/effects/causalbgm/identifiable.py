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
from aetia.options import earlier_names
from aetia.randomness import RandomState, seed_sequence

__all__ = ["IdentifiableCausalBGM"]

_FEW_LEVELS = 20
"""Columns with more distinct numbers than this are cut into groups."""


@earlier_names(n_warm_up="n_warmup")
class IdentifiableCausalBGM(CausalBGM):
    r"""CausalBGM with the prior :math:`z \mid u \sim N(m(u), s^2(u) I)` given a label u.

    The label must be observed and must modulate the latents (a site, a batch, a time segment);
    then latents are identified up to simple transformations (Khemakhem et al., 2020). Labels drawn
    at random, as in the original package, carry no information and identify nothing; they are kept
    as ``auxiliary="random"``.

    Args:
        treatment_kind: How the treatment is read: arms (``"binary"``), doses (``"continuous"``), or
            ``"auto"``, which takes a column with two levels as arms. State it where a dose happens
            to have two levels.
        latent_dims: Numbers of latents that confound, that only the outcome depends on, that only
            the treatment depends on, and that explain the other covariates. More latents can follow
            more directions and take longer to fit; ``"auto"`` estimates the numbers by sliced
            inverse regression and principal components.
        n_folds: Folds of the units for cross-fitting; each network is trained without one fold,
            which serves as its validation rows and for the correction of averages. ``"auto"`` is 5.
            More folds leave more training rows and take proportionally longer; with one fold a
            fifth of the units are validation rows and nothing is corrected.
        n_replicates: Networks for each fold, which differ by their initialisation. More of them
            average that difference out and take proportionally longer.
        init: Whether encoder and networks are initialised together against a critic (``"egm"``), or
            latents by draws from their prior (``"prior"``), which leaves everything to iterative
            updating and needs ``n_epochs``.
        n_egm_steps: Updates of the networks in the joint initialisation; time grows in proportion.
            ``"auto"`` is 1,000, rising with the root of the number of units to at most 2,000. Raise
            it if validation losses still fall at the end.
        n_critic_steps: Updates of the critic for each update of the networks. Raise it if the
            distribution of encoded units stays far from the prior.
        n_epochs: Passes over the units of iterative updating, which also trains the prior given
            labels: networks given latents in turn with latents given networks.
        latent_updates: How iterative updating moves latents: drawn from their posterior
            (``"sample"``), or to its mode by gradients (``"map"``, the original).
        batch_size: Units of one update; ``"auto"`` is 64, or 256 from 4,000 units on. Smaller
            minibatches make updates noisier and cheaper.
        learning_rate: Largest step size of the joint initialisation; it falls to a fiftieth by a
            cosine. Lower it if losses jump or are not finite.
        iterative_learning_rate: Largest step size of the networks in iterative updating; it falls
            by a cosine. Lower it if losses jump or are not finite.
        latent_learning_rate: Step size of the latents in iterative updating, which only
            ``latent_updates="map"`` moves by gradients.
        encoder_units: Hidden widths of the encoder of the latents that treatment and outcome depend
            on.
        rest_encoder_units: Hidden widths of the encoder of the other latents, which only the
            covariates depend on.
        covariate_units: Hidden widths of the network of the covariates (g in the paper).
        treatment_units: Hidden widths of the network of the treatment (h in the paper).
        outcome_units: Hidden widths of the network of the outcome (f in the paper). Widen it if the
            outcome depends on latents in a more complicated way than the fit can follow.
        critic_units: Hidden widths of the critic that discriminates encoded units from draws of the
            prior.
        n_knots: Knots of every covariate, at its quantiles; their hinges are inputs of the encoder
            beside the covariate itself. More knots follow more curved dependence and need more
            units; 0 leaves the covariate alone.
        n_dose_knots: Knots of the dose, at its quantiles; their hinges are inputs of the network of
            the outcome. More knots follow more curved dose responses; arms have none.
        bayesian_nets: Whether the weights of the networks have a posterior (mean field), so that
            intervals of unit effects also show how uncertain single networks are, beside their
            disagreement.
        kl_weight: Penalty weight of the divergence of that posterior from the prior of the weights;
            higher values keep weights closer to the prior. ``"auto"`` is one over the number of
            training rows, with which the loss is a bound of the evidence.
        relevance: Penalty weight of the relevance prior, which switches covariates off at the input
            of the encoder. 1 is the evidence approximation with every weight counted, 0 switches
            the prior off; raise it if many covariates are noise.
        latent_noise: Standard deviation of the noise on encoded latents in the joint
            initialisation, in units of the prior; it falls linearly to zero. More noise regularises
            the networks more.
        latent_shrinkage: Penalty weight on half the squared latents that treatment and outcome
            depend on; 1 is the weight in an evidence bound, 0 switches it off. Raise it if
            validation losses rise while training losses fall.
        generative_weight: Weight of reconstructions and critic in the joint initialisation,
            relative to the losses of treatment and outcome. Higher values favour a model of the
            covariates over predictions; 0 leaves both out.
        latent_weight: Weight of the reconstruction of drawn latents among the reconstructions of
            the joint initialisation.
        variance_penalty: Penalty weight on the squared raw variances of covariates in the joint
            initialisation, which shrinks variances to 0.69 (raw variance 0).
        variance_weighting: Exponent with which the variance of a unit multiplies its loss: 0 is the
            likelihood, in which noisy units count least, 1 fits means as least squares does
            (Seitzer et al., 2022).
        correction: Whether averages are corrected by out-of-fold residuals (``"one-step"``), which
            removes the first order of the bias of the networks, or are those of the networks
            (``"none"``). The correction needs at least two folds.
        n_draws: Draws of every posterior of effects; more draws make the ends of intervals less
            noisy.
        sampler: How latents are drawn given all that is known of a unit: Hamiltonian Monte Carlo
            (``"hmc"``), or a random walk (``"metropolis"``, the original), which mixes more slowly.
        n_warmup: Steps of every chain over latents that adapt its step size and are not kept. Raise
            it if a warning says that chains have not mixed.
        n_kept: Draws of the latents that are kept from every chain. Raise it if effective sample
            sizes are small.
        thin: Steps of a chain for each kept draw; more steps make draws less dependent and take
            proportionally longer.
        auxiliary: Where labels come from: ``"given"`` to ``fit``, or ``"random"``, drawn at random
            as in the original, which identify nothing.
        n_segments: Number of random labels, or of groups of equal size that a continuous auxiliary
            variable is cut into. More groups follow a prior that changes faster and leave fewer
            units to each.
        prior_units: Hidden widths of the network of the prior, from labels to means and variance of
            the latents.
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
        n_warmup: int = 150,
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
        self.n_warmup = n_warmup
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
            treatment: Treatment of every unit, the same as in :class:`CausalBGM`.
            outcome: Outcome of every unit, the same as in :class:`CausalBGM`.
            covariates: Covariates of every unit, the same as in :class:`CausalBGM`.
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
