"""ImageBGM: a Bayesian generative model of images (Liu & Wong, 2026, arXiv 2601.05355)."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator

from aetia.data import Rows
from aetia.data.accepts import Accepts
from aetia.devices import pick_device
from aetia.errors import InputError
from aetia.generation.bgm.config import ImageBGMConfig
from aetia.generation.bgm.files import load_model, save_model
from aetia.generation.bgm.fit import fit_model
from aetia.generation.bgm.model import FittedModel
from aetia.generation.bgm.table import check_unit_interval, scales_of
from aetia.not_fitted import check_fitted
from aetia.randomness import RandomState, seed_sequence
from aetia.results import Draws
from aetia.results.earlier_keys import Diagnostics

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MNISTBGM", "ImageBGM"]

_SMALLEST_TABLE = 10


class ImageBGM(BaseEstimator):
    """Learn what images look like; fill in missing pixels, draw new images.

    Convolutional networks and a Bernoulli distribution for every pixel; grey values count as
    probabilities. The noise of the logits is integrated out, so the sampler has a fixed target; the
    original draws it anew in every evaluation.

    Args:
        image_shape: Height, width and channels of an image, in pixels.
        n_latents: Width of the latents z. More latents can follow more directions of variation and
            take longer to fit; ``"auto"`` takes as many as the principal components of the pixels
            that explain 90 % of the variance, 2 to 20.
        latents: How the latents are treated in training: integrated out by importance draws,
            followed by one chain for each row, or replaced by their mode (the original, which makes
            the noise too small).
        n_egm_steps: Updates of the adversarial initialisation, with which the original begins.
            Measured, it does not help the main training (docs/bgm.md), so there is none by default.
        n_steps: Updates of the main training. Raise it if the bound still rises at the end of the
            training curves; time grows in proportion.
        batch_size: Images of one update. Smaller batches make updates noisier and cheaper.
        learning_rate: Largest step size of the main training; it falls to a hundredth by a cosine.
            Lower it if the loss jumps or updates are skipped.
        weight_decay: Decoupled decay of the weight matrices; every update shrinks them by this
            times the learning rate. Raise it if the validation bound falls while the training bound
            rises.
        latent_learning_rate: Step size of the latents, which only ``latents="map"`` moves by
            gradients.
        egm_learning_rate: Step size of the adversarial initialisation, constant over its updates.
        n_importance: Importance draws of each image in the bound of ``latents="importance"``. More
            draws bring the bound closer to the likelihood and cost time in proportion.
        gradient_penalty: Penalty weight on the slopes of the critics (gamma in the paper); 0
            switches it off. It only matters in the adversarial initialisation.
        variance_penalty: Penalty weight on the squared variances in the adversarial initialisation
            (alpha in the paper); 0 switches it off.
        n_critic_steps: Updates of the critics for each update of generator and encoder in the
            adversarial initialisation.
        bayesian_generator: Whether the weights of the generator have a posterior, so that draws
            also show how uncertain the networks are; one draw of the weights then serves one draw
            of the rows, which is slower.
        kl_weight: Weight of the divergence of that posterior from its prior. ``"auto"`` is one over
            the number of training rows, with which the loss bounds the evidence; less makes the
            posterior narrower.
        width: Channels of the convolutional layer next to the pixels; deeper layers have more.
            Wider networks draw finer detail and take longer.
        dropout: Probability that a unit of the critic of images is dropped in the adversarial
            initialisation.
        pixels: What imputed and new pixels are: the probability of being on, or draws of 0 and 1.
        validation_share: Share of the rows, at most 1,000 of them, that are kept for validation:
            they choose the best checkpoint and the end of training.
        patience: Validations without improvement, each after a twentieth of the updates, before
            training stops. Lower it to save time; the best checkpoint usually comes late, when the
            learning rate has fallen.
        n_chains: Chains of every row with missing cells, from which its draws are taken. At least
            two are needed for R-hat.
        n_warmup: Transitions of every chain before its first draw is kept. Raise it if R-hat is
            high.
        n_leapfrog: Leapfrog steps of one Hamiltonian trajectory. More carry a chain farther for
            each draw and cost time in proportion.
        n_starts: Importance draws of every row among which the initial positions of its chains are
            chosen.
        n_evidence: Importance draws of every image in ``score_samples`` and ``transform``. Raise it
            if ``evidence_ess`` is small.
        max_megabytes: Memory in megabytes that draws may take; beyond it results are reduced to
            mean, standard deviation and quantiles.
        random_state: Seed of everything random: None, an integer or a NumPy generator.
        device: Device to compute on: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        model_: Networks, facts.
        facts_: What is known about the run: seed, version, device, time, steps, configuration.
        health_: Width of the latents, bound on the validation images, skipped updates.
        history_: Losses of both stages, a row for each logged step.
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

    accepts = Accepts(kinds=("continuous",), missing=True, interventions=False)

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
        """Draw the missing pixels of images from their posterior predictive distribution.

        Args:
            X: Images, NaN where a pixel is missing; None for those of the fit.
            n_draws: Draws of every missing pixel.
            random_state: Seed of the draws; None derives it from the seed of the fit.

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
            n_draws: Draws of every missing pixel.

        Returns:
            Lower and upper ends; both are the value where it was given. With
            ``pixels="probability"`` they are of the probability, not of the grey value.
        """
        return self.impute(X, n_draws).interval(level)

    def sample(self, n: int = 100, *, random_state: RandomState = None) -> Draws:
        """Draw new images.

        Args:
            n: How many.
            random_state: Seed of the draws; None derives it from the seed of the fit.

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
        """Write the fitted model to one file in a folder, atomically. The images are not in it.

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
        self.facts_ = model.facts
        self.health_ = Diagnostics(model.health, model.facts)
        self.history_ = model.history
        self.n_latents_ = int(model.health["n_latents"])

    def _fitted(self) -> FittedModel:
        check_fitted(self, "model_", call="fit(images)")
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
