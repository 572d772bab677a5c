"""From ``params`` to the options of aetia's CausalBGM that say which networks there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aetia.effects.causalbgm.surface import CausalBGMConfig

__all__ = ["causal_options"]


def causal_options(params: Mapping[str, Any], *, bayesian: bool) -> CausalBGMConfig:
    """Translate options.

    What the networks of the original do not have is switched off: hinges at their inputs.

    Args:
        params: All keys.
        bayesian: Whether the weights of the networks are random.

    Returns:
        The options.
    """
    return CausalBGMConfig(
        treatment_kind="binary" if params["binary_treatment"] else "continuous",
        latent_dims=tuple(params["z_dims"]),  # pyright: ignore[reportArgumentType]
        encoder_units=tuple(params["e_units"]),
        rest_encoder_units=tuple(params["e_units"]),
        covariate_units=tuple(params["g_units"]),
        treatment_units=tuple(params["h_units"]),
        outcome_units=tuple(params["f_units"]),
        critic_units=tuple(params["dz_units"]),
        n_knots=0,
        n_dose_knots=0,
        bayesian_nets=bayesian,
    )
