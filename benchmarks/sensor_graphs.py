"""RC-GNN on corrupted sensor recordings, next to floors, score methods and PCMCI+.

    python benchmarks/sensor_graphs.py run --rivals-python PYTHON [--d 13] [--mechanism linear]
    python benchmarks/sensor_graphs.py table

Each case: a structural VAR(1) with d edges (half within the step, 30 % at lag 1, 20 % both), 40
recordings of 50 steps, regimes inside the mechanisms, then one preset of corruption. Every preset
on one graph, the six core conditions on five. All methods see the same standardised readings and
no truth, each with one fixed set of options. Resumable: a line of JSON for each case and method.
PYTHON is the environment of ``time_series_rivals.py``; without it rivals are left out.

``table`` prints means with bootstrap 95 % intervals over cases, paired differences against RC-GNN,
and the loss from clean to each condition.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import simple_graphs
from aetia.discovery import RCGNN
from aetia.graphs import retrieval_scores
from aetia.scm import Regimes, random_structural_var
from aetia.scm.corruption import PRESETS, Corrupted, corrupt

CORE = ("clean", "mcar_40", "noise_0.5", "mnar_self_40", "regimes_5", "compound_full")
RIVALS = ("pcmci+", "pcmci+ native", "j-pcmci+", "dagma", "notears", "varlingam")
FIRST_SEED = 5000  # seeds below were used to choose options
NEURAL = 36


class Case(NamedTuple):
    d: int
    mechanism: str
    preset: str
    graph: int

    @property
    def key(self) -> str:
        return f"{self.d}/{self.mechanism}/{self.preset}/{self.graph}"


def cases(ds: list[int], mechanisms: list[str]) -> list[Case]:
    core = [Case(d, m, p, g) for g in range(5) for d in ds for m in mechanisms for p in CORE]
    rest = [Case(d, m, p, 0) for d in ds for m in mechanisms for p in PRESETS if p not in CORE]
    return [c for c in core if c.graph == 0] + rest + [c for c in core if c.graph > 0]


def neural_cases() -> list[Case]:
    """d = 13, linear and nonlinear, the core conditions on three graphs."""
    return [Case(13, m, p, g) for g in range(3) for m in ("nonlinear", "linear") for p in CORE]


def simulate(case: Case) -> tuple[Corrupted, np.ndarray]:
    seed = FIRST_SEED + 100 * case.d + case.graph
    preset = PRESETS[case.preset]
    model = random_structural_var(
        case.d,
        case.d,
        nonlinear=case.mechanism == "nonlinear",
        regimes=Regimes(n=preset.n_regimes, kind=preset.regime_kind),
        random_state=seed,
    )
    recordings, truth = model.sample(40, 50, random_state=seed + 1)
    summary = truth.summary_graph
    return corrupt(recordings, preset.corruption, graph=summary, random_state=seed + 2), summary


def standardised(x: np.ndarray) -> np.ndarray:
    return (x - np.nanmean(x, (0, 1))) / np.nanstd(x, (0, 1))


def ours(corrupted: Corrupted, **options) -> dict:
    started = time.perf_counter()
    fit = RCGNN(random_state=1337, progress=False, **options).fit(corrupted.data)
    seconds = time.perf_counter() - started
    # Frequencies rank; the soft support breaks ties among edges that were never selected.
    scores = 0.98 * fit.summary_probability_ + 0.02 * fit.edge_support_
    lost = ~corrupted.data.observed
    gaps = ((fit.imputed_ - corrupted.clean) / corrupted.clean.std((0, 1)))[lost]
    rmse = float(np.sqrt(np.mean(gaps**2))) if lost.any() else None
    return {
        "graph": fit.summary_graph_,
        "scores": scores,
        "seconds": seconds,
        "imputation_rmse": rmse,
    }


def floors(x: np.ndarray, seed: int) -> dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]]:
    rng = np.random.default_rng(seed)
    return {
        "empty": lambda: simple_graphs.empty(x),
        "random": lambda: simple_graphs.at_random(x, rng),
        "correlation": lambda: simple_graphs.correlation(x),
        "lead-lag correlation": lambda: simple_graphs.lead_lag_correlation(x),
        "dynotears": lambda: simple_graphs.dynotears(x),
    }


def rivals(
    python: str, x: np.ndarray, regime: np.ndarray | None, methods: list[str] | None
) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.npz", Path(folder) / "out.json"
        codes = np.zeros(len(x), dtype=int) if regime is None else regime
        np.savez(source, x=x, regime=codes)
        script = Path(__file__).with_name("time_series_rivals.py")
        command = [python, str(script), str(source), str(out)]
        command += ["--methods", *methods]
        subprocess.run(command, check=True, capture_output=True)
        return json.loads(out.read_text())


def run(args: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    done = {(r["case"], r["method"]) for r in read(args.out)}
    todo = neural_cases() if args.neural else cases(args.d, args.mechanism)
    for case in todo[: args.limit]:
        corrupted, truth = simulate(case)
        x = standardised(corrupted.data.values)
        graph = torch.from_numpy(truth)

        def keep(method: str, answer: dict, case: Case = case, graph: torch.Tensor = graph) -> None:
            row = {"case": case.key, **case._asdict(), "method": method}
            if "error" in answer:
                row["error"] = answer["error"]
            else:
                found = torch.from_numpy(np.asarray(answer["graph"], dtype=bool))
                scores = torch.from_numpy(np.asarray(answer["scores"], dtype=float))
                row |= retrieval_scores(graph, found, scores)
                row["seconds"] = answer["seconds"]
                row |= {k: answer[k] for k in ("imputation_rmse",) if answer.get(k) is not None}
            with args.out.open("a") as file:
                file.write(json.dumps(row) + "\n")

        if args.neural:
            if (case.key, "rcgnn neural") not in done:
                keep("rcgnn neural", ours(corrupted, backend="neural"))
            continue
        if not args.rivals_only and (case.key, "rcgnn linear") not in done:
            keep("rcgnn linear", ours(corrupted))
        for name, method in floors(x, case.graph).items():
            if (case.key, name) not in done:
                started = time.perf_counter()
                found, scores = method()
                seconds = time.perf_counter() - started
                keep(name, {"graph": found, "scores": scores, "seconds": seconds})
        asked = [m for m in args.methods or RIVALS if (case.key, m) not in done]
        if args.rivals_python and asked:
            answers = rivals(args.rivals_python, x, corrupted.data.regime, asked)
            for name, answer in answers.items():
                keep(name, answer)
        print(case.key, flush=True)


def read(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def interval(values: np.ndarray, rng: np.random.Generator) -> str:
    means = rng.choice(values, (4000, len(values))).mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def table(args: argparse.Namespace) -> None:
    rows = [r for r in read(args.out) if "f1" in r]
    rng = np.random.default_rng(0)
    for mechanism in ("linear", "nonlinear"):
        part = [r for r in rows if r["mechanism"] == mechanism]
        if part:
            print(f"\n# {mechanism}: {len({r['case'] for r in part})} cases")
            print_methods(part, args.against, rng)
            print_conditions(part, args.against)
            print_losses(part)


def print_methods(rows: list[dict], against: str, rng: np.random.Generator) -> None:
    by_method: dict[str, dict[str, dict]] = {}
    for r in rows:
        by_method.setdefault(r["method"], {})[r["case"]] = r
    reference = by_method.get(against, {})
    for name, found in sorted(
        by_method.items(), key=lambda kv: -np.mean([r["f1"] for r in kv[1].values()])
    ):
        cells = [f"{name:<22}{len(found):4d}"]
        for metric in ("f1", "shd", "auroc", "average_precision"):
            cells.append(
                f"{metric} " + interval(np.array([r[metric] for r in found.values()]), rng)
            )
        for metric in ("skeleton_f1", "oracle_f1", "seconds"):
            cells.append(f"{metric} {np.mean([r[metric] for r in found.values()]):.2f}")
        shared = sorted(set(found) & set(reference))
        if name != against and shared:
            for metric in ("f1", "auroc"):
                gap = np.array([reference[c][metric] - found[c][metric] for c in shared])
                cells.append(f"{against} - this, {metric}: " + interval(gap, rng))
        print("  ".join(cells))


def print_conditions(rows: list[dict], against: str) -> None:
    names = [against, "rcgnn neural", "pcmci+", "pcmci+ native", "j-pcmci+"]
    print(f"{'F1 / AUROC by condition':<30}" + "".join(f"{n:>18}" for n in names))
    for preset in PRESETS:
        cells = []
        for name in names:
            found = [r for r in rows if r["preset"] == preset and r["method"] == name]
            means = [np.mean([r[k] for r in found]) for k in ("f1", "auroc")] if found else []
            cells.append(f"{means[0]:.2f} / {means[1]:.2f}" if means else "-")
        if any(c != "-" for c in cells):
            print(f"{preset:<30}" + "".join(f"{c:>18}" for c in cells))


def print_losses(rows: list[dict]) -> None:
    for preset in ("compound_full", "mnar_self_40", "mcar_40", "noise_0.5"):
        cells = []
        for name in ("rcgnn linear", "rcgnn neural", "pcmci+", "pcmci+ native"):
            f1 = {(r["case"], r["preset"]): r["f1"] for r in rows if r["method"] == name}
            pairs = [
                (f1[(c.replace(preset, "clean"), "clean")], v)
                for (c, p), v in f1.items()
                if p == preset and (c.replace(preset, "clean"), "clean") in f1
            ]
            if pairs:
                cells.append(f"{name} {np.mean([a - b for a, b in pairs]):.3f}")
        print(f"loss of F1 from clean to {preset}: " + ", ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--rivals-python")
    parser.add_argument("--methods", nargs="*", help="of the rivals")
    parser.add_argument("--d", type=int, nargs="+", default=[13, 10, 20])
    parser.add_argument("--mechanism", nargs="+", default=["linear", "nonlinear"])
    parser.add_argument("--neural", action="store_true", help="the 36 cases of the neural back end")
    parser.add_argument("--rivals-only", action="store_true")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--against", default="rcgnn linear")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/sensor_graphs.jsonl"))
    args = parser.parse_args()
    {"run": run, "table": table}[args.what](args)


if __name__ == "__main__":
    main()
