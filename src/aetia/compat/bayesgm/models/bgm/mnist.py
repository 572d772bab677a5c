"""MNISTBGM: images of 28 x 28 pixels, with the original's interface."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.compat.bayesgm.arguments import check_count, read_matrix
from aetia.compat.bayesgm.models.bgm.base import BGM, N_SHOWN
from aetia.compat.bayesgm.models.bgm.options import image_options
from aetia.errors import InputError
from aetia.generation.bgm.surface import ColumnScales, Config, FittedModel, scales_of

__all__ = ["MNISTBGM"]

_SHAPE = (28, 28, 1)
_N_PIXELS = 784


class MNISTBGM(BGM):
    """A generative model of images ``(n, 28, 28, 1)`` with values in [0, 1].

    Networks and training are those of :class:`aetia.generation.bgm.ImageBGM`. Predictions are
    probabilities of a pixel being on; the noise of the logits is integrated out.

    Args:
        params: Required keys ``dataset``, ``output_dir`` and ``z_dim``; ``x_dim`` is 784.
        timestamp: Name of the run; None for the local time.
        random_seed: Seed of this object alone; no global generator is touched. None is fresh
            entropy.
    """

    _name = "MNISTBGM"

    def __init__(
        self,
        params: Mapping[str, Any],
        timestamp: str | None = None,
        random_seed: int | None = None,
    ) -> None:
        super().__init__(params, timestamp, random_seed)
        if self.params["x_dim"] != _N_PIXELS:
            raise InputError(
                f"MNISTBGM: x_dim is 784, got {self.params['x_dim']}; other sizes are for "
                "aetia.generation.bgm.ImageBGM(image_shape=...)."
            )

    def initialize_nets(self, print_summary: bool = False) -> None:
        """Tell the networks; they are fixed.

        Args:
            print_summary: Whether to print them.
        """
        if print_summary:
            k = self.params["z_dim"]
            sys.stdout.write(
                f"g_net: {k} -> 7 x 7 x 128 -> 14 x 14 x 64 -> 28 x 28 x 32 -> 28 x 28 x 1\n"
                f"e_net: 28 x 28 -> 14 x 14 x 32 -> 7 x 7 x 64 -> 7 x 7 x 128 -> 256 -> {k}\n"
                f"dz_net: {' -> '.join(map(str, [k, *self.params['dz_units'], 1]))}\n"
                "dx_net: 28 x 28 -> 14 x 14 x 64 -> 7 x 7 x 128 -> 4 x 4 x 256 -> 128 -> 1\n"
            )

    def fit(
        self,
        data: Any,
        batch_size: int = 32,
        epochs: int = 100,
        epochs_per_eval: int = 5,
        use_egm_init: bool = True,
        egm_n_iter: int = 10000,
        egm_batches_per_eval: int = 500,
        verbose: int = 1,
    ) -> None:
        """Train, always from fresh weights.

        Args:
            data: Images, NaN where a pixel is missing.
            batch_size: Images of a step.
            epochs: Passes of the iterative updating; one more is made.
            epochs_per_eval: Passes between evaluations.
            use_egm_init: Whether generator and encoder are initialised against critics.
            egm_n_iter: Updates of that initialisation.
            egm_batches_per_eval: Updates between evaluations of that initialisation.
            verbose: Whether to tell evaluations, and to show a progress bar in terminals.
        """
        super().fit(
            data,
            batch_size=batch_size,
            epochs=epochs,
            epochs_per_eval=epochs_per_eval,
            use_egm_init=use_egm_init,
            egm_n_iter=egm_n_iter,
            egm_batches_per_eval=egm_batches_per_eval,
            verbose=verbose,
        )

    def generate(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, nb_samples: int = 1000
    ) -> Float[np.ndarray, "n 28 28 1"]:
        """Draw new images. The same call gives the same images.

        Args:
            nb_samples: How many.

        Returns:
            Probabilities of the pixels.
        """
        check_count("nb_samples", nb_samples)
        return self._generate(self._fitted("generate"), nb_samples, False)[0]

    def evaluate(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, data: Any, data_z: Any = None
    ) -> float:
        """Compute the mean squared error of reconstructed pixels; missing ones do not count.

        Args:
            data: Images.
            data_z: Their latents; None encodes the images.

        Returns:
            One number.
        """
        return super().evaluate(data, data_z, use_x_sd=False)

    def _read(self, data: Any) -> Float[np.ndarray, "n p"]:
        images = np.asarray(data, dtype=np.float64)
        if images.shape[1:] not in (_SHAPE, _SHAPE[:2], (_N_PIXELS,)):
            raise InputError(f"images must have shape (n, 28, 28, 1), got {images.shape}.")
        rows = read_matrix(images.reshape(len(images), -1), "data", _N_PIXELS, missing=True)
        if np.nanmin(rows, initial=0.0) < 0 or np.nanmax(rows, initial=0.0) > 1:
            raise InputError("pixels must lie in [0, 1]; divide bytes by 255.")
        return rows

    def _shaped(self, rows: np.ndarray) -> np.ndarray:
        return rows.reshape(*rows.shape[:-1], *_SHAPE)

    def _options(self, batch_size: int) -> Config:
        return image_options(self.params, batch_size=batch_size)

    def _scales(self, values: np.ndarray) -> ColumnScales:
        return scales_of(values, keep_scale=True)

    def _moments(self, model: FittedModel, raw: Tensor) -> tuple[np.ndarray, np.ndarray]:
        on = torch.sigmoid(raw).double().cpu().numpy()
        return on, on * (1 - on)

    def _draw_cells(
        self, model: FittedModel, z: Tensor, generator: torch.Generator
    ) -> Float[np.ndarray, "n p"]:
        with torch.no_grad():
            return self._moments(model, model.networks.decoder.drawn(1, generator)(z[None])[0])[0]

    def _tell_start(self, verbose: int, model: FittedModel, values: np.ndarray, where: str) -> None:
        mse = self._evaluate(model, values, None, with_noise=False)
        self._say(verbose, f"{where}: MSE_x: {mse:.4f}")

    def _write_start(self, model: FittedModel, values: np.ndarray, step: int) -> None:
        if self._folder.saves_results:
            z = self._encoded(model, values)
            with torch.no_grad():
                again, _ = self._moments(model, model.networks.decoder.fixed()(z))
            self._folder.write_arrays(
                f"init_data_gen_at_{step}.npz",
                data_gen=self._made(model),
                z=z.cpu().numpy(),
                x_rec=self._shaped(again).astype(np.float32),
            )

    def _shown(self, model: FittedModel, z: Tensor) -> dict[str, np.ndarray]:
        return {"gen": self._made(model), "z": z.cpu().numpy()}

    def _made(self, model: FittedModel) -> Float[np.ndarray, "n 28 28 1"]:
        return self._generate(model, N_SHOWN, with_noise=False)[0].astype(np.float32)
