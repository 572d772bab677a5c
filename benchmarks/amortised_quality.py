"""How good shipped or freshly trained weights are, by family, with calibration and a control.

    python benchmarks/amortised_quality.py avici-base bcnp-base [--tasks 100] [--d 10] [--n 150]

Each family is one graph and mechanism law at fixed d and n. `control` is the AUROC against the
graph of another task, which must be near one half. The last column quotes published figures (BCNP,
tables 7 to 15) for the same mechanism and density at d = 20, n = 1000; other generators and
training budgets, so for orientation only.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from aetia.diagnostics import expected_calibration_error
from aetia.discovery import AVICI, BCNP, Pretrained
from aetia.discovery.amortised.scores import predict
from aetia.graphs import auroc, average_precision
from aetia.scm import Family, FixedTasks

ESTIMATORS = {"avici": AVICI, "bcnp": BCNP}
MECHANISMS = {
    "linear, N(0,1) weights": {"name": "linear", "scale": 1.0},
    "linear, |w| in (0.5, 2)": {"name": "linear", "weights": "uniform", "low": 0.5, "high": 2.0},
    "mlp": "mlp",
    "gp": "gp",
    "shift: periodic": "periodic",
    "shift: post-nonlinear tanh": "post-nonlinear",
    "shift: joint gp": "joint-gp",
}
QUOTED = {
    "linear, N(0,1) weights": "linear ER20: DiBS .73, AVICI* .890, BCNP-All .890",
    "mlp": "neuralnet ER20: DiBS .69, AVICI* .840, BCNP-All .876",
    "gp": "gpcde ER20: DiBS .80, AVICI* .741, BCNP-All .833",
}


def measure(network, normalise: bool, tasks) -> dict[str, float]:
    scores, precisions, controls, stated, true = [], [], [], [], []
    graphs = [t.graphs[0] for t in tasks]
    for k, task in enumerate(tasks):
        with torch.inference_mode():
            p = network.distribution(predict(network, task, normalise=normalise)).marginals()[0]
        scores.append(auroc(graphs[k], p))
        precisions.append(average_precision(graphs[k], p))
        controls.append(auroc(graphs[(k + 1) % len(graphs)], p))
        off = ~torch.eye(len(p), dtype=torch.bool)
        stated.append(p[off].numpy())
        true.append(graphs[k][off].numpy())
    pooled = np.concatenate(stated), np.concatenate(true)
    return {
        "auroc": float(np.nanmean(scores)),
        "se": float(np.nanstd(scores) / np.sqrt(len(scores))),
        "ap": float(np.nanmean(precisions)),
        "share of edges": float(pooled[1].mean()),
        "ece": float(
            np.mean([expected_calibration_error(*x) for x in zip(stated, true, strict=True)])
        ),
        "pooled ece": expected_calibration_error(*pooled),
        "control": float(np.nanmean(controls)),
    }


def load(text: str) -> tuple[str, object, bool]:
    weights = Pretrained.load(text)
    network = ESTIMATORS[weights.method].network_of(weights)
    return weights.name, network, bool(weights.card.get("normalise", True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="+", help="names of shipped weights, or folders")
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--d", type=int, default=10)
    parser.add_argument("--n", type=int, default=150)
    parser.add_argument("--edges-per-node", type=float, default=1.0)
    parser.add_argument("--noise", default=None, help="one family; default: a third each")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    noise = arguments.noise or ("gaussian", "laplace", "uniform")
    results = {}
    for text in arguments.weights:
        name, network, normalise = load(text)
        print(f"\n{name}: d = {arguments.d}, n = {arguments.n}, {arguments.tasks} tasks each")
        header = ("auroc", "se", "ap", "share of edges", "ece", "pooled ece", "control")
        print(f"{'family':28}" + "".join(f"{h:>15}" for h in header) + "  published, d=20")
        for label, mechanism in MECHANISMS.items():
            if mechanism == "joint-gp" and arguments.n > 400:
                continue  # cubic in the rows
            family = Family(
                name=label,
                d=arguments.d,
                n=arguments.n,
                graphs={"name": "erdos-renyi", "edges_per_node": arguments.edges_per_node},
                mechanisms=mechanism,
                noise=noise,
            )
            tasks = FixedTasks(family=family, numbers=range(arguments.tasks)).tasks()
            row = results[f"{name}/{label}"] = measure(network, normalise, tasks)
            cells = "".join(f"{row[h]:15.3f}" for h in header)
            print(f"{label:28}{cells}  {QUOTED.get(label, '')}", flush=True)
    out = Path(__file__).parent / "results" / "amortised_quality.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
