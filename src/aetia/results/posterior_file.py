"""A graph posterior as named arrays and plain values, for its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from aetia.graphs import Knowledge
from aetia.likelihoods import LIKELIHOODS, Moments
from aetia.options import build
from aetia.results.graph_effects import EffectModel
from aetia.results.linear_effects import LinearModel
from aetia.results.run_facts import RunFacts
from aetia.results.simulation_model import SimulationModel

if TYPE_CHECKING:
    from aetia.results.graph_posterior import GraphPosterior

__all__ = ["posterior_from_plain", "posterior_to_plain"]

Arrays = dict[str, tuple[tuple[str, ...], np.ndarray]]


def posterior_to_plain(p: GraphPosterior) -> tuple[dict, dict]:
    """Split a posterior into named arrays and plain values.

    Args:
        p: The posterior.

    Returns:
        Arrays with their dimensions, and plain values.
    """
    arrays: Arrays = {
        "graphs": (("draw", "source", "target"), p.graphs),
        "log_weights": (("draw",), p.log_weights),
    }
    for name, value in p.parameters.items():
        dims = ("draw", *(f"{name}_{k}" for k in range(1, value.ndim)))
        arrays[f"parameter_{name}"] = (dims, value)
    for name, value in p.trace.items():
        arrays[f"trace_{name}"] = (("recorded",), value)
    if p.lagged is not None:
        arrays["lagged"] = (("draw", "lag", "source", "target"), p.lagged)
    if p.edge_marginals is not None:
        arrays["edge_marginals"] = (("source", "target"), p.edge_marginals)
    if p.covariance is not None:
        arrays["covariance"] = (("source", "target"), p.covariance)
    plain: dict[str, Any] = {
        "names": p.names,
        "kind": p.kind,
        "knowledge": p.knowledge.to_dict(),
        "facts": p.facts.to_dict(),
        "diagnostics": dict(p.diagnostics),
        "likelihood": None,
        "table": None,
    }
    if isinstance(p.model, LinearModel):
        _write_linear(p.model, arrays, plain)
    elif p.model is not None:
        _write_table(p.model, arrays, plain)
    return arrays, plain


def posterior_from_plain(arrays: dict[str, np.ndarray], plain: dict[str, Any]) -> dict[str, Any]:
    """Read back what :func:`posterior_to_plain` made.

    Args:
        arrays: Arrays by name.
        plain: Plain values by name.

    Returns:
        The fields of the posterior.
    """
    model: EffectModel | None = None
    if plain["likelihood"] is not None:
        model = _read_linear(arrays, plain["likelihood"])
    elif plain.get("table") is not None:  # older files have no such entry
        model = _read_table(arrays, plain)

    def prefixed(prefix: str) -> dict[str, np.ndarray]:
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    return {
        "graphs": arrays["graphs"],
        "log_weights": arrays["log_weights"],
        "names": tuple(plain["names"]),
        "kind": plain["kind"],
        "parameters": prefixed("parameter_"),
        "lagged": arrays.get("lagged"),
        "edge_marginals": arrays.get("edge_marginals"),
        "knowledge": Knowledge.from_dict(plain["knowledge"]),
        "model": model,
        "covariance": arrays.get("covariance"),
        "facts": RunFacts.from_dict(plain.get("facts", {})),
        "diagnostics": plain["diagnostics"],
        "trace": prefixed("trace_"),
    }


def _write_linear(model: LinearModel, arrays: Arrays, plain: dict[str, Any]) -> None:
    # A likelihood of the user's own cannot be rebuilt from a file: then effects end with saving.
    if model.likelihood.name not in LIKELIHOODS:
        return
    arrays["moments_n"] = (("own",), model.moments.n.numpy())
    arrays["moments_mean"] = (("own", "source"), model.moments.mean.numpy())
    arrays["moments_scatter"] = (("own", "source", "target"), model.moments.scatter.numpy())
    arrays["centre"] = (("source",), model.centre.numpy())
    arrays["scale"] = (("source",), model.scale.numpy())
    options = model.likelihood
    plain["likelihood"] = {"name": options.name, "options": dict(vars(options))}


def _read_linear(arrays: dict[str, np.ndarray], likelihood: dict[str, Any]) -> LinearModel:
    moments = Moments(*(torch.from_numpy(arrays[f"moments_{k}"]) for k in ("n", "mean", "scatter")))
    return LinearModel(
        build(LIKELIHOODS[likelihood["name"]], likelihood["options"]),  # pyright: ignore[reportArgumentType]
        moments,
        torch.from_numpy(arrays["centre"]),
        torch.from_numpy(arrays["scale"]),
    )


def _write_table(model: SimulationModel, arrays: Arrays, plain: dict[str, Any]) -> None:
    arrays["table_values"] = (("row", "source"), model.values)
    if model.intervened is not None:
        arrays["table_intervened"] = (("row", "source"), model.intervened)
    plain["table"] = {
        "kinds": model.kinds,
        "levels": dict(model.levels),
        "likelihood": model.likelihood,
    }


def _read_table(arrays: dict[str, np.ndarray], plain: dict[str, Any]) -> SimulationModel:
    table = plain["table"]
    return SimulationModel(
        values=arrays["table_values"],
        names=tuple(plain["names"]),
        kinds=tuple(table["kinds"]),
        levels={name: tuple(labels) for name, labels in table["levels"].items()},
        intervened=arrays.get("table_intervened"),
        likelihood=table["likelihood"],
    )
