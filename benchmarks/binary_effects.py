"""Effects of a binary treatment: CausalBGM next to T-learner, causal forest and BCF.

    python benchmarks/binary_effects.py [--ihdp FOLDER] [--studies ...] [--methods ...] [--seeds 3]

Studies: IHDP 1 to 10 (747 units, files of the user), the four designs of Hahn, Murray & Carvalho
(n = 500), Nie & Wager A to D (n = 1,000, 20 covariates). Root PEHE, error of the average effect,
coverage and length of 90 % intervals of unit effects and of the average, wall time and peak memory.
Every cell runs in a process of its own, one thread; finished rows of the output file are skipped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

METHODS = ("causalbgm", "t-learner", "causal-forest", "bcf")
HAHN = [f"hahn-{a}-{b}" for a in ("linear", "nonlinear") for b in ("homogeneous", "heterogeneous")]
NIE_WAGER = [f"nie-wager-{setup}" for setup in "ABCD"]


def study_of(name: str, seed: int, ihdp: str | None):
    from aetia import simulate_study
    from aetia.data import read_ihdp
    from aetia.scm.effect_designs import Hahn, NieWager

    if name.startswith("ihdp"):
        return read_ihdp(Path(str(ihdp)) / f"ihdp_npci_{name.split('-')[1]}.csv")
    if name.startswith("hahn"):
        _, prognosis, effects = name.split("-")
        design = Hahn(prognosis=prognosis, effects=effects)
        return simulate_study(design, 500, random_state=seed)
    return simulate_study(NieWager(setup=name[-1]), 1000, 20, random_state=seed)


def cell(name: str, method: str, seed: int, ihdp: str | None) -> dict:
    import resource
    import time

    import numpy as np
    import torch

    from effect_methods import BINARY

    torch.set_num_threads(1)
    study = study_of(name, seed, ihdp)
    truth = study.truth.unit_effects()
    started = time.perf_counter()
    said = BINARY[method](study)
    row = {
        "pehe": float(np.sqrt(((said["unit"] - truth) ** 2).mean())),
        "ate_error": abs(float(said["ate"] - truth.mean())),
        "seconds": time.perf_counter() - started,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if said["unit_interval"] is not None:
        low, high = said["unit_interval"].T
        row["unit_coverage"] = float(((low <= truth) & (truth <= high)).mean())
        row["unit_length"] = float((high - low).mean())
    if said["ate_interval"] is not None:
        low, high = said["ate_interval"]
        row["ate_coverage"] = float(low <= truth.mean() <= high)
        row["ate_length"] = float(high - low)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ihdp")
    parser.add_argument("--studies", nargs="*")
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default="benchmarks/results/binary_effects.jsonl")
    parser.add_argument("--cell", nargs=3)
    args = parser.parse_args()
    if args.cell:
        print(json.dumps(cell(args.cell[0], args.cell[1], int(args.cell[2]), args.ihdp)))
        return
    cells = [(name, s) for name in HAHN + NIE_WAGER for s in range(args.seeds)]
    if args.ihdp:
        cells = [(f"ihdp-{k}", 0) for k in range(1, 11)] + cells
    if args.studies:
        cells = [c for c in cells if any(c[0].startswith(s) for s in args.studies)]
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    for name, seed in cells:
        for method in args.methods:
            key = {"study": name, "method": method, "seed": seed}
            if any(key.items() <= r.items() for r in rows):
                continue
            command = [sys.executable, __file__, "--cell", name, method, str(seed)]
            command += ["--ihdp", args.ihdp] if args.ihdp else []
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(name, method, done.stderr.strip().splitlines()[-1], file=sys.stderr)
                continue
            row = key | json.loads(done.stdout.strip().splitlines()[-1])
            rows.append(row)
            with out.open("a") as file:
                file.write(json.dumps(row) + "\n")
    table(rows)


def table(rows: list[dict]) -> None:
    import numpy as np

    columns = ("pehe", "ate_error", "unit_coverage", "unit_length", "ate_coverage", "ate_length")
    columns += ("seconds", "megabytes")
    print(f"{'study':24s} {'method':14s} runs " + " ".join(f"{c[:12]:>12s}" for c in columns))
    groups = sorted({r["study"] if "ihdp" not in r["study"] else "ihdp" for r in rows})
    for group in groups:
        for method in METHODS:
            mine = [r for r in rows if r["study"].startswith(group) and r["method"] == method]
            if not mine:
                continue
            cells = [np.nanmean([r.get(c, np.nan) for r in mine]) for c in columns]
            shown = " ".join(f"{v:12.3f}" for v in cells)
            print(f"{group:24s} {method:14s} {len(mine):4d} {shown}")


if __name__ == "__main__":
    main()
