"""The one-file HTML report of an experiment: every family, calibrated or not, how it degrades."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from aetia.plots import plot_families, plot_reliability, plot_shift
from aetia.report.before.figures import svg_data_uri
from aetia.report.before.page import as_yaml, render_page

__all__ = ["render_experiment_report"]

_COLUMNS = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "expected_f1": "expected F1",
    "expected_shd": "expected SHD",
    "expected_sid": "expected SID",
    "edge_nll_per_pair": "edge NLL per pair",
    "ece": "ECE",
    "brier": "Brier",
    "raw_share_cyclic": "raw cyclic share",
    "n_edges": "edges stated",
    "n_edges_true": "edges true",
    "seconds": "seconds per task",
}
_CARD = {
    "edges_mean": "edges",
    "edges_std": "standard deviation",
    "edges_expected": "expected",
    "varsortability": "varsortability",
    "varsortability_standardised": "after scaling",
    "r2_sortability": "R2-sortability",
    "rejected_share": "rejected draws",
}
_DISTANCES = {
    "spectral": "gap of the spectral radius of the graphs",
    "degree": "divergence of the degree distributions",
    "mechanism": "gap of the variance that linear regressions leave",
}


def render_experiment_report(results: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Render the report as one HTML page without external files or scripts.

    Args:
        results: What :func:`aetia.benchmark.run_experiment` computed.
        config: The resolved configuration.

    Returns:
        HTML.
    """
    families = results["families"]
    group_of = {name: _group(config, name) for name in families}
    selective = results["selective"]
    return render_page(
        "experiment.html.j2",
        title=results["name"],
        model=results["model"],
        columns=list(_COLUMNS.values()),
        card_columns=list(_CARD.values()),
        families=[_row(k, v, group_of[k]) for k, v in families.items()],
        groups=[_row(k, v, "") for k, v in results["groups"].items()],
        n_failed=sum(int(f.get("failed", 0) * f["n_tasks"]) for f in families.values()),
        overview=_overview(families, group_of),
        reliability=[
            {"name": k, "image": _reliability(v)}
            for k, v in results["reliability"].items()
            if v["stated"]
        ],
        shifts=_shifts(results, group_of),
        detection=_number(results["detection"]["auroc"], None),
        cards=[_card(k, v) for k, v in results.get("cards", {}).items()],
        selective=_selective(selective) if len(selective["coverage"]) > 1 else None,
        weights=results.get("weights"),
        config=as_yaml(config),
    )


def _group(config: Mapping[str, Any], name: str) -> str:
    listed = (config.get("data") or {}).get("test_families") or {}
    return "id" if name not in listed else str(listed[name].get("group", "ood"))


def _row(name: str, values: Mapping[str, Any], group: str) -> dict[str, Any]:
    cells = [_number(values.get(k), values.get(f"{k}_se")) for k in _COLUMNS]
    return {"name": name, "group": group, "n": values["n_tasks"], "cells": cells}


def _card(name: str, card: Mapping[str, float]) -> dict[str, Any]:
    return {"name": name, "cells": [_number(card[k], None) for k in _CARD]}


def _number(value: Any, error: Any) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.3g}"
    return text if error is None or not math.isfinite(error) else f"{text} ± {error:.2g}"


def _overview(families: Mapping[str, Any], group_of: Mapping[str, str]) -> str:
    values = [(k, v.get("auroc"), v.get("auroc_se")) for k, v in families.items()]
    ax, _ = plot_families(
        [k for k, _, _ in values],
        np.array([np.nan if m is None else m for _, m, _ in values], dtype=float),
        np.array([np.nan if e is None else e for _, _, e in values], dtype=float),
        metric="AUROC",
        is_shifted=[group_of[k] != "id" for k, _, _ in values],
        chance=0.5,
    )
    return svg_data_uri(ax.figure)


def _reliability(curve: Mapping[str, Any]) -> str:
    ax, _ = plot_reliability(
        np.array(curve["stated"], dtype=float),
        np.array(curve["observed"], dtype=float),
        np.array(curve["n_events"], dtype=int),
    )
    return svg_data_uri(ax.figure)


def _shifts(results: Mapping[str, Any], group_of: Mapping[str, str]) -> list[str]:
    families = results["families"]
    inside = [v["auroc"] for k, v in families.items() if group_of[k] == "id" and "auroc" in v]
    shifted = [k for k, v in families.items() if group_of[k] != "id" and "auroc" in v]
    if not inside or not shifted:
        return []
    images = []
    for name, label in _DISTANCES.items():
        ax, _ = plot_shift(
            np.array([results["distance"][k][name] for k in shifted], dtype=float),
            np.array([families[k]["auroc"] - np.mean(inside) for k in shifted], dtype=float),
            shifted,
            distance_label=label,
            metric="AUROC",
        )
        images.append(svg_data_uri(ax.figure))
    return images


def _selective(curve: Mapping[str, Any]) -> str:
    from aetia.plots.axes import BLUE, new_axes

    ax = new_axes(None, (5.4, 3.4))
    ax.plot(curve["coverage"], curve["edge_nll_per_pair"], color=BLUE)
    ax.set_xlabel("share of tasks kept, the most certain first")
    ax.set_ylabel("edge NLL per pair")
    return svg_data_uri(ax.figure)
