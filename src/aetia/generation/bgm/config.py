"""All options of BGM and ImageBGM, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

from aetia.errors import InputError
from aetia.options import check_literals, check_positive

__all__ = ["BGMConfig", "ImageBGMConfig"]


@dataclass(frozen=True, kw_only=True)
class SharedConfig:
    """Options that tables and images have in common. Steps are optimiser updates."""

    n_latents: int | Literal["auto"] = "auto"
    """Width of the latents z. More latents can follow more directions of variation and take longer
    to fit; ``"auto"`` takes as many as the principal components that explain 90 % of the variance,
    2 to 20."""
    latents: Literal["importance", "sample", "map"] = "importance"
    """How the latents are treated in training: integrated out by importance draws, followed by one
    chain for each row, or replaced by their mode (the original, which makes the noise too
    small)."""
    n_egm_steps: int = 0
    """Updates of the adversarial initialisation, with which the original begins. Measured, it does
    not help the main training (docs/bgm.md), so there is none by default."""
    n_steps: int = 2000
    """Updates of the main training. Raise it if the bound still rises at the end of the training
    curves; time grows in proportion."""
    batch_size: int = 256
    """Rows of one update. Smaller batches make updates noisier and cheaper."""
    learning_rate: float = 1e-2
    """Largest step size of the main training; it falls to a hundredth by a cosine. Lower it if the
    loss jumps or updates are skipped."""
    weight_decay: float = 0.3
    """Decoupled decay of the weight matrices; every update shrinks them by this times the learning
    rate. Raise it if the validation bound falls while the training bound rises."""
    latent_learning_rate: float = 5e-3
    """Step size of the latents, which only ``latents="map"`` moves by gradients."""
    egm_learning_rate: float = 1e-3
    """Step size of the adversarial initialisation, constant over its updates."""
    n_importance: int = 10
    """Importance draws of each row in the bound of ``latents="importance"``. More draws bring the
    bound closer to the likelihood and cost time in proportion."""
    gradient_penalty: float = 0.0
    """Penalty weight on the slopes of the critics (gamma in the paper); 0 switches it off. It only
    matters in the adversarial initialisation."""
    variance_penalty: float = 0.0
    """Penalty weight on the squared variances in the adversarial initialisation (alpha in the
    paper); 0 switches it off."""
    n_critic_steps: int = 1
    """Updates of the critics for each update of generator and encoder in the adversarial
    initialisation."""
    bayesian_generator: bool = False
    """Whether the weights of the generator have a posterior, so that draws also show how uncertain
    the networks are; one draw of the weights then serves one draw of the rows, which is slower."""
    kl_weight: float | Literal["auto"] = "auto"
    """Weight of the divergence of that posterior from its prior. ``"auto"`` is one over the number
    of training rows, with which the loss bounds the evidence; less makes the posterior
    narrower."""
    validation_share: float = 0.1
    """Share of the rows, at most 1,000 of them, that are kept for validation: they choose the best
    checkpoint and the end of training."""
    patience: int = 20
    """Validations without improvement, each after a twentieth of the updates, before training
    stops. Lower it to save time; the best checkpoint usually comes late, when the learning rate
    has fallen."""
    n_chains: int = 4
    """Chains of every row with missing cells, from which its draws are taken. At least two are
    needed for R-hat."""
    n_warmup: int = 100
    """Transitions of every chain before its first draw is kept. Raise it if R-hat is high."""
    n_leapfrog: int = 8
    """Leapfrog steps of one Hamiltonian trajectory. More carry a chain farther for each draw and
    cost time in proportion."""
    n_starts: int = 200
    """Importance draws of every row among which the initial positions of its chains are chosen."""
    n_evidence: int = 500
    """Importance draws of every row in ``score_samples`` and ``transform``. Raise it if
    ``evidence_ess`` is small."""
    max_megabytes: float = 1024.0
    """Memory in megabytes that draws may take; beyond it results are reduced to mean, standard
    deviation and quantiles."""

    def __post_init__(self) -> None:
        check_literals(self)
        for name in (
            "n_steps",
            "batch_size",
            "n_importance",
            "n_critic_steps",
            "patience",
            "n_chains",
            "n_leapfrog",
            "n_starts",
            "n_evidence",
        ):
            _check_count(self, name, 1)
        if self.n_latents != "auto":
            _check_count(self, "n_latents", 1)
        for name in ("n_egm_steps", "n_warmup"):
            _check_count(self, name, 0)
        check_positive(
            self, "learning_rate", "latent_learning_rate", "egm_learning_rate", "max_megabytes"
        )
        check_positive(
            self, "weight_decay", "gradient_penalty", "variance_penalty", "kl_weight", zero=True
        )
        share = self.validation_share
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 0.9:
            raise InputError(
                f"{type(self).__name__}: validation_share must lie in (0, 0.9), got {share!r}."
            )


@dataclass(frozen=True, kw_only=True)
class BGMConfig(SharedConfig):
    """Options of BGM."""

    likelihood: Literal["gaussian", "low-rank", "bernoulli"] = "gaussian"
    """Distribution of the columns given the latents: independent normal noise, normal noise that
    is correlated between columns, or Bernoulli for tables of probabilities. Columns with two
    values are Bernoulli in all three."""
    rank: int = 2
    """Number of factors of the correlated noise in ``likelihood="low-rank"``; more allow richer
    correlations between columns and cost time."""
    missingness: Literal["mar", "mnar"] = "mar"
    """Model of missingness. ``"mar"`` assumes that whether a value is missing does not depend on
    it; ``"mnar"`` learns how it does."""
    missingness_units: Any = ()
    """Hidden layers of a perceptron of all columns in the model of missingness; empty for a
    logistic regression of each column's missing cells on its own values."""
    generator_units: Any = (64, 64, 64)
    """Widths of the hidden layers of the generator, from latents to columns. Wider and deeper ones
    follow more complicated dependence and need more rows."""
    encoder_units: Any = (64, 64, 64)
    """Widths of the hidden layers of the encoder, from rows with missing cells to latents."""
    critic_units: Any = (64, 32, 8)
    """Widths of the hidden layers of the critics of the adversarial initialisation."""
    smallest_std: float = 0.01
    """Lower bound of the noise, in standard deviations of the column. Raise it if a column is
    rounded or nearly a function of others and training becomes unstable."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_count(self, "rank", 1)
        check_positive(self, "smallest_std")
        for name in ("missingness_units", "generator_units", "encoder_units", "critic_units"):
            _check_units(self, name, empty=name == "missingness_units")
        if self.missingness == "mnar" and self.likelihood != "gaussian":
            raise InputError(
                f"missingness='mnar' needs likelihood='gaussian', got {self.likelihood!r}: missing "
                "cells are drawn together with the latents, and must be continuous."
            )
        if self.missingness == "mnar" and self.latents != "importance":
            raise InputError(
                f"missingness='mnar' needs latents='importance', got {self.latents!r}."
            )


@dataclass(frozen=True, kw_only=True)
class ImageBGMConfig(SharedConfig):
    """Options of ImageBGM."""

    image_shape: Any = (28, 28, 1)
    """Height, width and channels of an image, in pixels."""
    n_latents: int | Literal["auto"] = 10
    """Width of the latents z. More latents can follow more directions of variation and take longer
    to fit; ``"auto"`` takes as many as the principal components of the pixels that explain 90 % of
    the variance, 2 to 20."""
    n_steps: int = 2000
    """Updates of the main training. Raise it if the bound still rises at the end of the training
    curves; time grows in proportion."""
    batch_size: int = 128
    """Images of one update. Smaller batches make updates noisier and cheaper."""
    learning_rate: float = 5e-3
    """Largest step size of the main training; it falls to a hundredth by a cosine. Lower it if the
    loss jumps or updates are skipped."""
    n_importance: int = 5
    """Importance draws of each image in the bound of ``latents="importance"``. More draws bring
    the bound closer to the likelihood and cost time in proportion."""
    n_warmup: int = 40
    """Transitions of every chain before its first draw is kept. Raise it if R-hat is high."""
    n_leapfrog: int = 5
    """Leapfrog steps of one Hamiltonian trajectory. More carry a chain farther for each draw and
    cost time in proportion."""
    n_evidence: int = 100
    """Importance draws of every image in ``score_samples`` and ``transform``. Raise it if
    ``evidence_ess`` is small."""
    width: int = 32
    """Channels of the convolutional layer next to the pixels; deeper layers have more. Wider
    networks draw finer detail and take longer."""
    dropout: float = 0.3
    """Probability that a unit of the critic of images is dropped in the adversarial
    initialisation."""
    pixels: Literal["probability", "binary"] = "probability"
    """What imputed and new pixels are: the probability of being on, or draws of 0 and 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_units(self, "image_shape", empty=False)
        if len(self.image_shape) != 3:
            raise InputError(
                f"image_shape is (height, width, channels), got {self.image_shape!r}; grey images "
                "have one channel, (28, 28, 1)."
            )
        _check_count(self, "width", 1)
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must lie in [0, 1), got {self.dropout!r}.")


def _check_count(config: Any, name: str, least: int) -> None:
    value = getattr(config, name)
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(
            f"{type(config).__name__}: {name} must be an integer of at least {least}, got "
            f"{value!r}."
        )


def _check_units(config: Any, name: str, *, empty: bool) -> None:
    value = getattr(config, name)
    sizes = list(value) if isinstance(value, (list, tuple)) else None
    if sizes is None or (not sizes and not empty) or not all(_is_size(s) for s in sizes):
        raise InputError(
            f"{type(config).__name__}: {name} must be a sequence of positive integers, got "
            f"{value!r}."
        )


def _is_size(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0
