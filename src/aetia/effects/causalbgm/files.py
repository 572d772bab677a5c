"""A fitted CausalBGM on disk: one bundle, nothing executable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aetia.data import Encoding
from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.fitted import Fitted
from aetia.effects.causalbgm.folds import Folds
from aetia.effects.causalbgm.generative import LatentRoles, Units
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.networks import Networks
from aetia.effects.causalbgm.study_table import StudyTable
from aetia.errors import CheckpointError, ResultFileError
from aetia.files import load_bundle, save_bundle
from aetia.nets import seeded
from aetia.options import current_options
from aetia.results import RunFacts
from aetia.results.earlier_keys import separate_facts

__all__ = ["read_fitted", "write_fitted"]

_FILE, _OLD_FILE = "model.safetensors", "causalbgm.safetensors"
_SCHEMA = 2
_RENAMED: dict[str, str] = {
    "networks.bend_centre": "networks.hinge_centre",
    "networks.bend_scale": "networks.hinge_scale",
}
"""Tensors of the first schema under other names."""
_ARRAYS = ("treatment", "outcome", "kept", "centre", "scale")


def write_fitted(
    folder: str | Path, kind: str, fit: Fitted, plain: dict[str, Any], extra: dict[str, Tensor]
) -> None:
    """Write the ensemble and its study to one file, atomically.

    Args:
        folder: Made if needed.
        kind: Class of the estimator.
        fit: What was fitted.
        plain: Facts and health: anything that JSON can hold.
        extra: More tensors of the estimator.
    """
    table = fit.table
    tensors = {f"networks.{k}": v for k, v in fit.networks.state_dict().items()}
    tensors |= {f"prior.{k}": v for k, v in fit.prior.state_dict().items()}
    tensors |= {f"table.{k}": torch.from_numpy(np.asarray(getattr(table, k))) for k in _ARRAYS}
    units = table.units._asdict()
    tensors |= {f"units.{k}": v for k, v in units.items() if v is not None}
    tensors |= {f"extra.{k}": v for k, v in extra.items()}
    tensors["folds"] = fit.folds.of_unit
    tensors["held_out"] = torch.from_numpy(fit.held_out)
    tensors["best_step"] = torch.from_numpy(fit.best_step)
    if fit.segments is not None:
        tensors["segments"] = fit.segments
    if fit.latents is not None:
        tensors["latents"] = fit.latents
    described = {
        "roles": list(fit.networks.roles),
        "n_folds": fit.folds.n_folds,
        "n_members": fit.folds.n_members,
        "n_segments": fit.prior.n_segments,
        "table": {
            "names": table.encoding.names,
            "levels": table.encoding.levels,
            "treatment_scale": [float(v).hex() for v in table.treatment_scale],
            "outcome_scale": [float(v).hex() for v in table.outcome_scale],
            "arms": table.arms,
            "treatment_name": table.treatment_name,
            "outcome_name": table.outcome_name,
            "unit_names": table.unit_names,
        },
        "rows": fit.rows,
    }
    file = Path(folder) / _FILE
    save_bundle(file, kind=kind, schema=_SCHEMA, tensors=tensors, plain=described | plain)
    (Path(folder) / _OLD_FILE).unlink(missing_ok=True)  # that of an earlier version


def read_fitted(
    folder: str | Path, kind: str, config_class: type[CausalBGMConfig]
) -> tuple[Fitted, CausalBGMConfig, dict[str, Any], dict[str, Tensor]]:
    """Read what :func:`write_fitted` wrote, onto the CPU.

    Args:
        folder: The folder.
        kind: Class of the estimator that is expected.
        config_class: Its options.

    Returns:
        What was fitted, options, plain values with ``facts`` and ``health``, the extra tensors.

    Raises:
        ResultFileError: If there is none, or one of another class.
        CheckpointError: If the file is damaged.
    """
    path = Path(folder) / _FILE
    if path.is_file() or not (Path(folder) / _OLD_FILE).is_file():
        _, _, tensors, plain = load_bundle(path, kind=kind, schema=_SCHEMA)
    else:
        path = Path(folder) / _OLD_FILE
        tensors, plain = _read_first_schema(path, kind)
    try:
        given = current_options(config_class, plain["facts"]["config"], depth=None)
        # JSON knows no tuples.
        options: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in given.items()
        }
        config = config_class(**options)
        fit = _restore(plain, tensors, config)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{str(path)!r} is damaged or not ours: {error}") from error
    return fit, config, plain, _some(tensors, "extra")


def _read_first_schema(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file without a checksum, whose header had seed and time among the health."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            plain = json.loads((file.metadata() or {})["aetia"])
            names: list[str] = list(file.keys())
            tensors = {_RENAMED.get(name, name): file.get_tensor(name) for name in names}
        if plain["kind"] != kind:
            raise ResultFileError(
                f"{str(path)!r} holds a {plain['kind']}, expected a {kind}: use "
                f"{plain['kind']}.load."
            )
        old = plain["health"] | {"config": plain["options"], "seed": plain["entropy"]}
        old |= {"method": kind, "version": plain["version"]}
        facts, health = separate_facts(RunFacts(version=""), old)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{str(path)!r} is damaged or not ours: {error}") from error
    return tensors, plain | {"facts": facts.to_dict(), "health": dict(health)}


def _restore(header: dict[str, Any], tensors: dict[str, Tensor], config: CausalBGMConfig) -> Fitted:
    plain = header["table"]
    units = Units(**_some(tensors, "units"))
    scales: dict[str, Any] = {
        k: tuple(float.fromhex(v) for v in plain.pop(k))
        for k in ("treatment_scale", "outcome_scale")
    }
    names, levels = plain.pop("names"), plain.pop("levels")
    facts: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
    facts |= {k: v.numpy() for k, v in _some(tensors, "table").items()}
    encoding = Encoding(tuple(names), tuple(tuple(one) for one in levels))
    table = StudyTable(units=units, encoding=encoding, **scales, **facts)
    roles = LatentRoles(*header["roles"])
    with seeded(torch.Generator()):
        networks = Networks(units, roles, config, header["n_members"], table.is_binary)
        hidden = getattr(config, "prior_units", ())
        prior = LatentPrior(roles.total, header["n_members"], header["n_segments"], hidden)
    networks.load_state_dict(_some(tensors, "networks"))
    prior.load_state_dict(_some(tensors, "prior"))
    return Fitted(
        networks,
        prior,
        Folds(tensors["folds"], header["n_folds"], header["n_members"]),
        table,
        units,
        tensors.get("segments"),
        tensors.get("latents"),
        header["rows"],
        tensors["held_out"].numpy(),
        tensors["best_step"].numpy(),
    )


def _some(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = prefix + "."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
