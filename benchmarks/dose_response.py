"""Dose response of Hirano-Imbens, Sun and Colangelo by CausalBGM and simple baselines.

    python benchmarks/dose_response.py [--designs ...] [--methods ...] [--seeds 1]

Sizes and grids of the original's measurements: n = 20,000, p = 200, doses linspace(0, 3, 20);
n = 5,000, p = 200; n = 10,000, p = 100, 20 doses between the 5 % and 95 % quantiles. RMSE and mean
absolute relative error of the curve, coverage of its 90 % intervals, wall time, peak memory. Every
cell runs in a process of its own, one thread; finished rows of the output file are skipped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

SIZES = {"hirano-imbens": (20_000, 200), "sun": (5_000, 200), "colangelo": (10_000, 100)}
METHODS = ("causalbgm", "s-learner", "linear-dml", "polynomial", "least-squares")


def cell(design: str, method: str, seed: int) -> dict:
    import resource
    import time

    import numpy as np
    import torch

    from aetia import simulate_study
    from effect_methods import DOSES

    torch.set_num_threads(1)
    n, p = SIZES[design]
    study = simulate_study(design, n, p, random_state=np.random.RandomState(seed))
    if design == "hirano-imbens":
        doses = np.linspace(0, 3, 20)
    else:
        doses = np.linspace(*np.quantile(study.treatment, [0.05, 0.95]), 20)
    truth = study.truth.dose_response(doses)
    started = time.perf_counter()
    curve, ends = DOSES[method](study, doses)
    seconds = time.perf_counter() - started
    row = {
        "rmse": float(np.sqrt(((curve - truth) ** 2).mean())),
        "mape": float((np.abs(curve - truth) / np.abs(truth)).mean()),
        "seconds": seconds,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if ends is not None:
        row["coverage"] = float(((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean())
        row["length"] = float((ends[:, 1] - ends[:, 0]).mean())
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", nargs="*", default=list(SIZES))
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", default="benchmarks/results/dose_response.jsonl")
    parser.add_argument("--cell", nargs=3)
    args = parser.parse_args()
    if args.cell:
        print(json.dumps(cell(args.cell[0], args.cell[1], int(args.cell[2]))))
        return
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    print(f"{'design':15s} {'method':14s} seed   rmse   mape  cover  length  seconds   MB")
    for design in args.designs:
        for method in args.methods:
            for seed in range(args.seeds):
                key = {"design": design, "method": method, "seed": seed}
                row = next((r for r in rows if key.items() <= r.items()), None)
                if row is None:
                    command = [sys.executable, __file__, "--cell", design, method, str(seed)]
                    done = subprocess.run(command, capture_output=True, text=True, check=False)
                    if done.returncode:
                        print(f"{design:15s} {method:14s} {done.stderr.strip().splitlines()[-1]}")
                        continue
                    row = key | json.loads(done.stdout.strip().splitlines()[-1])
                    with out.open("a") as file:
                        file.write(json.dumps(row) + "\n")
                print(
                    f"{design:15s} {method:14s} {seed:4d} {row['rmse']:6.3f} {row['mape']:6.3f} "
                    f"{row.get('coverage', -1):6.2f} {row.get('length', -1):7.3f}"
                    f" {row['seconds']:8.1f} {row['megabytes']:5.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
