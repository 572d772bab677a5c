"""What selection frequencies of RC-GNN's linear back end are worth as probabilities.

    python benchmarks/calibrate_rcgnn.py [--graphs 6] [--write]

Fits simulated recordings of the six core conditions of ``sensor_graphs.py`` (linear and nonlinear,
d = 13; other graphs than the benchmark's), and fits an isotonic map from an edge's frequency at any
lag to the share of such edges that are true. Brier score and ECE are of graphs left out of the map.
``--write`` puts the map into the package.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.isotonic import IsotonicRegression

import aetia.discovery.rcgnn
import sensor_graphs
from aetia.diagnostics import brier_score, expected_calibration_error
from aetia.discovery import RCGNN
from sensor_graphs import CORE, Case, simulate

FIRST_SEED = 100
FILE = Path(aetia.discovery.rcgnn.__file__).with_name("calibration.json")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--graphs", type=int, default=6)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    sensor_graphs.FIRST_SEED = FIRST_SEED
    off = ~np.eye(13, dtype=bool)
    stated, true, group = [], [], []
    for g in range(args.graphs):
        for mechanism in ("linear", "nonlinear"):
            for preset in CORE:
                corrupted, graph = simulate(Case(13, mechanism, preset, g))
                fit = RCGNN(random_state=g, progress=False).fit(corrupted.data)
                stated.append(fit.summary_probability_[off])
                true.append(graph[off])
                group.append(np.full(int(off.sum()), g))
        print(f"graph {g + 1} of {args.graphs}", flush=True)
    p, y, at = (np.concatenate(v) for v in (stated, true, group))
    held_out = np.zeros(len(p))
    for g in range(args.graphs):
        known = IsotonicRegression(out_of_bounds="clip").fit(p[at != g], y[at != g])
        held_out[at == g] = known.predict(p[at == g])
    result = {
        name: {
            "brier": float(brier_score(q, y)),
            "ece": float(expected_calibration_error(q, y)),
        }
        for name, q in (("frequency", p), ("calibrated", held_out))
    }
    every = IsotonicRegression(out_of_bounds="clip").fit(p, y)
    knots = {
        "frequency": [float(v) for v in every.X_thresholds_],
        "probability": [round(float(v), 4) for v in every.y_thresholds_],
        "n_pairs": len(p),
        "n_true": int(y.sum()),
        "left_out_graphs": result,
    }
    print(json.dumps(result, indent=1))
    for f, q in zip(knots["frequency"], knots["probability"], strict=True):
        print(f"frequency {f:.2f} -> probability {q:.3f}")
    if args.write:
        FILE.write_text(json.dumps(knots, indent=1) + "\n")


if __name__ == "__main__":
    main()
