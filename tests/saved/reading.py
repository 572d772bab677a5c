"""How each saved file is read through the public API, and the tables behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aetia.discovery import AVICI, Pretrained
from aetia.effects import CausalBGM, FullMCMCCausalBGM, IdentifiableCausalBGM
from aetia.generation import BGM, DDDM, ImageBGM, ImageDDDM
from aetia.results import Draws, EffectPosterior, GraphPosterior
from aetia.scm import EdgeCoins, Family, FixedTasks

FAMILY = Family(d=(3, 4), n=20, graphs=EdgeCoins(edges_per_node=0.5))


def chain(n: int = 40) -> pd.DataFrame:
    """Tabulate heat -> flow -> valve."""
    rng = np.random.default_rng(0)
    heat = rng.normal(size=n)
    flow = 1.5 * heat + rng.normal(size=n)
    valve = -flow + rng.normal(size=n)
    return pd.DataFrame({"heat": heat, "flow": flow, "valve": valve})


def recordings(n: int = 60) -> pd.DataFrame:
    """Record two sites with gaps: heat drives flow a step later, flow drives valve at once."""
    rng = np.random.default_rng(1)
    parts = []
    for k, (site, slope) in enumerate([("north", 1.6), ("south", 0.3)]):
        x = np.zeros((n, 3))
        for t in range(1, n):
            x[t, 0] = 0.5 * x[t - 1, 0] + rng.normal()
            x[t, 1] = slope * x[t - 1, 0] + rng.normal()
            x[t, 2] = 0.8 * x[t, 1] + rng.normal()
        part = pd.DataFrame(x, columns=["heat", "flow", "valve"])
        part.insert(0, "when", pd.date_range("2024-03-01", periods=n, freq="h"))
        part.insert(1, "batch", f"b{k}")
        part["site"] = site
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    sensors = ["heat", "flow", "valve"]
    table[sensors] = table[sensors].mask(rng.random((len(table), 3)) < 0.1)
    return table


def trial(n: int = 30) -> pd.DataFrame:
    """Tabulate a trial: arm, outcome, covariates."""
    rng = np.random.default_rng(0)
    v = rng.normal(size=(n, 3))
    drug = (rng.uniform(size=n) < 1 / (1 + np.exp(-v[:, 0]))).astype(int)
    table = pd.DataFrame(v, columns=["weight", "age", "income"])
    table.insert(0, "drug", drug)
    table.insert(1, "health", v[:, 0] + drug * (1 + v[:, 1]) + rng.normal(size=n) * 0.5)
    table["region"] = np.where(v[:, 2] > 0, "north", "south")
    return table


def holes(n: int = 40) -> pd.DataFrame:
    """Tabulate numbers, text and counts, with holes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "heat": x,
            "load": x + rng.normal(size=n),
            "site": np.where(x > 0, "north", "south"),
            "visits": rng.poisson(2, n),
        }
    )
    frame.loc[::9, "heat"] = np.nan
    frame.loc[::7, "site"] = None
    return frame


def floats(values: Any, most: int = 12) -> list[float]:
    """Reduce an array to its mean, its deviation and its first values."""
    flat = np.asarray(values, dtype=float).ravel()
    return [float(v) for v in (flat.mean(), flat.std(), *flat[:most])]


def graph(path: Path) -> dict[str, Any]:
    """Read a posterior over graphs."""
    p = GraphPosterior.load(path)
    return {
        "names": list(p.names),
        "n_graphs": len(p.graphs),
        "edges": floats(p.edge_probabilities(), 16),
        "lags": None if p.lagged is None else floats(p.lagged_probabilities(), 27),
        "weights": floats(p.weights),
        "kind": p.kind,
    }


def graph_effect(path: Path) -> dict[str, Any]:
    """Read a posterior over graphs, and an effect through its model."""
    p = GraphPosterior.load(path)
    effect = p.effect(p.names[0], p.names[2], n_draws=50)
    return {**graph(path), "effect": floats(effect.draws)}


