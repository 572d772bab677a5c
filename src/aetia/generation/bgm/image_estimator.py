"""ImageBGM: a Bayesian generative model of images (Liu & Wong, 2026, arXiv 2601.05355)."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator

from aetia.data import Rows
from aetia.devices import pick_device
from aetia.errors import InputError
from aetia.generation.bgm.config import ImageBGMConfig
from aetia.generation.bgm.files import load_model, save_model
from aetia.generation.bgm.model import FittedModel, fit_model
from aetia.generation.bgm.table import check_unit_interval, scales_of
from aetia.randomness import RandomState, seed_sequence
from aetia.results import Draws

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MNISTBGM", "ImageBGM"]

_SMALLEST_TABLE = 10


class ImageBGM(BaseEstimator):
    """Learn what images look like; fill in missing pixels, draw new images.

    Convolutional networks and a Bernoulli law for every pixel; grey values count as probabilities.
    The noise of the logits is integrated out, so the sampler has a fixed target; the original draws
    it anew in every evaluation. Every option is described in
    :class:`aetia.generation.bgm.config.ImageBGMConfig`.

    Args:
        image_shape: Height, width, channels.
        n_latents: Width of z; ``"auto"`` goes by the principal components of the pixels.
        latents: ``"importance"``, ``"sample"`` or ``"map"``.
        n_egm_steps: Steps of the adversarial start.
        n_steps: Steps of the main training.
        batch_size: Images of a step.
        learning_rate: Of the main training.
        weight_decay: Decay of the weight matrices.
        latent_learning_rate: Of the latents in ``latents="map"``.
        egm_learning_rate: Of the adversarial start.
        n_importance: Draws in the bound.
        gradient_penalty: Weight of the penalty on the critics' slopes.
        variance_penalty: Weight of the squared variances in the adversarial start.
        n_critic_steps: Updates of the critics for each of generator and encoder.
        bayesian_generator: Whether the generator's weights have a posterior.
        kl_weight: Of its divergence from the prior; ``"auto"`` is one over the rows learned from.
        width: Channels of the layer next to the pixels.
        dropout: In the critic of images.
        pixels: ``"probability"`` or ``"binary"``: what imputed and new pixels are.
        validation_share: Images that choose the weights.
        patience: Validations without improvement before training stops.
        n_chains: Of every image with missing pixels.
        n_warmup: Steps of a chain before its first draw.
        n_leapfrog: Steps of a trajectory.
        n_starts: Importance draws from which starts are chosen.
        n_evidence: Importance draws of ``score_samples`` and ``transform``.
        max_megabytes: Memory for draws.
        random_state: None, an integer or a NumPy generator.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        model_: Networks, facts.
        history_: Losses of both stages.
        n_latents_: Width of z.

    Example:
        >>> import numpy as np
        >>> bars = np.zeros((40, 8, 8, 1))
        >>> bars[:20, 2], bars[20:, :, 5] = 1.0, 1.0
        >>> model = ImageBGM((8, 8, 1), n_latents=2, n_egm_steps=0, n_steps=20, width=4,
        ...                  random_state=0).fit(bars)
        >>> model.sample(3).shape
        (1, 3, 8, 8, 1)
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        n_latents: int | str = 10,
        latents: Literal["importance", "sample", "map"] = "importance",
        n_egm_steps: int = 0,
        n_steps: int = 2000,
        batch_size: int = 128,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.3,
        latent_learning_rate: float = 5e-3,
        egm_learning_rate: float = 1e-3,
        n_importance: int = 5,
        gradient_penalty: float = 0.0,
        variance_penalty: float = 0.0,
        n_critic_steps: int = 1,
        bayesian_generator: bool = False,
        kl_weight: float | Literal["auto"] = "auto",
        width: int = 32,
        dropout: float = 0.3,
        pixels: Literal["probability", "binary"] = "probability",
        validation_share: float = 0.1,
        patience: int = 20,
        n_chains: int = 4,
        n_warmup: int = 40,
        n_leapfrog: int = 5,
        n_starts: int = 200,
        n_evidence: int = 100,
        max_megabytes: float = 1024.0,
        random_state: RandomState = None,
        device: str = "auto",
        progress: bool | None = None,
    ) -> None:
        self.image_shape = image_shape
        self.n_latents = n_latents
        self.latents = latents
        self.n_egm_steps = n_egm_steps
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.latent_learning_rate = latent_learning_rate
        self.egm_learning_rate = egm_learning_rate
        self.n_importance = n_importance
        self.gradient_penalty = gradient_penalty
        self.variance_penalty = variance_penalty
        self.n_critic_steps = n_critic_steps
        self.bayesian_generator = bayesian_generator
        self.kl_weight = kl_weight
        self.width = width
        self.dropout = dropout
        self.pixels = pixels
        self.validation_share = validation_share
        self.patience = patience
        self.n_chains = n_chains
        self.n_warmup = n_warmup
        self.n_leapfrog = n_leapfrog
        self.n_starts = n_starts
        self.n_evidence = n_evidence
        self.max_megabytes = max_megabytes
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> ImageBGM:
        """Learn from images, holes and all.

        Args:
            X: Images ``[n, height, width, channels]`` (grey ones also without the channel, any
                also flat) with values in [0, 1], NaN where a pixel is missing.
            y: Ignored.

        Returns:
            The fitted estimator.

        Raises:
            InputError: If images or options cannot be used.
        """
        del y
        config = ImageBGMConfig(**{f.name: getattr(self, f.name) for f in fields(ImageBGMConfig)})
        shape = _shape(config)
        images = _flat(X, shape)
        if len(images) < _SMALLEST_TABLE:
            raise InputError(
                f"{len(images)} image(s) were passed; at least {_SMALLEST_TABLE} are needed, and "
                "some thousands for a good model."
            )
        seeds, device = seed_sequence(self.random_state), pick_device(self.device)
        vars(self).pop("model_", None)  # a failed fit must not leave the answer of another
        scales = scales_of(images, keep_scale=True)
        names = _pixel_names(shape)
        self._take(fit_model(images, names, scales, config, seeds, device, self.progress))
        self._images = images
        return self

    def impute(
        self, X: Any = None, n_draws: int = 100, *, random_state: RandomState = None
    ) -> Draws:
        """Draw the missing pixels of images from their posterior predictive law.

        Args:
            X: Images, NaN where a pixel is missing; None for those of the fit.
            n_draws: Of every missing pixel.
            random_state: Of the draws; None derives it from the seed of the fit.

        Returns:
            The draws, ``[s, n, height, width, channels]``.
        """
        model = self._fitted()
        return model.impute(self._read(X), n_draws, random_state, event=_shape(model.config))

    def predict_interval(
        self, X: Any = None, level: float = 0.9, n_draws: int = 100
    ) -> Float[np.ndarray, "n h w c 2"]:
        """Compute intervals of the missing pixels.

        Args:
            X: Images; None for those of the fit.
            level: Probability inside.
            n_draws: Of every missing pixel.

        Returns:
            Lower and upper ends; both are the value where it was given. With
            ``pixels="probability"`` they are of the probability, not of the grey value.
        """
        return self.impute(X, n_draws).interval(level)

    def sample(self, n: int = 100, *, random_state: RandomState = None) -> Draws:
        """Draw new images.

        Args:
            n: How many.
            random_state: Of the draws; None derives it from the seed of the fit.

        Returns:
            One draw of each image.
        """
        model = self._fitted()
        return model.sample(n, random_state, _shape(model.config))

    def transform(self, X: Any) -> Float[np.ndarray, "n k"]:
        """Compute the posterior mean of the latents of every image.

        Args:
            X: Images, NaN where a pixel is missing.

        Returns:
            Means of z given the seen pixels.
        """
        return self._fitted().evidence(self._read(X)).latent_mean.numpy()

    def score_samples(self, X: Any) -> Float[np.ndarray, " n"]:
        """Estimate the log likelihood of the seen pixels of every image.

        Args:
            X: Images, NaN where a pixel is missing.

        Returns:
            Bernoulli log likelihoods, grey values as probabilities.
        """
        return self._fitted().evidence(self._read(X)).log_likelihood.numpy()

    def evidence_ess(self, X: Any) -> Float[np.ndarray, " n"]:
        """Count the effective importance draws behind :meth:`score_samples`.

        Args:
            X: Images, NaN where a pixel is missing.

        Returns:
            One number for each image, at most ``n_evidence``.
        """
        return self._fitted().evidence(self._read(X)).ess.numpy()

    def save(self, path: str | Path) -> None:
        """Write the fitted model to a folder: safetensors and JSON. The images are not in it.

        Args:
            path: The folder; made if needed.
        """
        save_model(self._fitted(), path, "ImageBGM")

    @classmethod
    def load(cls, path: str | Path) -> ImageBGM:
        """Read a model written by :meth:`save`, onto the CPU.

        Args:
            path: The folder.

        Returns:
            A fitted estimator that gives the same seeded draws.
        """
        model = load_model(path, "ImageBGM")
        made = cls(**{f.name: getattr(model.config, f.name) for f in fields(ImageBGMConfig)})
        made._take(model)
        return made

    def _take(self, model: FittedModel) -> None:
        self.model_ = model
        self.history_ = model.history
        self.n_latents_ = int(model.facts["n_latents"])

    def _fitted(self) -> FittedModel:
        if not hasattr(self, "model_"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError("this ImageBGM is not fitted yet; call fit(images) first.")
        return self.model_

    def _read(self, X: Any) -> Float[np.ndarray, "n p"]:
        model = self._fitted()
        if X is None:
            if not hasattr(self, "_images"):
                raise InputError(
                    "the images of the fit are not stored with a saved model; pass them: impute(X)."
                )
            return self._images
        return _flat(X, _shape(model.config))


MNISTBGM = ImageBGM
"""The original's name; its images are 28 x 28, the default."""


def _shape(config: Any) -> tuple[int, int, int]:
    height, width, channels = config.image_shape
    return int(height), int(width), int(channels)


def _flat(X: Any, shape: tuple[int, int, int]) -> Float[np.ndarray, "n p"]:
    try:
        images = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"images must be an array of numbers: {error}") from error
    grey = shape[:2] if shape[2] == 1 else shape
    size = int(np.prod(shape))
    if images.shape[1:] not in (shape, grey, (size,)) or not len(images):
        raise InputError(
            f"images of shape [n, {', '.join(map(str, shape))}] were expected, got "
            f"{list(images.shape)}. Pass image_shape=(height, width, channels) for other sizes."
        )
    flat = images.reshape(len(images), -1)
    check_unit_interval(Rows(flat, _pixel_names(shape), ()), "pixels")
    return flat


def _pixel_names(shape: tuple[int, int, int]) -> tuple[str, ...]:
    return tuple("pixel " + ",".join(map(str, i)) for i in np.ndindex(*shape))
