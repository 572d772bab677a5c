"""All options of the CausalBGM family, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

from aetia.errors import InputError
from aetia.options import check_literals, check_positive

__all__ = ["CausalBGMConfig", "FullMCMCConfig", "IdentifiableConfig"]


@dataclass(frozen=True, kw_only=True)
class CausalBGMConfig:
    """Options of CausalBGM. Steps are optimiser updates, an epoch is one pass over the units."""

    treatment_kind: Literal["auto", "binary", "continuous"] = "auto"
    """``"auto"`` takes a column with two levels as binary."""
    latent_dims: tuple[int, int, int, int] | Literal["auto"] = (2, 2, 2, 4)
    """Latents that confound, that only the outcome depends on, only the treatment, and the rest;
    ``"auto"`` estimates them (``latent_dimensions``)."""
    n_folds: int | Literal["auto"] = "auto"
    """Parts of the units; each network learns from all parts but one, which chooses its weights
    and serves the correction. ``"auto"`` is 5. One fold: a fifth of the units
    chooses weights, and nothing can be corrected."""
    n_replicates: int = 1
    """Networks for each part, from different starts."""
    init: Literal["egm", "prior"] = "egm"
    """Whether encoder and networks start together (CausalEGM), or latents start at their prior."""
    n_egm_steps: int | Literal["auto"] = "auto"
    """Updates of the generative networks. ``"auto"``: 1,000, rising with the root of the number of
    units to at most 2,000."""
    n_critic_steps: int = 1
    """Updates of the critic for each of them."""
    n_epochs: int = 0
    """Passes of the iterative updating that follows: networks given latents, latents given
    networks."""
    latent_updates: Literal["sample", "map"] = "sample"
    """Iterative updating: latents are drawn from their posterior, or climb to its mode (the
    original)."""
    batch_size: int | Literal["auto"] = "auto"
    """Units of a step; ``"auto"``: 64, or 256 from 4,000 units on."""
    learning_rate: float = 4e-3
    """Of the joint start."""
    iterative_learning_rate: float = 1e-3
    """Of the networks during iterative updating."""
    latent_learning_rate: float = 1e-2
    """Of the latents during iterative updating, if they climb."""
    encoder_units: tuple[int, ...] = (32,)
    """Hidden widths of the encoder of the causal latents ..."""
    rest_encoder_units: tuple[int, ...] = (64, 64)
    """... of the encoder of the rest ..."""
    covariate_units: tuple[int, ...] = (64, 64)
    """... of the network of the covariates (g) ..."""
    treatment_units: tuple[int, ...] = (64, 32, 8)
    """... of the treatment (h) ..."""
    outcome_units: tuple[int, ...] = (64, 64)
    """... of the outcome (f) ..."""
    critic_units: tuple[int, ...] = (64, 32, 8)
    """... and of the critic of latents."""
    n_knots: int = 4
    """Bends of every covariate at the encoder's input; 0 for the covariate alone."""
    n_dose_knots: int = 5
    """Bends of the dose at the input of the outcome's network."""
    bayesian_nets: bool = False
    """Whether the mechanisms' weights have a law of their own (mean field) besides the ensemble."""
    kl_weight: float | Literal["auto"] = "auto"
    """Of that law's divergence from its prior; ``"auto"`` is one over the number of units, with
    which the loss is a bound of the evidence."""
    relevance: float = 0.1
    """Strength of the prior that switches covariates off at the encoder's input; 1 is the
    evidence approximation with every weight counted, 0 switches it off."""
    latent_noise: float = 0.7
    """Standard deviation of a unit's latents around what the encoder says, falling to zero over
    the joint start ..."""
    latent_shrinkage: float = 0.05
    """... and the weight of their squares, half of which is the price of information about a
    unit in an evidence bound (weight 1)."""
    generative_weight: float = 0.1
    """Of reconstructions and critic next to the fit of treatment and outcome."""
    latent_weight: float = 1.0
    """Of the reconstruction of drawn latents among them."""
    variance_penalty: float = 0.001
    """Pull of the raw variances to zero, that is of variances to 0.69."""
    variance_weighting: float = 0.5
    """Exponent that a unit's variance multiplies its loss with: 0 is the likelihood, 1 fits means
    as least squares does (Seitzer et al., 2022)."""
    correction: Literal["one-step", "none"] = "one-step"
    """Whether averages are corrected by what out-of-fold residuals say."""
    n_draws: int = 400
    """Draws of every posterior."""
    sampler: Literal["hmc", "metropolis"] = "hmc"
    """Of latents given all that is known of a unit."""
    n_warm_up: int = 150
    """Steps of a sampler before it counts."""
    n_kept: int = 100
    """Draws of the latents of each member."""
    thin: int = 1
    """Steps for each kept draw."""

    def __post_init__(self) -> None:
        check_literals(self)
        for name in (
            "latent_dims",
            "encoder_units",
            "rest_encoder_units",
            "covariate_units",
            "treatment_units",
            "outcome_units",
            "critic_units",
        ):
            value = getattr(self, name)
            if value != "auto":
                _check_sizes(self, name, value, zero=name == "latent_dims")
                object.__setattr__(self, name, tuple(int(v) for v in value))
        if self.latent_dims != "auto":
            if len(self.latent_dims) != 4:
                raise InputError(
                    f"{type(self).__name__}: latent_dims must be four numbers (confounder, "
                    f"outcome, treatment, rest), got {self.latent_dims!r}."
                )
            if not self.latent_dims[0] + self.latent_dims[1]:
                raise InputError(
                    f"{type(self).__name__}: the outcome needs latents; latent_dims starts with "
                    f"{self.latent_dims[:2]}."
                )
        check_positive(
            self,
            "n_folds",
            "n_replicates",
            "n_egm_steps",
            "n_critic_steps",
            "batch_size",
            "learning_rate",
            "iterative_learning_rate",
            "latent_learning_rate",
            "n_draws",
            "n_kept",
            "thin",
        )
        check_positive(
            self,
            "n_epochs",
            "n_knots",
            "n_dose_knots",
            "kl_weight",
            "relevance",
            "latent_noise",
            "latent_shrinkage",
            "generative_weight",
            "latent_weight",
            "variance_penalty",
            "variance_weighting",
            "n_warm_up",
            zero=True,
        )
        if self.init == "prior" and not self.n_epochs:
            raise InputError(
                f"{type(self).__name__}: init='prior' leaves everything to the iterative updating; "
                "set n_epochs."
            )


