"""All options of the CausalBGM family, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar, Literal

from aetia.errors import InputError
from aetia.options import check_literals, check_positive, earlier_names

__all__ = ["CausalBGMConfig", "FullMCMCConfig", "IdentifiableConfig"]


@earlier_names(n_warm_up="n_warmup")
@dataclass(frozen=True, kw_only=True)
class CausalBGMConfig:
    """Options of CausalBGM. Steps are optimiser updates, an epoch is one pass over the units."""

    treatment_kind: Literal["auto", "binary", "continuous"] = "auto"
    """How the treatment is read: arms (``"binary"``), doses (``"continuous"``), or ``"auto"``,
    which takes a column with two levels as arms. State it where a dose happens to have two
    levels."""
    latent_dims: tuple[int, int, int, int] | Literal["auto"] = (2, 2, 2, 4)
    """Numbers of latents that confound, that only the outcome depends on, that only the treatment
    depends on, and that explain the other covariates. More latents can follow more directions and
    take longer to fit; ``"auto"`` estimates the numbers by sliced inverse regression and principal
    components."""
    n_folds: int | Literal["auto"] = "auto"
    """Folds of the units for cross-fitting; each network is trained without one fold, which serves
    as its validation rows and for the correction of averages. ``"auto"`` is 5. More folds leave
    more training rows and take proportionally longer; with one fold a fifth of the units are
    validation rows and nothing is corrected."""
    n_replicates: int = 1
    """Networks for each fold, which differ by their initialisation. More of them average that
    difference out and take proportionally longer."""
    init: Literal["egm", "prior"] = "egm"
    """Whether encoder and networks are initialised together against a critic (``"egm"``), or
    latents by draws from their prior (``"prior"``), which leaves everything to iterative updating
    and needs ``n_epochs``."""
    n_egm_steps: int | Literal["auto"] = "auto"
    """Updates of the networks in the joint initialisation; time grows in proportion. ``"auto"`` is
    1,000, rising with the root of the number of units to at most 2,000. Raise it if validation
    losses still fall at the end."""
    n_critic_steps: int = 1
    """Updates of the critic for each update of the networks. Raise it if the distribution of
    encoded units stays far from the prior."""
    n_epochs: int = 0
    """Passes over the units of iterative updating after the joint initialisation: networks given
    latents in turn with latents given networks. 0 leaves it out; the original makes 100."""
    latent_updates: Literal["sample", "map"] = "sample"
    """How iterative updating moves latents: drawn from their posterior (``"sample"``), or to its
    mode by gradients (``"map"``, the original)."""
    batch_size: int | Literal["auto"] = "auto"
    """Units of one update; ``"auto"`` is 64, or 256 from 4,000 units on. Smaller minibatches make
    updates noisier and cheaper."""
    learning_rate: float = 4e-3
    """Largest step size of the joint initialisation; it falls to a fiftieth by a cosine. Lower it
    if losses jump or are not finite."""
    iterative_learning_rate: float = 1e-3
    """Largest step size of the networks in iterative updating; it falls by a cosine. Lower it if
    losses jump or are not finite."""
    latent_learning_rate: float = 1e-2
    """Step size of the latents in iterative updating, which only ``latent_updates="map"`` moves by
    gradients."""
    encoder_units: tuple[int, ...] = (32,)
    """Hidden widths of the encoder of the latents that treatment and outcome depend on."""
    rest_encoder_units: tuple[int, ...] = (64, 64)
    """Hidden widths of the encoder of the other latents, which only the covariates depend on."""
    covariate_units: tuple[int, ...] = (64, 64)
    """Hidden widths of the network of the covariates (g in the paper)."""
    treatment_units: tuple[int, ...] = (64, 32, 8)
    """Hidden widths of the network of the treatment (h in the paper)."""
    outcome_units: tuple[int, ...] = (64, 64)
    """Hidden widths of the network of the outcome (f in the paper). Widen it if the outcome depends
    on latents in a more complicated way than the fit can follow."""
    critic_units: tuple[int, ...] = (64, 32, 8)
    """Hidden widths of the critic that discriminates encoded units from draws of the prior."""
    n_knots: int = 4
    """Knots of every covariate, at its quantiles; their hinges are inputs of the encoder beside the
    covariate itself. More knots follow more curved dependence and need more units; 0 leaves the
    covariate alone."""
    n_dose_knots: int = 5
    """Knots of the dose, at its quantiles; their hinges are inputs of the network of the outcome.
    More knots follow more curved dose responses; arms have none."""
    bayesian_nets: bool = False
    """Whether the weights of the networks have a posterior (mean field), so that intervals of unit
    effects also show how uncertain single networks are, beside their disagreement."""
    kl_weight: float | Literal["auto"] = "auto"
    """Penalty weight of the divergence of that posterior from the prior of the weights; higher
    values keep weights closer to the prior. ``"auto"`` is one over the number of training rows,
    with which the loss is a bound of the evidence."""
    relevance: float = 0.1
    """Penalty weight of the relevance prior, which switches covariates off at the input of the
    encoder. 1 is the evidence approximation with every weight counted, 0 switches the prior off;
    raise it if many covariates are noise."""
    latent_noise: float = 0.7
    """Standard deviation of the noise on encoded latents in the joint initialisation, in units of
    the prior; it falls linearly to zero. More noise regularises the networks more."""
    latent_shrinkage: float = 0.05
    """Penalty weight on half the squared latents that treatment and outcome depend on; 1 is the
    weight in an evidence bound, 0 switches it off. Raise it if validation losses rise while
    training losses fall."""
    generative_weight: float = 0.1
    """Weight of reconstructions and critic in the joint initialisation, relative to the losses of
    treatment and outcome. Higher values favour a model of the covariates over predictions; 0 leaves
    both out."""
    latent_weight: float = 1.0
    """Weight of the reconstruction of drawn latents among the reconstructions of the joint
    initialisation."""
    variance_penalty: float = 0.001
    """Penalty weight on the squared raw variances of covariates in the joint initialisation, which
    shrinks variances to 0.69 (raw variance 0)."""
    variance_weighting: float = 0.5
    """Exponent with which the variance of a unit multiplies its loss: 0 is the likelihood, in which
    noisy units count least, 1 fits means as least squares does (Seitzer et al., 2022)."""
    correction: Literal["one-step", "none"] = "one-step"
    """Whether averages are corrected by out-of-fold residuals (``"one-step"``), which removes the
    first order of the bias of the networks, or are those of the networks (``"none"``). The
    correction needs at least two folds."""
    n_draws: int = 400
    """Draws of every posterior of effects; more draws make the ends of intervals less noisy."""
    sampler: Literal["hmc", "metropolis"] = "hmc"
    """How latents are drawn given all that is known of a unit: Hamiltonian Monte Carlo (``"hmc"``),
    or a random walk (``"metropolis"``, the original), which mixes more slowly."""
    n_warmup: int = 150
    """Steps of every chain over latents that adapt its step size and are not kept. Raise it if a
    warning says that chains have not mixed."""
    n_kept: int = 100
    """Draws of the latents that are kept from every chain. Raise it if effective sample sizes are
    small."""
    thin: int = 1
    """Steps of a chain for each kept draw; more steps make draws less dependent and take
    proportionally longer."""

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
            "n_warmup",
            zero=True,
        )
        if self.init == "prior" and not self.n_epochs:
            raise InputError(
                f"{type(self).__name__}: init='prior' leaves everything to the iterative updating; "
                "set n_epochs."
            )


@earlier_names(n_warm_up="n_warmup")
@dataclass(frozen=True, kw_only=True)
class IdentifiableConfig(CausalBGMConfig):
    """Options of IdentifiableCausalBGM: the prior of the latents depends on a label."""

    n_epochs: int = 10
    """Passes over the units of iterative updating, which also trains the prior given labels:
    networks given latents in turn with latents given networks."""
    auxiliary: Any = "given"
    """Where labels come from: ``"given"`` to ``fit``, or ``"random"``, drawn at random as in the
    original, which identify nothing."""
    n_segments: int = 10
    """Number of random labels, or of groups of equal size that a continuous auxiliary variable is
    cut into. More groups follow a prior that changes faster and leave fewer units to each."""
    prior_units: tuple[int, ...] = (64,)
    """Hidden widths of the network of the prior, from labels to means and variance of the
    latents."""

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


@earlier_names(n_warm_up="n_warmup", correction=None)
@dataclass(frozen=True, kw_only=True)
class FullMCMCConfig(CausalBGMConfig):
    """Options of FullMCMCCausalBGM: weights and latents are sampled."""

    n_folds: int | Literal["auto"] = 1
    """Folds of the units in the fit of the networks at which chains are initialised. One fold keeps
    a fifth of the units as validation rows; the chains use all units."""
    n_replicates: int = 4
    """Chains for each fold, each initialised at a network of its own. More chains show better
    whether they agree and take proportionally longer."""
    n_epochs: int = 5
    """Passes over the units of iterative updating before the chains: networks given latents in turn
    with latents given networks."""
    correction: ClassVar[Literal["none"]] = "none"  # pyright: ignore[reportIncompatibleVariableOverride]
    target: Literal["joint", "weights"] = "joint"
    """What is sampled: weights and latents in turns (``"joint"``), or weights given the fitted
    latents (``"weights"``, the original), whose intervals leave the uncertainty of latents out."""
    n_sweeps: int = 200
    """Sweeps over all blocks after the warm-up; every sweep is one trajectory for each block. Raise
    it if R-hat is above 1.05 or effective sample sizes are small; time grows in proportion."""
    n_warmup: int = 200
    """Sweeps of every chain that adapt step sizes and are not kept, and steps of the chains over
    latents of new units. Raise it if R-hat is above 1.05."""
    n_kept: int = 100
    """Sweeps of every chain that are stored, evenly spaced, and draws of the latents of new units.
    Fewer take less memory."""
    weight_prior_std: float = 1.0
    """Standard deviation of the normal prior of all weights. Smaller values make smoother
    functions."""
    n_leapfrog: int = 10
    """Leapfrog steps of a trajectory of weights; latents take five. More steps move further in one
    sweep and take proportionally longer."""

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
