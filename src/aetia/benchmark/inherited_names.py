"""Names that keys of configuration files have had, and what they are called elsewhere.

Configurations of pre-training were written for other programs first, and their keys stay as they
were: ``d_model`` is the width that :class:`aetia.discovery.AVICIConfig` calls ``dim``. All such
pairs are here and nowhere else.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

__all__ = ["NETWORK_NAMES", "TRAINING_NAMES", "current_names", "options_for"]

NETWORK_NAMES: Mapping[str, str] = {
    "d_model": "dim",
    "nhead": "n_heads",
    "num_layers": "n_layers",
    "num_layers_decoder": "n_layers_decoder",
    "dim_feedforward": "ff_dim",
    "n_perm_samples": "n_permutations",
    "sinkhorn_iter": "sinkhorn_iterations",
}
"""Keys of the section ``model`` to options of AVICI's and BCNP's networks."""

TRAINING_NAMES: Mapping[str, str] = {
    "max_steps": "n_steps",
    "optimizer": "optimiser",
    "lr": "learning_rate",
    "optimizer_betas": "betas",
    "optimizer_eps": "eps",
    "scheduler": "schedule",
    "scheduler_t_max": "cosine_steps",
    "scheduler_eta_min": "min_learning_rate",
    "grad_clip_norm": "clip_norm",
    "log_every_n_steps": "log_every",
    "val_check_interval": "validate_every",
    "checkpoint_every_n_steps": "checkpoint_every",
}
"""Keys of the section ``trainer`` to options of the training loop."""

_RENAMED: Mapping[str, Mapping[str, str]] = {
    "family": {"n_samples": "n_rows"},
    "data": {"samples_per_task": "rows_per_task"},
    "inference": {"n_samples": "n_draws", "store_samples": "n_stored_draws"},
    "trainer": {"val_n_samples": "val_n_draws"},
}
"""Keys that have another name now, by section: rows of a table and graphs drawn were both called
samples. Files with the earlier name are read as before."""

_OURS = frozenset({("family", "n_samples"), ("inference", "store_samples")})
"""Those that no other program had; their earlier names will not be read for ever."""


def current_names(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Put keys that were renamed under their names of today.

    Args:
        section: ``"family"``, ``"data"``, ``"inference"`` or ``"trainer"``; others have none.
        values: Values of a configuration file. Where a key is there under both names, the earlier
            one counts: shipped files have the new name, so the earlier one is the user's.

    Returns:
        The values under their names of today.
    """
    current = dict(values)
    for earlier, name in _RENAMED.get(section, {}).items():
        if earlier not in current:
            continue
        current[name] = current.pop(earlier)
        if (section, earlier) in _OURS:
            warnings.warn(
                f"{earlier!r} in a configuration is called {name!r} now; the earlier name will be "
                "gone in the release after the next.",
                FutureWarning,
                stacklevel=2,
            )
    return current


def options_for(cls: type, section: Any, names: Mapping[str, str]) -> dict[str, Any]:
    """Choose the fields of a section that are options of something else.

    Args:
        cls: Dataclass of the options.
        section: Dataclass of the section.
        names: Fields of the section to options, where they differ.

    Returns:
        Values of the section by option.
    """
    known = {f.name for f in fields(cls)}
    pairs = ((names.get(f.name, f.name), getattr(section, f.name)) for f in fields(section))
    return {name: value for name, value in pairs if name in known}