def effect(path: Path) -> dict[str, Any]:
    """Read a posterior of effects."""
    e = EffectPosterior.load(path)
    frame = e.frame()
    return {
        "draws": floats(e.draws),
        "mean": floats(e.mean),
        "interval": floats(e.interval()),
        "columns": list(frame.columns),
        "contrast": e.contrast,
    }


def study(cls: Any) -> Callable[[Path], dict[str, Any]]:
    """Read an estimator of effects."""

    def read(path: Path) -> dict[str, Any]:
        model = cls.load(path)
        v = trial().drop(columns=["drug", "health"])[:4]
        return {
            "ate": floats(model.ate().draws),
            "units": floats(model.effect(1, 0, v).draws),
            "overlap": floats(model.overlap().expected),
            "evaluation": sorted(model.evaluate()),
        }

    return read


def draws(path: Path) -> dict[str, Any]:
    """Read draws of missing cells."""
    d = Draws.load(path)
    frame = d.frame()
    return {
        "first": floats(d.draw(0)),
        "mean": floats(d.mean),
        "n_cells": d.n_cells,
        "columns": list(frame.columns),
        "rows": len(frame),
    }


def table_model(path: Path) -> dict[str, Any]:
    """Read BGM."""
    model = BGM.load(path)
    table = holes()[["heat", "load"]]
    return {
        "sample": floats(model.sample(20).draw(0)),
        "scores": floats(model.score_samples(table)),
        "latents": floats(model.transform(table)),
        "n_rows_recorded": len(model.history_),
    }


def image_model(path: Path) -> dict[str, Any]:
    """Read ImageBGM."""
    model = ImageBGM.load(path)
    return {"sample": floats(model.sample(3).draw(0), 64)}


def dddm(path: Path) -> dict[str, Any]:
    """Read DDDM."""
    model = DDDM.load(path)
    sample = model.sample(20)
    return {
        "sample": floats(sample.draw(0)),
        "shape": list(sample.shape),
        "filled": floats(model.impute(holes(), 5).draw(0)),
        "n_rows_recorded": len(model.history_),
    }


def image_dddm(path: Path) -> dict[str, Any]:
    """Read ImageDDDM."""
    model = ImageDDDM.load(path)
    return {
        "sample": floats(model.sample(3, label="odd").draw(0), 48),
        "classes": [str(c) for c in model.classes_],
    }


def weights(path: Path) -> dict[str, Any]:
    """Read pre-trained weights, and predict with them."""
    made = Pretrained.load(path)
    fitted = AVICI(weights=made, n_draws=5, random_state=0, device="cpu").fit(chain())
    return {
        "key": made.key,
        "method": made.method,
        "name": made.name,
        "step": made.card["step"],
        "best_step": made.card["best_step"],
        "edges": floats(fitted.posterior_.edge_probabilities(), 16),
    }


def tasks(path: Path) -> dict[str, Any]:
    """Read simulated tasks from their cache."""
    found = FixedTasks(family=FAMILY, numbers=[1, 2], cache=path).tasks()
    return {
        "values": [floats(t.values) for t in found],
        "graphs": [floats(t.graphs) for t in found],
        "numbers": [int(t.index[0]) for t in found],
    }


NUMBERS: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "graph-order-mcmc": graph_effect,
    "graph-dibs": graph_effect,
    "graph-avici": graph_effect,
    "run-discover/posterior": graph_effect,
    "run-discover/effect-0": effect,
    "run-series/posterior": graph,
    "run-series-neural/posterior": graph,
    "run-effect/ate": effect,
    "run-effect/dose-response": effect,
    "run-effect/unit-effects": effect,
    "run-effect/model": study(CausalBGM),
    "identifiable": study(IdentifiableCausalBGM),
    "full-mcmc": study(FullMCMCCausalBGM),
    "run-impute/draws": draws,
    "run-impute/model": table_model,
    "image-bgm": image_model,
    "run-generate-dddm/model": dddm,
    "image-dddm": image_dddm,
    "run-experiment/weights": weights,
    "task-cache": tasks,
}
"""By folder: what is read from it, as plain values."""
