"""The variant whose latents have a prior that depends on a label, drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.compat.bayesgm.models.causalbgm.base import CausalBGM
from aetia.randomness import torch_generator

__all__ = ["IdentifiableCausalBGM"]

_SEGMENTS = 100


class IdentifiableCausalBGM(CausalBGM):
    """CausalBGM with labels that are drawn at random, as in the original.

    Random labels say nothing about the latents and identify nothing; labels that were observed go
    to ``aetia.effects.causalbgm.IdentifiableCausalBGM``. The original's ``fit`` fails.

    Args:
        params: The same keys as those of :class:`CausalBGM`; also ``n_segments`` and
            ``prior_units``.
        timestamp: Name of the run; None for the local time.
        random_seed: Seed of this object alone; no global generator is touched. None is fresh
            entropy.
    """

    _name = "IdentifiableCausalBGM"
    burn_in = 5000
    """Steps before the first draw; the original's ``predict`` has no argument for them."""

    def fit(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        data: Any,
        batch_size: int = 32,
        epochs: int = 100,
        epochs_per_eval: int = 5,
        startoff: int = 0,
        use_egm_init: bool = True,
        egm_n_iter: int = 30000,
        egm_batches_per_eval: int = 500,
        verbose: int = 1,
        save_format: str = "txt",
    ) -> None:
        """Train, always from fresh weights and labels.

        Args:
            data: ``(data_x, data_y, data_v)``.
            batch_size: Units of a step.
            epochs: Passes of the iterative updating; one more is made.
            epochs_per_eval: Passes between evaluations.
            startoff: First epoch that can be the best one.
            use_egm_init: Whether encoder and networks are initialised together, against a critic.
            egm_n_iter: Updates of this initialisation.
            egm_batches_per_eval: Updates between evaluations of this initialisation.
            verbose: Whether to tell evaluations.
            save_format: ``"txt"``, ``"csv"`` or ``"npy"``.
        """
        super().fit(
            data,
            epochs=epochs,
            epochs_per_eval=epochs_per_eval,
            batch_size=batch_size,
            startoff=startoff,
            use_egm_init=use_egm_init,
            egm_n_iter=egm_n_iter,
            egm_batches_per_eval=egm_batches_per_eval,
            save_format=save_format,
            verbose=verbose,
        )

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        data: Any,
        alpha: float = 0.01,
        n_mcmc: int = 3000,
        x_values: Any = None,
        q_sd: float | None = 1.0,
        sample_y: bool = True,
        bs: int = 100,
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k 2"]]:
        """Estimate effects with intervals; the units get new random labels.

        Args:
            data: ``(data_x, data_y, data_v)``.
            alpha: Significance level of the intervals.
            n_mcmc: Draws of the latents.
            x_values: Values of a continuous treatment.
            q_sd: Standard deviation of proposals; None or negative adapts it.
            sample_y: Whether outcomes carry their noise.
            bs: Draws at once.

        Returns:
            As :meth:`CausalBGM.predict`.
        """
        return self._predict(
            data,
            alpha,
            x_values,
            n_mcmc=n_mcmc,
            burn_in=self.burn_in,
            q_sd=q_sd,
            sample_y=sample_y,
            units_at_once=10**9,
            draws_at_once=bs,
        )

    def _segments(self, n: int, stream: int) -> Tensor | None:
        generator = torch_generator(self._seeds(_SEGMENTS, stream))
        return torch.randint(self.params["n_segments"], (n,), generator=generator)
