"""ImageDDDM: new images by a distributional diffusion model (De Bortoli et al., 2025)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator
from torch import Tensor

from aetia.data.accepts import Accepts
from aetia.devices import pick_device
from aetia.errors import InputError, NumericalError
from aetia.generation.diffusion.images.config import ImageDDDMConfig
from aetia.generation.diffusion.images.draws import draw_images
from aetia.generation.diffusion.images.files import load_image_model, save_image_model
from aetia.generation.diffusion.images.fitted import FittedImages
from aetia.generation.diffusion.images.fitting import build_image_network, fit_image_denoiser
from aetia.generation.diffusion.images.scale import ImageScale, read_images
from aetia.generation.diffusion.process.distances import Distance
from aetia.generation.diffusion.process.schedule import NoiseSchedule
from aetia.nets import seeded
from aetia.not_fitted import check_fitted
from aetia.options import options_dict
from aetia.randomness import RandomState, seed_sequence, torch_generator
from aetia.results import Draws, RunFacts
from aetia.results.earlier_keys import Diagnostics

__all__ = ["ImageDDDM"]

_FEWEST_IMAGES = 10
_MOST_HELD_OUT = 500


class ImageDDDM(BaseEstimator):
    """Learn what images look like; draw new ones in one or a few steps, of a label if wanted.

    A diffusion transformer draws clean images from noised ones and is trained by a proper score of
    its draws. Every option is described in
    :class:`aetia.generation.diffusion.images.config.ImageDDDMConfig`.

    Args:
        image_shape: Height, width and channels of an image, in pixels.
        preset: What ``"auto"`` stands for in all other options: ``"default"`` is what measured
            best, ``"paper"`` holds the values of De Bortoli et al. (2025).
        schedule: How data turn into noise over time: ``"linear"``, ``"cosine"``, a mapping with
            ``name`` and options, or an object with ``alpha`` and ``sigma``.
        distance: Distance by which the score compares draws with the data: ``"energy"``,
            ``"annealed-energy"``, ``"rbf"``, ``"imq"``, ``"exponential"``, a mapping with ``name``
            and options, or an object. Energy distances need no bandwidth.
        interaction: Weight of the repulsion between the draws of a population (lambda), 0 to 1.
            With 1 the score is proper; below 1 draws become too narrow. ``"annealed"`` rises from 0
            at the data to 1 at noise.
        population: Draws of each image in a training step (m). More make gradients less noisy and
            cost time in proportion.
        time_weight: How much each time counts in the loss: ``"flat"``, or ``"sigmoid"``, which
            favours times near the data and makes chains of few steps worse.
        weight_bias: Bias of the sigmoid weight (b); below 0, times near noise count more.
        noise_share: Share of the images that are trained at pure noise, where chains of one step
            begin; the times of the others are uniform.
        network: The network: ``"residual"`` starts from the best linear guess; ``"plain"`` predicts
            the data directly, as in the paper.
        scaling: How pixels are scaled: ``"standardise"`` gives each channel mean 0 and all pixels
            variance 1; ``"signed"`` puts pixels into [-1, 1].
        patch_size: Side of a token in pixels. Smaller patches draw finer detail; time grows with
            the square of the number of tokens.
        width: Width of a token; a multiple of ``n_heads``. Wider networks learn more and cost time
            and memory.
        depth: Number of transformer blocks; more learn more complicated images and cost time in
            proportion.
        n_heads: Attention heads of each block.
        mlp_ratio: Hidden units of the perceptron in a block, as a multiple of the width.
        n_time_features: Number of sinusoids that tell the network the time.
        n_shared: Blocks, of ``depth``, that run once for all draws of an image. More are faster and
            leave fewer blocks that know the noise.
        class_dropout: Share of the labels that are hidden in training, which guidance needs;
            without labels it has no effect.
        flip: Whether training mirrors images at random, left to right; wrong for digits and
            letters.
        crop: Largest shift of training images in pixels; the border is filled by reflection. 0
            shifts none.
        n_training_steps: Optimiser updates of the training. Raise it if the validation loss still
            falls at the end; time grows in proportion.
        batch_size: Images of one update. Smaller batches make updates noisier and cheaper.
        learning_rate: Largest learning rate. Lower it if the loss jumps or updates are skipped.
        lr_schedule: Whether the learning rate stays as it is (``"constant"``) or falls to 0 along a
            cosine (``"cosine"``), which makes the last weights less noisy.
        weight_decay: Decoupled decay of the weight matrices; raise it against overfitting.
        clip_norm: Largest norm of a gradient; longer ones are shortened to it. 0 sets no limit.
        ema_decay: Decay, for each update, of the exponential average of the weights, which is what
            is used; 0 uses the last weights. At most 1 - 8 / steps is taken: the average of a short
            run must forget its initialisation.
        validation_share: Share of the images, at most 500 of them, that are kept for validation and
            choose the best checkpoint; 0 trains on all images and keeps the last weights.
        n_steps: Steps of the reverse chain when sampling; more are slower and, up to about 20,
            closer to the data.
        time_grid: Times of the reverse chain: ``"uniform"``, ``"cosine"`` (dense at both ends),
            ``"power"`` (dense at noise), ``"edm"`` (noise levels of Karras et al., 2022), or times
            that rise from 0 to 1.
        churn: Share of the noise that each step of the reverse chain renews, 0 to 1: with 0 a chain
            keeps its noise, with 1 every step draws it anew. Lower it if many steps make draws
            worse.
        max_megabytes: Memory in megabytes that draws may take; beyond it results are reduced to
            mean, standard deviation and quantiles.
        random_state: Seed of everything random: None, an integer or a NumPy generator.
        device: Device to compute on: ``"auto"``, ``"cpu"`` or ``"cuda"``, which multiplies in
            bfloat16.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        classes_: Labels of the fit; empty without.
        facts_: What is known about the run: seed, version, device, time, steps, configuration.
        health_: Numbers of images and parameters, skipped updates.
        history_: The health record of the training loop.

    Example:
        >>> import numpy as np
        >>> from aetia.generation import ImageDDDM
        >>> bars = np.zeros((40, 4, 4))
        >>> bars[:20, 2], bars[20:, :, 1] = 1.0, 1.0
        >>> model = ImageDDDM((4, 4, 1), width=16, depth=2, n_shared=1, n_training_steps=5,
        ...                   random_state=0).fit(bars, [0] * 20 + [1] * 20)
        >>> model.sample(3, label=1, n_steps=2).shape
        (1, 3, 4, 4, 1)
    """

    accepts = Accepts(kinds=("continuous",), interventions=False)

    def __init__(
        self,
        image_shape: Sequence[int] = (8, 8, 1),
        *,
        preset: Literal["default", "paper"] = "default",
        schedule: Literal["linear", "cosine"] | Mapping[str, Any] | NoiseSchedule = "linear",
        distance: (
            Literal["auto", "energy", "annealed-energy", "rbf", "imq", "exponential"]
            | Mapping[str, Any]
            | Distance
        ) = "auto",
        interaction: float | Literal["annealed"] = 1.0,
        population: int | Literal["auto"] = "auto",
        time_weight: Literal["auto", "flat", "sigmoid"] = "auto",
        weight_bias: float = 0.0,
        noise_share: float | Literal["auto"] = "auto",
        network: Literal["auto", "residual", "plain"] = "auto",
        scaling: Literal["auto", "standardise", "signed"] = "auto",
        patch_size: int | Literal["auto"] = "auto",
        width: int | Literal["auto"] = "auto",
        depth: int | Literal["auto"] = "auto",
        n_heads: int | Literal["auto"] = "auto",
        mlp_ratio: float = 4.0,
        n_time_features: int = 64,
        n_shared: int | Literal["auto"] = "auto",
        class_dropout: float = 0.1,
        flip: bool = False,
        crop: int = 0,
        n_training_steps: int | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        lr_schedule: Literal["auto", "constant", "cosine"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        clip_norm: float = 1.0,
        ema_decay: float | Literal["auto"] = "auto",
        validation_share: float | Literal["auto"] = "auto",
        n_steps: int | Literal["auto"] = "auto",
        time_grid: Literal["uniform", "cosine", "power", "edm"] | Sequence[float] = "uniform",
        churn: float = 1.0,
        max_megabytes: float = 1024.0,
        random_state: RandomState = None,
        device: str = "auto",
        progress: bool | None = None,
    ) -> None:
        self.image_shape = image_shape
        self.preset = preset
        self.schedule = schedule
        self.distance = distance
        self.interaction = interaction
        self.population = population
        self.time_weight = time_weight
        self.weight_bias = weight_bias
        self.noise_share = noise_share
        self.network = network
        self.scaling = scaling
        self.patch_size = patch_size
        self.width = width
        self.depth = depth
        self.n_heads = n_heads
        self.mlp_ratio = mlp_ratio
        self.n_time_features = n_time_features
        self.n_shared = n_shared
        self.class_dropout = class_dropout
        self.flip = flip
        self.crop = crop
        self.n_training_steps = n_training_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.ema_decay = ema_decay
        self.validation_share = validation_share
        self.n_steps = n_steps
        self.time_grid = time_grid
        self.churn = churn
        self.max_megabytes = max_megabytes
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> ImageDDDM:
        """Learn from images.

        Args:
            X: Images ``[n, height, width, channels]``, or ``[n, height, width]`` for grey ones,
                with pixels in [0, 1].
            y: Labels to draw by; None learns without.

        Returns:
            The fitted estimator.

        Raises:
            InputError: If images, labels or options cannot be used.
            NumericalError: If the weights do not stay finite.
        """
        started = time.perf_counter()
        config = ImageDDDMConfig(**{f.name: getattr(self, f.name) for f in fields(ImageDDDMConfig)})
        vars(self).pop("_fit_result", None)  # a failed fit must not leave the answer of another
        pixels = read_images(X, _shape(config))
        if len(pixels) < _FEWEST_IMAGES:
            raise InputError(
                f"{len(pixels)} image(s) were passed; at least {_FEWEST_IMAGES} are needed, and "
                "some thousands for a good model."
            )
        classes, codes = _classes(y, len(pixels))
        device = pick_device(self.device)
        seeds = seed_sequence(self.random_state)
        build, split, learn = seeds.spawn(3)
        scale = ImageScale.of(pixels, config.value("scaling"))
        with seeded(torch_generator(build)):
            network = build_image_network(config, len(classes)).to(device)
        n_held = min(int(config.value("validation_share") * len(pixels)), _MOST_HELD_OUT)
        held = torch.randperm(len(pixels), generator=torch_generator(split))[:n_held]
        seed = int(learn.generate_state(1)[0])
        trained = fit_image_denoiser(
            network, scale.to_model(pixels), codes, held, config, device, seed, self.progress
        )
        network.eval().requires_grad_(False)
        if not all(bool(p.isfinite().all()) for p in network.parameters()):
            raise NumericalError("the network's weights are not finite; lower learning_rate.")
        facts = RunFacts(
            method="image-dddm",
            seed=int(str(seeds.entropy)),
            device=str(device),
            seconds=time.perf_counter() - started,
            n_steps=trained.step,
            best_step=trained.best_step,
            config=options_dict(config),
        )
        health = {
            "n_images": len(pixels),
            "n_parameters": sum(p.numel() for p in network.parameters()),
            "n_skipped": trained.n_skipped,
        }
        fit = FittedImages(
            config=config,
            network=network,
            scale=scale,
            classes=classes,
            facts=facts,
            health=health,
            rows=trained.rows,
        )
        self._take(fit)
        return self

    def sample(
        self,
        n: int = 100,
        label: Any = None,
        n_steps: int | None = None,
        guidance: float = 1.0,
        *,
        random_state: RandomState = None,
    ) -> Draws:
        """Draw new images.

        Args:
            n: How many.
            label: What they show: one of ``classes_``, or one for each image. None: anything.
            n_steps: Steps of the sampler; None for the configured number.
            guidance: Above 1, images are more typical of their label than images with this label
                are; 1 draws from their distribution.
            random_state: Seed of the draws; None derives it from the seed of the fit.

        Returns:
            ``[1, n, height, width, channels]``.

        Raises:
            InputError: If a label is unknown, or guidance is asked of a fit that cannot give it.
        """
        fit = self._fitted()
        _check_count("n", n)
        codes = self._codes(label, n)
        self._check_guidance(guidance, codes)
        drawn = self._draw(n, codes, n_steps, guidance, self._seeds(random_state, 0))
        about = {**fit.health, "n_sampler_steps": n_steps, "guidance": guidance}
        return Draws.of_values(
            drawn[None],
            max_megabytes=fit.config.max_megabytes,
            facts=fit.facts,
            diagnostics=about,
        )

    def energy_scores(
        self,
        X: Any,
        y: Any = None,
        n_draws: int = 200,
        n_steps: int | None = None,
        *,
        random_state: RandomState = None,
    ) -> Float[np.ndarray, " n"]:
        r"""Score how well the distribution of new images meets given ones.

        .. math:: E \lVert \hat X - x \rVert - \frac12 E \lVert \hat X - \hat X' \rVert

        with the Euclidean norm of pixels (Gneiting & Raftery, 2007). Draws are shared by the
        images of a label, so that scores of models differ less by chance than their draws do.

        Args:
            X: Images.
            y: Their labels, for the distribution given the label; None for that of all images.
            n_draws: Draws behind every score.
            n_steps: Steps of the sampler; None for the configured number.
            random_state: Seed of the draws; None derives it from the seed of the fit.

        Returns:
            One score for each image, smaller is better; unbiased in the number of draws.

        Raises:
            InputError: If images or labels cannot be used.
        """
        self._fitted()
        if isinstance(n_draws, bool) or n_draws < 2:
            raise InputError(f"n_draws must be at least 2, got {n_draws!r}.")
        images = torch.from_numpy(read_images(X, _shape(self._fitted().config))).flatten(1).double()
        codes = None if y is None else self._codes(y, len(images))
        seeds = self._seeds(random_state, 1)
        scores = torch.empty(len(images), dtype=torch.float64)
        groups = [-1] if codes is None else codes.unique().tolist()
        for code, stream in zip(groups, seeds.spawn(len(groups)), strict=True):
            mine = torch.ones(len(images), dtype=torch.bool) if codes is None else codes == code
            asked = None if codes is None else torch.full((n_draws,), code)
            drawn = self._draw(n_draws, asked, n_steps, 1.0, stream)
            population = torch.from_numpy(drawn).flatten(1).double()
            spread = torch.pdist(population).mean()
            scores[mine] = torch.cdist(images[mine], population).mean(1) - spread / 2
        return scores.numpy()

    def score(self, X: Any, y: Any = None) -> float:
        """Average the energy scores, with the sign that scikit-learn expects.

        Args:
            X: Images.
            y: Their labels, if the fit had some.

        Returns:
            Minus the mean of :meth:`energy_scores`; larger is better.
        """
        given = y if self._fitted().classes else None
        return -float(self.energy_scores(X, given).mean())

    def save(self, path: str | Path) -> None:
        """Write the fitted model to one file in a folder, atomically. The images are not in it.

        Args:
            path: The folder; made if needed.
        """
        save_image_model(path, self._fitted())

    @classmethod
    def load(cls, path: str | Path) -> ImageDDDM:
        """Read a model written by :meth:`save`, onto the CPU.

        Args:
            path: The folder.

        Returns:
            A fitted estimator that gives the same seeded draws.
        """
        return cls.of_fit(load_image_model(path))

    @classmethod
    def of_fit(cls, fit: FittedImages) -> ImageDDDM:
        """Wrap a network that was trained elsewhere.

        Args:
            fit: The network with its options.

        Returns:
            A fitted estimator.
        """
        made = cls(**{f.name: getattr(fit.config, f.name) for f in fields(fit.config)})
        made._take(fit)
        return made

    def _take(self, fit: FittedImages) -> None:
        self._fit_result = fit
        self.classes_ = np.array(fit.classes)
        self.facts_ = fit.facts
        self.health_ = Diagnostics(fit.health, fit.facts)
        self.history_ = fit.rows

    def _fitted(self) -> FittedImages:
        check_fitted(self, "_fit_result", call="fit(images)")
        return self._fit_result

    def _seeds(self, random_state: RandomState, question: int) -> np.random.SeedSequence:
        """Make the stream of a question; by default it depends on the fit's seed alone."""
        if random_state is not None:
            return seed_sequence(random_state)
        return np.random.SeedSequence([self._fitted().facts.seed or 0, question])

    def _draw(
        self,
        n: int,
        codes: Int[Tensor, " n"] | None,
        n_steps: int | None,
        guidance: float,
        seeds: np.random.SeedSequence,
    ) -> Float[np.ndarray, "n h w c"]:
        fit = self._fitted()
        if n_steps is not None:
            _check_count("n_steps", n_steps)
        generator = torch_generator(seeds, next(fit.network.parameters()).device)
        z = draw_images(
            fit.network, fit.config, n, codes, generator, n_steps=n_steps, guidance=guidance
        )
        return fit.scale.to_pixels(z)

    def _check_guidance(self, guidance: float, codes: Int[Tensor, " n"] | None) -> None:
        if guidance == 1:
            return
        if not self._fitted().classes or not self._fitted().config.class_dropout:
            raise InputError(
                f"guidance={guidance} compares draws with and without a label; this model was "
                "fitted without labels or with class_dropout=0. Fit with labels: fit(images, y)."
            )
        if codes is None:
            raise InputError(f"guidance={guidance} needs a label to guide to; pass label=.")

    def _codes(self, label: Any, n: int) -> Int[Tensor, " n"] | None:
        """Codes of labels, one for each image."""
        if label is None:
            return None
        classes = self._fitted().classes
        if not classes:
            raise InputError("this model was fitted without labels; fit(images, y) learns them.")
        asked = np.broadcast_to(label, (n,)) if np.ndim(label) == 0 else np.asarray(label)
        if asked.shape != (n,):
            raise InputError(f"one label or {n} were expected, got {list(asked.shape)}.")
        code_of = {c: k for k, c in enumerate(classes)}
        unknown = [c for c in asked.tolist() if c not in code_of]
        if unknown:
            raise InputError(f"no label {unknown[0]!r}; the fit had {list(classes)}.")
        return torch.tensor([code_of[c] for c in asked.tolist()])


def _shape(config: ImageDDDMConfig) -> tuple[int, int, int]:
    height, width, channels = config.image_shape
    return int(height), int(width), int(channels)


def _classes(y: Any, n: int) -> tuple[tuple[Any, ...], Int[Tensor, " n"] | None]:
    """Name the labels, and number them."""
    if y is None:
        return (), None
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise InputError(f"{n} labels were expected, one for each image; got {list(labels.shape)}.")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise InputError("some labels are missing; leave these images out.")
    names, codes = np.unique(labels, return_inverse=True)
    return tuple(names.tolist()), torch.from_numpy(codes.astype(np.int64))


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"{name} must be a positive integer, got {value!r}.")
