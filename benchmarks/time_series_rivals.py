"""Rivals for graphs of time series, one process for each table; each degrades to "not installed".

    PYTHON benchmarks/time_series_rivals.py IN.npz OUT.json [--methods pcmci+ ...]

PYTHON is an environment with tigramite, dagma, gcastle and lingam, which need not hold aetia:
tigramite is GPL, gcastle switches torch's default dtype, lingam pins old libraries. IN.npz holds
``x`` [windows, time, d] with NaN for missing cells and ``regime`` [windows]. Every method sees
standardised readings, one fixed set of options, and no truth: PCMCI+ with partial correlation,
alpha .01, lag 1, with linear interpolation and with its native missing flag; J-PCMCI+ with the
regime as an observed context (dummies for every window and step took minutes); DAGMA and NOTEARS
(l1 .03, edges above .3) on the rows; VARLiNGAM (edges above .15).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
import warnings

import numpy as np


def interpolated(x: np.ndarray) -> np.ndarray:
    """Fill gaps linearly inside each window."""
    out = x.copy()
    steps = np.arange(x.shape[1])
    for window in out:
        for j in range(x.shape[2]):
            seen = np.isfinite(window[:, j])
            window[:, j] = np.interp(steps, steps[seen], window[seen, j]) if seen.any() else 0.0
    return out


def summary(by_lag: np.ndarray) -> np.ndarray:
    """Edges at any lag, off the diagonal."""
    out = by_lag.any(-1)
    np.fill_diagonal(out, False)
    return out


def pcmci(x: np.ndarray, missing: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    from tigramite import data_processing as pp
    from tigramite.independence_tests.parcorr import ParCorr
    from tigramite.pcmci import PCMCI

    frame = pp.DataFrame(dict(enumerate(x)), analysis_mode="multiple", missing_flag=missing)
    found = PCMCI(frame, ParCorr(significance="analytic"), verbosity=0).run_pcmciplus(
        tau_min=0, tau_max=1, pc_alpha=0.01
    )
    graph, strength = found["graph"], np.abs(found["val_matrix"]).max(2)
    return summary(graph == "-->"), strength + summary(graph == "-->")


def joint_pcmci(x: np.ndarray, regime: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from tigramite import data_processing as pp
    from tigramite.independence_tests.parcorr_mult import ParCorrMult
    from tigramite.jpcmciplus import JPCMCIplus

    n, length, d = x.shape
    kinds = np.unique(regime)
    context = (regime[:, None] == kinds[1:]).astype(float)
    rows = np.broadcast_to(context[:, None], (n, length, context.shape[1]))
    data = dict(enumerate(np.concatenate([x, rows], -1)))
    vectors = {i: [(i, 0)] for i in range(d)} | {d: [(d + k, 0) for k in range(len(kinds) - 1)]}
    frame = pp.DataFrame(data, vector_vars=vectors, analysis_mode="multiple")
    kind = dict.fromkeys(range(d), "system") | {d: "space_context"}
    method = JPCMCIplus(
        dataframe=frame,
        cond_ind_test=ParCorrMult(significance="analytic"),
        node_classification=kind,
        verbosity=0,
    )
    found = method.run_jpcmciplus(tau_min=0, tau_max=1, pc_alpha=0.01)
    graph = found["graph"][:d, :d]
    strength = np.abs(found["val_matrix"][:d, :d]).max(2)
    return summary(graph == "-->"), strength + summary(graph == "-->")


def dagma(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from dagma.linear import DagmaLinear

    rows = x.reshape(-1, x.shape[2])
    weights = DagmaLinear(loss_type="l2").fit(rows, lambda1=0.03, w_threshold=0.0)
    return np.abs(weights) > 0.3, np.abs(weights)


def notears(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from castle.algorithms import Notears

    method = Notears(lambda1=0.03, w_threshold=0.0)
    method.learn(x.reshape(-1, x.shape[2]))
    weights = np.abs(np.asarray(method.weight_causal_matrix, dtype=float))
    return weights > 0.3, weights


def varlingam(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from lingam import VARLiNGAM

    method = VARLiNGAM(lags=1, criterion=None, random_state=0)
    method.fit(np.concatenate(list(x)))  # borders between windows are one row in fifty
    weights = np.abs(method.adjacency_matrices_).max(0).T
    return weights > 0.15, weights


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--methods", nargs="*")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    table = np.load(args.source)
    x, regime = table["x"], table["regime"]
    x = (x - np.nanmean(x, (0, 1))) / np.nanstd(x, (0, 1))
    filled = interpolated(x)
    methods = {
        "pcmci+": lambda: pcmci(filled),
        "dagma": lambda: dagma(filled),
        "notears": lambda: notears(filled),
        "varlingam": lambda: varlingam(filled),
    }
    if np.isnan(x).any():
        methods["pcmci+ native"] = lambda: pcmci(np.where(np.isnan(x), 999.0, x), 999.0)
    if len(np.unique(regime)) > 1:
        methods["j-pcmci+"] = lambda: joint_pcmci(filled, regime)
    out = {}
    for name, run in methods.items():
        if args.methods and name not in args.methods:
            continue
        started = time.perf_counter()
        try:
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                graph, scores = run()
        except ImportError:
            out[name] = {"error": "not installed"}
            continue
        except Exception as error:
            out[name] = {"error": f"{type(error).__name__}: {error}"}
            continue
        graph, scores = graph.copy(), np.where(np.isfinite(scores), scores, 0.0)
        np.fill_diagonal(graph, False)
        np.fill_diagonal(scores, 0.0)
        out[name] = {
            "graph": graph.astype(int).tolist(),
            "scores": scores.tolist(),
            "seconds": time.perf_counter() - started,
        }
    with open(args.out, "w") as file:
        json.dump(out, file)


if __name__ == "__main__":
    main()
