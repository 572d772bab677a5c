"""Coverage of the 90 % intervals of CausalBGM at n = 1,000, p = 20, with default options.

    python benchmarks/effect_coverage.py [--designs ...] [--reps 200] [--out FILE.jsonl] [--print]

Dose response (the share of its 20 points that are covered), average effect, unit effects; doses:
the 75 % against the 25 % quantile. With each share stands its 99 % interval: over repetitions for
shares of points and units, exact binomial for the average effect. Resumable.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

DESIGNS = ("hirano-imbens", "sun", "colangelo", "nie-wager", "binary-latent")


def repetition(design: str, seed: int) -> dict:
    import numpy as np

    from aetia import CausalBGM, simulate_study

    study = simulate_study(design, 1000, 20, random_state=10_000 + seed)
    started = time.perf_counter()
    model = CausalBGM(random_state=seed, progress=False).fit(*study[:3])
    row = {"design": design, "seed": seed, "seconds": time.perf_counter() - started}

    def covered(posterior, truth, kind="credible"):
        low, high = posterior.interval(0.9, kind).T
        return float(((low <= truth) & (truth <= high)).mean()), float((high - low).mean())

    treated, control = 1, 0
    if design in ("hirano-imbens", "sun", "colangelo"):
        treated, control = np.quantile(study.treatment, [0.75, 0.25])
        doses = np.linspace(0, 3, 20) if design == "hirano-imbens" else None
        curve = model.dose_response(doses)
        truth = study.truth.dose_response(curve.doses)
        row["curve"], row["curve_length"] = covered(curve, truth)
        row["curve_rmse"] = float(np.sqrt(((curve.mean - truth) ** 2).mean()))
    average, truth = model.ate(treated, control), study.truth.average_effect(treated, control)
    row["ate"], row["ate_length"] = covered(average, truth)
    row["ate_error"] = float(average.mean[0] - truth)
    units, truth = model.effect(treated, control), study.truth.unit_effects(treated, control)
    row["unit"], row["unit_length"] = covered(units, truth)
    _, row["prediction_length"] = covered(units, truth, "prediction")
    row["pehe"] = float(np.sqrt(((units.mean - truth) ** 2).mean()))
    return row


def table(rows: list[dict]) -> None:
    import numpy as np
    from scipy.stats import binomtest

    print(
        f"{'design':15s} reps  quantity  coverage  [99 % interval]  length  error (curve RMSE, "
        "bias of ATE, root PEHE)  seconds"
    )
    for design in DESIGNS:
        mine = [r for r in rows if r["design"] == design]
        for name, error in (("curve", "curve_rmse"), ("ate", "ate_error"), ("unit", "pehe")):
            shares = np.array([r[name] for r in mine if name in r])
            if len(shares) < 2:
                continue
            if name == "ate":
                ends = binomtest(int(shares.sum()), len(shares)).proportion_ci(0.99)
                low, high = ends.low, ends.high
            else:
                half = 2.576 * shares.std(ddof=1) / len(shares) ** 0.5
                low, high = shares.mean() - half, shares.mean() + half
            length = np.mean([r[f"{name}_length"] for r in mine])
            print(
                f"{design:15s} {len(shares):4d}  {name:8s}  {shares.mean():8.3f}  "
                f"[{low:.3f}, {high:.3f}]  {length:6.3f}  {np.mean([r[error] for r in mine]):8.3f}"
                f"  {np.mean([r['seconds'] for r in mine]):7.1f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", nargs="*", default=list(DESIGNS))
    parser.add_argument("--reps", type=int, default=200)
    parser.add_argument("--out", default="benchmarks/results/effect_coverage.jsonl")
    parser.add_argument("--print", action="store_true", dest="only_print")
    args = parser.parse_args()
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    done = {(r["design"], r["seed"]) for r in rows}
    if not args.only_print:
        import torch

        torch.set_num_threads(1)
        warnings.simplefilter("ignore")
        for seed in range(args.reps):
            for design in args.designs:
                if (design, seed) in done:
                    continue
                row = repetition(design, seed)
                rows.append(row)
                with out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    table(rows)


if __name__ == "__main__":
    main()
