"""Coverage of 90 % intervals of total effects through an uncertain graph.

    python benchmarks/graph_effects.py linear [--rows 100 500] [--seeds 0 20]
    python benchmarks/graph_effects.py additive-true-graph [--kinds gp sigmoid] [--seeds 0 40]
    python benchmarks/graph_effects.py averaged [--kinds gp sigmoid] [--seeds 0 40]

linear: 10 columns, 15 edges, all 90 total effects of a Gaussian SEM, default ExactPosterior with
BGe. additive-true-graph: 8 columns, 12 edges, 300 rows, the graph given; compares columns of the
additive mechanism. averaged: the same tables, ExactPosterior with the additive likelihood. Effects
of the additive parts are those of one standard deviation above the mean against one below, of 3
pairs with a directed path in each table. Prints coverage with its exact binomial 99 % interval
(pairs of one table are not independent: it is a little too narrow), mean width and RMSE, in
standard deviations of the outcome, next to the single most probable graph. Resumable.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np

N_ROWS, N_PAIRS, N_TRUTH = 300, 3, 20_000


def random_dag(d, n_edges, rng):
    order = rng.permutation(d)
    pairs = [(order[a], order[b]) for a in range(d) for b in range(a + 1, d)]
    graph = np.zeros((d, d), bool)
    for k in rng.choice(len(pairs), n_edges, replace=False):
        graph[pairs[k]] = True
    return graph, order


class AdditiveSCM:
    """Standardised variables, each a sum of random functions of its parents plus normal noise."""

    def __init__(self, kind, seed, d=8, n_edges=12):
        rng = np.random.default_rng([seed, 1])
        self.graph, self.order = random_dag(d, n_edges, rng)
        self.noise = rng.uniform(0.6, 1.0, d)
        make = {"gp": self._gaussian_process, "sigmoid": self._soft_sign}[kind]
        self.functions = {tuple(edge): make(rng) for edge in np.argwhere(self.graph)}
        self.centre, self.scale = np.zeros(d), np.ones(d)
        pilot = self.sample(20_000, rng, pilot=True)
        assert np.isfinite(pilot).all()

    @staticmethod
    def _gaussian_process(rng):
        frequency, phase = 0.8 * rng.standard_normal(60), rng.uniform(0, 2 * np.pi, 60)
        weight = rng.standard_normal(60) * np.sqrt(2 / 60)
        return lambda u: np.cos(np.multiply.outer(u, frequency) + phase) @ weight

    @staticmethod
    def _soft_sign(rng):
        slope, shift = rng.uniform(1, 3), rng.uniform(-1, 1)
        size = rng.choice([-1, 1]) * rng.uniform(1, 2)
        return lambda u: size * slope * (u + shift) / (1 + np.abs(slope * (u + shift)))

    def sample(self, n, rng, do=None, pilot=False):
        x = np.zeros((n, len(self.graph)))
        for j in self.order:
            noise = rng.standard_normal(n)
            if do is not None and j == do[0]:
                x[:, j] = do[1]
                continue
            raw = self.noise[j] * noise
            for i in np.flatnonzero(self.graph[:, j]):
                raw = raw + self.functions[i, j](x[:, i])
            if pilot:
                self.centre[j], self.scale[j] = raw.mean(), raw.std()
            x[:, j] = (raw - self.centre[j]) / self.scale[j]
        return x

    def means(self, treatment, doses):
        """Means of all variables under each dose, with common noise."""
        return np.stack(
            [
                self.sample(N_TRUTH, np.random.default_rng(7), do=(treatment, dose)).mean(0)
                for dose in doses
            ]
        )


def additive_table(kind, seed):
    model = AdditiveSCM(kind, seed)
    rng = np.random.default_rng([seed, 2])
    x = model.sample(N_ROWS, rng)
    d = len(model.graph)
    reach = np.linalg.matrix_power(np.eye(d) + model.graph, d) > 0
    pairs = np.argwhere(reach & ~np.eye(d, dtype=bool))
    chosen = pairs[rng.choice(len(pairs), min(N_PAIRS, len(pairs)), replace=False)]
    return model, x, [(int(t), int(y)) for t, y in chosen]


def judged(draws, truth, scale):
    low, high = np.quantile(draws, [0.05, 0.95])
    return {
        "covered": bool(low - 1e-9 <= truth <= high + 1e-9),
        "width": float(high - low) / scale,
        "error": float(draws.mean() - truth) / scale,
    }


def linear_rows(n, seed):
    import pandas as pd

    from aetia import ExactPosterior

    rng = np.random.default_rng([seed, n])
    graph, order = random_dag(10, 15, rng)
    weights = graph * rng.uniform(0.3, 1.2, graph.shape) * rng.choice([-1, 1], graph.shape)
    noise = rng.uniform(0.6, 1.2, 10)
    x = np.zeros((n, 10))
    for j in order:
        x[:, j] = x @ weights[:, j] + noise[j] * rng.standard_normal(n)
    total = np.linalg.inv(np.eye(10) - weights)
    fit = ExactPosterior(likelihood="bge", sensitivity=False, random_state=seed)
    posterior = fit.fit(pd.DataFrame(x, columns=[f"x{k}" for k in range(10)])).posterior_
    averaged = posterior.total_effects(random_state=seed)
    best = only_best(posterior).total_effects(random_state=seed)
    rows = []
    for method, frame in (("averaged", averaged), ("best graph", best)):
        for row in frame.to_dict("records"):
            i, j = int(row["treatment"][1:]), int(row["outcome"][1:])
            truth = total[i, j] * (row["treated"] - row["control"])
            spread = x[:, j].std()
            rows.append(
                {
                    "method": method,
                    "path": bool(total[i, j] != 0),
                    "covered": bool(row["lower"] - 1e-12 <= truth <= row["upper"] + 1e-12),
                    "width": (row["upper"] - row["lower"]) / spread,
                    "error": (row["mean"] - truth) / spread,
                }
            )
    return rows


def only_best(posterior):
    from dataclasses import replace

    graphs, _ = posterior.distinct()
    return replace(posterior, graphs=graphs[:1], log_weights=np.zeros(1), edge_marginals=None)


def true_graph_rows(kind, seed):
    import torch

    from aetia.likelihoods import mechanisms
    from aetia.results.simulation import MechanismCache, simulate_means

    families = {
        "smoothing spline": mechanisms.smoothing_columns,
        "cosines of the rank": mechanisms.cosine_columns,
        "spline, 4 columns": lambda x: mechanisms.spline_columns(x, n_columns=4),
        "spline, 7 columns": lambda x: mechanisms.spline_columns(x, n_columns=7),
    }
    model, x, pairs = additive_table(kind, seed)
    centre, sd = x.mean(0), x.std(0)
    graphs = torch.from_numpy(model.graph).expand(500, -1, -1)
    rows = []
    for method, columns_of in families.items():
        table = mechanisms.MechanismTable(torch.from_numpy(x), (0,) * 8, None, columns_of)
        cache = MechanismCache(table)
        for t, y in pairs:
            doses = np.array([centre[t] - sd[t], centre[t] + sd[t]])
            truth = np.diff(model.means(t, doses)[:, y])[0]
            means = simulate_means(
                cache,
                graphs,
                t,
                torch.from_numpy(doses),
                [y],
                n_particles=256,
                generator=torch.Generator().manual_seed(seed),
            )[0]
            draws = (means[:, 1, 0] - means[:, 0, 0]).numpy()
            rows.append({"method": method, "path": True} | judged(draws, truth, sd[y]))
    return rows


def averaged_rows(kind, seed):
    import pandas as pd

    from aetia import ExactPosterior

    model, x, pairs = additive_table(kind, seed)
    centre, sd = x.mean(0), x.std(0)
    fit = ExactPosterior(likelihood="additive", sensitivity=False, random_state=seed)
    posterior = fit.fit(pd.DataFrame(x, columns=[f"x{k}" for k in range(8)])).posterior_
    _, mass = posterior.distinct()
    rows = []
    for t, y in pairs:
        doses = [centre[t] - sd[t], centre[t] + sd[t]]
        truth = np.diff(model.means(t, doses)[:, y])[0]
        effect = posterior.effect(
            f"x{t}", f"x{y}", treated=doses[1], control=doses[0], random_state=seed
        )
        shared = {"path": True, "best_mass": float(mass[0])}
        both = (("averaged", effect.draws), ("best graph", effect.best_graph))
        for method, draws in both:
            rows.append({"method": method} | shared | judged(draws[:, 0], truth, sd[y]))
    return rows


def summary(rows):
    from scipy.stats import binomtest

    print(f"{'setting':28s} {'method':22s} pairs  coverage [99 % interval]   width   RMSE")
    groups = {}
    for row in rows:
        for what in ("all pairs", "with a path") if row["part"] == "linear" else ("with a path",):
            if what == "all pairs" or row["path"]:
                setting = f"{row['part']} {row['setting']}, {what}"
                groups.setdefault((setting, row["method"]), []).append(row)
    for (setting, method), mine in groups.items():
        hits = sum(r["covered"] for r in mine)
        ends = binomtest(hits, len(mine)).proportion_ci(0.99)
        rmse = float(np.sqrt(np.mean([r["error"] ** 2 for r in mine])))
        print(
            f"{setting:28s} {method:22s} {len(mine):5d}  {hits / len(mine):.3f} "
            f"[{ends.low:.3f}, {ends.high:.3f}]  {np.mean([r['width'] for r in mine]):.3f}  "
            f"{rmse:.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("linear", "additive-true-graph", "averaged"))
    parser.add_argument("--rows", nargs="*", type=int, default=[100, 500])
    parser.add_argument("--kinds", nargs="*", default=["gp", "sigmoid"])
    parser.add_argument("--seeds", nargs=2, type=int, default=[0, 40])
    parser.add_argument("--out", default="benchmarks/results/graph_effects.jsonl")
    parser.add_argument("--print", action="store_true", dest="only_print")
    args = parser.parse_args()
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    done = {(r["part"], r["setting"], r["seed"]) for r in rows}
    make = {
        "linear": linear_rows,
        "additive-true-graph": true_graph_rows,
        "averaged": averaged_rows,
    }[args.part]
    settings = args.rows if args.part == "linear" else args.kinds
    if not args.only_print:
        import torch

        torch.set_num_threads(1)
        warnings.simplefilter("ignore")
        for seed in range(*args.seeds):
            for setting in settings:
                key = {"part": args.part, "setting": str(setting), "seed": seed}
                if tuple(key.values()) in done:
                    continue
                started = time.process_time()
                found = make(setting, seed)
                seconds = round(time.process_time() - started, 2)
                rows += (new := [key | row | {"seconds": seconds} for row in found])
                with out.open("a") as file:
                    file.writelines(json.dumps(row) + "\n" for row in new)
    summary([r for r in rows if r["part"] == args.part])


if __name__ == "__main__":
    main()
