"""The keys of ``params``, their defaults, and checks: what the original documents really exists."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from aetia.errors import InputError
from aetia.options import nearest

__all__ = ["REQUIRED", "full_parameters", "known_keys", "parameter_defaults"]

REQUIRED: dict[str, tuple[str, ...]] = {
    "BGM": ("dataset", "output_dir", "x_dim", "z_dim"),
    "MNISTBGM": ("dataset", "output_dir", "z_dim"),
    "CausalBGM": ("dataset", "output_dir", "v_dim", "z_dims", "binary_treatment"),
    "IdentifiableCausalBGM": ("dataset", "output_dir", "v_dim", "z_dims", "binary_treatment"),
    "FullMCMCCausalBGM": ("dataset", "output_dir", "v_dim", "z_dims", "binary_treatment"),
}
"""Keys without a default."""

_SHARED: dict[str, Any] = {
    "g_units": [64, 64, 64, 64, 64],
    "e_units": [64, 64, 64, 64, 64],
    "dz_units": [64, 32, 8],
    "save_res": True,
    "use_z_rec": True,
}
_BGM: dict[str, Any] = {
    **_SHARED,
    "use_bnn": False,
    "dx_units": [64, 32, 8],
    "lr": 0.001,
    "lr_theta": 0.005,
    "lr_z": 0.005,
    "gamma": 0,
    "alpha": 0.0,
    "g_d_freq": 1,
    "save_model": True,
    "kl_weight": 0.00005,
}
_CAUSAL: dict[str, Any] = {
    **_SHARED,
    "use_bnn": True,
    "f_units": [64, 32, 8],
    "h_units": [64, 32, 8],
    "lr": 0.0002,
    "lr_theta": 0.0001,
    "lr_z": 0.0001,
    "g_d_freq": 5,
    "save_model": False,
    "kl_weight": 0.0001,
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "BGM": _BGM,
    "MNISTBGM": {**_BGM, "x_dim": 784},
    "CausalBGM": _CAUSAL,
    "IdentifiableCausalBGM": {**_CAUSAL, "n_segments": 10, "prior_units": [64]},
    "FullMCMCCausalBGM": _CAUSAL,
}
_BARE: dict[str, tuple[str, ...]] = {
    "BGM": ("rank",),
    "MNISTBGM": ("rank",),
    **dict.fromkeys(
        ("CausalBGM", "IdentifiableCausalBGM", "FullMCMCCausalBGM"),
        ("sigma_v", "sigma_x", "sigma_y", "x_min", "x_max"),
    ),
}
"""Keys that may be absent altogether; rank, x_min and x_max have no effect, as in the original."""

_COUNTS = ("x_dim", "z_dim", "v_dim", "g_d_freq", "n_segments", "rank")
_SIZES = ("g_units", "e_units", "f_units", "h_units", "dz_units", "dx_units", "prior_units")
_SWITCHES = ("use_bnn", "binary_treatment", "save_model", "save_res")
_POSITIVE = ("lr", "lr_theta", "lr_z", "sigma_v", "sigma_x", "sigma_y")
_WEIGHTS = ("gamma", "alpha", "kl_weight", "use_z_rec")


def parameter_defaults(model: str) -> dict[str, Any]:
    """Look up the keys that have a default.

    Args:
        model: Name of the class.

    Returns:
        Fresh copies, which may be changed.
    """
    return {k: list(v) if isinstance(v, list) else v for k, v in _DEFAULTS[model].items()}


def known_keys(model: str) -> list[str]:
    """List every key that a model takes.

    Args:
        model: Name of the class.

    Returns:
        Required keys first.
    """
    return [*REQUIRED[model], *_DEFAULTS[model], *_BARE[model]]


def full_parameters(model: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Check ``params`` and fill in the defaults.

    Args:
        model: Name of the class.
        params: What the user passed; not changed.

    Returns:
        All keys.

    Raises:
        InputError: Naming a key that is missing, unknown (with the nearest known one) or has a
            value that cannot be used.
    """
    if not isinstance(params, Mapping):
        raise InputError(f"{model}: params must be a dictionary, got {type(params).__name__}.")
    known = known_keys(model)
    for key in params:
        if key not in known:
            raise InputError(
                f"{model} has no parameter {key!r}.{nearest(str(key), known)} "
                f"Parameters: {', '.join(known)}."
            )
    missing = [key for key in REQUIRED[model] if key not in params]
    if missing:
        raise InputError(f"{model}: params lacks {', '.join(map(repr, missing))}.")
    full = parameter_defaults(model) | dict(params)
    for key, value in full.items():
        problem = _problem(key, value)
        if problem:
            raise InputError(f"{model}: {key!r} must be {problem}, got {value!r}.")
    return full


def _problem(key: str, value: Any) -> str:
    """Say what a value should have been; empty if it is fine."""
    if key in ("dataset", "output_dir"):
        return "" if str(value) else "a name"
    if key in _COUNTS:
        return "" if _is_count(value, 1) else "an integer of at least 1"
    if key in _SIZES:
        fine = isinstance(value, (list, tuple)) and value and all(_is_count(v, 1) for v in value)
        return "" if fine else "a list of positive integers"
    if key == "z_dims":
        fine = isinstance(value, (list, tuple)) and len(value) == 4
        fine = fine and all(_is_count(v, 0) for v in value)
        return "" if fine else "four integers [z0, z1, z2, z3]"
    if key in _SWITCHES:
        return "" if isinstance(value, (bool, np.bool_)) else "True or False"
    if key in _POSITIVE or key in _WEIGHTS:
        if not isinstance(value, numbers.Real) or not np.isfinite(float(value)):
            return "a number"
        least = float(value) > 0 if key in _POSITIVE else float(value) >= 0
        return "" if least else "larger than 0" if key in _POSITIVE else "at least 0"
    return ""


def _is_count(value: Any, least: int) -> bool:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, (bool, np.bool_))
    return whole and int(value) >= least  # pyright: ignore[reportArgumentType]
