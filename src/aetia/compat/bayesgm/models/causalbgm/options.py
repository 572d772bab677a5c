"""From ``params`` and the arguments of ``fit`` to the options of aetia's CausalBGM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aetia.effects.causalbgm import CausalBGMConfig

__all__ = ["causal_options"]


def causal_options(
    params: Mapping[str, Any],
    *,
    n_egm_steps: int = 1,
    n_epochs: int = 0,
    batch_size: int = 32,
    bayesian: bool | None = None,
) -> CausalBGMConfig:
    """Translate options.

    What the original does not have is switched off: bends at the inputs, sparsity, the spread of
    encoded latents, folds and corrections.

    Args:
        params: All keys.
        n_egm_steps: Updates of the joint start.
        n_epochs: Passes of the iterative updating.
        batch_size: Units of a step.
        bayesian: Whether weights have a law; None for ``params["use_bnn"]``.

    Returns:
        The options.
    """
    return CausalBGMConfig(
        treatment_kind="binary" if params["binary_treatment"] else "continuous",
        latent_dims=tuple(params["z_dims"]),  # pyright: ignore[reportArgumentType]
        n_folds=1,
        n_replicates=1,
        init="egm",
        n_egm_steps=n_egm_steps,
        n_critic_steps=params["g_d_freq"],
        n_epochs=n_epochs,
        latent_updates="map",
        batch_size=batch_size,
        learning_rate=params["lr"],
        iterative_learning_rate=params["lr_theta"],
        latent_learning_rate=params["lr_z"],
        encoder_units=tuple(params["e_units"]),
        rest_encoder_units=tuple(params["e_units"]),
        covariate_units=tuple(params["g_units"]),
        treatment_units=tuple(params["h_units"]),
        outcome_units=tuple(params["f_units"]),
        critic_units=tuple(params["dz_units"]),
        n_knots=0,
        n_dose_knots=0,
        bayesian_nets=params["use_bnn"] if bayesian is None else bayesian,
        kl_weight=params["kl_weight"],
        relevance=0.0,
        latent_noise=0.0,
        latent_shrinkage=0.0,
        generative_weight=1.0,
        latent_weight=float(params["use_z_rec"]),
        variance_penalty=0.001,
        variance_weighting=0.0,
        correction="none",
        sampler="metropolis",
    )