@dataclass(frozen=True, kw_only=True)
class IdentifiableConfig(CausalBGMConfig):
    """Options of IdentifiableCausalBGM: the prior of the latents depends on a label."""

    n_epochs: int = 10
    auxiliary: Any = "given"
    """``"given"``: passed to ``fit``; ``"random"``: labels drawn at random, as the original does,
    which identify nothing."""
    n_segments: int = 10
    """Number of random labels, or of groups that a continuous auxiliary variable is cut into."""
    prior_units: tuple[int, ...] = (64,)
    """Hidden widths of the network of the prior."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_sizes(self, "prior_units", self.prior_units, zero=False)
        object.__setattr__(self, "prior_units", tuple(int(v) for v in self.prior_units))
        check_positive(self, "n_segments")
        if self.auxiliary not in ("given", "random"):
            raise InputError(
                f"IdentifiableConfig: auxiliary must be 'given' or 'random', got "
                f"{self.auxiliary!r}; the variable itself goes to fit(auxiliary=...)."
            )


@dataclass(frozen=True, kw_only=True)
class FullMCMCConfig(CausalBGMConfig):
    """Options of FullMCMCCausalBGM: weights and latents are sampled."""

    n_folds: int | Literal["auto"] = 1
    n_replicates: int = 4
    """Chains; each starts at a network of its own."""
    n_epochs: int = 5
    correction: Literal["one-step", "none"] = "none"
    target: Literal["joint", "weights"] = "joint"
    """``"joint"``: weights and latents in turns; ``"weights"``: weights given the fitted latents
    (the original)."""
    n_sweeps: int = 200
    """Kept sweeps over all blocks; every sweep is one trajectory for each block."""
    n_warm_up: int = 200
    weight_prior_std: float = 1.0
    """Standard deviation of the weights' prior."""
    n_leapfrog: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "n_sweeps", "weight_prior_std", "n_leapfrog")


def _check_sizes(config: Any, name: str, value: Any, *, zero: bool) -> None:
    least = 0 if zero else 1
    ok = isinstance(value, (tuple, list)) and all(
        isinstance(v, Integral) and not isinstance(v, bool) and int(v) >= least for v in value
    )
    if not ok:
        raise InputError(
            f"{type(config).__name__}: {name} must be a tuple of integers of at least {least}, got "
            f"{value!r}."
        )
