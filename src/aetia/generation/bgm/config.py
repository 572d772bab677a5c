"""All options of BGM and ImageBGM, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

from aetia.errors import InputError
from aetia.options import check_literals, check_positive

__all__ = ["BGMConfig", "ImageBGMConfig"]


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """Options that tables and images have in common. Steps are optimiser updates."""

    n_latents: int | Literal["auto"] = "auto"
    latents: Literal["importance", "sample", "map"] = "importance"
    """How the latents are dealt with in training: integrated out by importance draws, followed by
    a chain for each row, or replaced by their mode (the original)."""
    n_egm_steps: int = 0
    """Steps of the adversarial start, with which the original begins. Measured, it does not help
    the main training (docs/bgm.md), so there is none by default."""
    n_steps: int = 2000
    """Steps of the main training."""
    batch_size: int = 256
    learning_rate: float = 1e-2
    weight_decay: float = 0.3
    """Decoupled decay of the weight matrices, in each step times the learning rate."""
    latent_learning_rate: float = 5e-3
    """Of the latents in ``latents="map"``."""
    egm_learning_rate: float = 1e-3
    n_importance: int = 10
    """Draws in the bound of ``latents="importance"``."""
    gradient_penalty: float = 0.0
    """Weight of the penalty on the critics' slopes (gamma in the paper)."""
    variance_penalty: float = 0.0
    """Weight of the squared variances in the adversarial start (alpha in the paper)."""
    n_critic_steps: int = 1
    """Updates of the critics for each of generator and encoder in the adversarial start."""
    bayesian_generator: bool = False
    """Whether the generator's weights have a posterior; one draw of them serves one draw."""
    kl_weight: float | Literal["auto"] = "auto"
    """Of that posterior's divergence from its prior; ``"auto"`` is one over the number of rows that
    are learned from, with which the loss is a bound of the evidence."""
    validation_share: float = 0.1
    """Rows that choose the weights, at most 1,000."""
    patience: int = 20
    """Validations (a twentieth of the steps each) without improvement before training stops. The
    best weights usually come late, when the learning rate has fallen."""
    n_chains: int = 4
    n_warmup: int = 100
    """Steps of every chain before its first draw."""
    n_leapfrog: int = 8
    n_starts: int = 200
    """Importance draws of every row from which the chains' starts are chosen."""
    n_evidence: int = 500
    """Importance draws of every row in ``score_samples`` and ``transform``."""
    max_megabytes: float = 1024.0
    """Memory for draws; beyond it results are reduced to mean, deviation and quantiles."""

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
class BGMConfig(_Shared):
    """Options of BGM."""

    likelihood: Literal["gaussian", "low-rank", "bernoulli"] = "gaussian"
    """Law of the columns given the latents. Columns with two values always have a Bernoulli law."""
    rank: int = 2
    """Columns of U in ``likelihood="low-rank"``."""
    missingness: Literal["mar", "mnar"] = "mar"
    """``"mnar"``: whether a value is missing may depend on the value; the law is learned."""
    missingness_units: Any = ()
    """Hidden layers of a perceptron of all columns in the law of what is seen; empty for a logistic
    regression of each column's holes on its own values."""
    generator_units: Any = (64, 64, 64)
    encoder_units: Any = (64, 64, 64)
    critic_units: Any = (64, 32, 8)
    smallest_std: float = 0.01
    """Floor of the noise, in standard deviations of the column."""

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
class ImageBGMConfig(_Shared):
    """Options of ImageBGM."""

    image_shape: Any = (28, 28, 1)
    """Height, width, channels."""
    n_latents: int | Literal["auto"] = 10
    """``"auto"`` goes by the principal components of the pixels."""
    n_steps: int = 2000
    batch_size: int = 128
    learning_rate: float = 5e-3
    n_importance: int = 5
    n_warmup: int = 40
    n_leapfrog: int = 5
    n_evidence: int = 100
    width: int = 32
    """Channels of the layer next to the pixels; deeper layers have more."""
    dropout: float = 0.3
    """In the critic of images."""
    pixels: Literal["probability", "binary"] = "probability"
    """What imputed and new pixels are: the probability of being on, or 0 and 1."""

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
