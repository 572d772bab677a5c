"""How good are new digits, by number of sampler steps? ImageDDDM against a classical diffusion.

Distances are to real digits, and each has a floor: what other real digits get. The classical model
is the same network, trained with beta = 2, lambda = 0 and one draw, that is by squared errors.

    python benchmarks/digits_diffusion.py --training-steps 3000 --out digits-benchmark
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from aetia.generation import ImageDDDM
from aetia.generation.diffusion import Energy
from aetia.generation.diffusion.experiments.data import split_digits
from aetia.generation.diffusion.experiments.files import write_figure
from aetia.generation.diffusion.images.quality import image_quality
from aetia.plots import plot_pictures

STEPS = (1, 2, 5, 10, 20)
SHOWN = ("fd_pca64", "fd_randconv", "mmd2_median", "energy_distance")
MODELS = {
    "distributional": {},
    "classical": {"distance": Energy(2.0), "interaction": 0.0, "population": 1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training-steps", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=3, help="sets of drawn images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--churn", type=float, default=1.0)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--out", type=Path, default=Path("digits-benchmark"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    train, test = split_digits()
    rows = []
    print("| model | steps | " + " | ".join(SHOWN) + " |")
    print("|---|---|" + "---|" * len(SHOWN))
    for name in args.models:
        started = time.perf_counter()
        model = ImageDDDM(
            n_training_steps=args.training_steps,
            churn=args.churn,
            random_state=args.seed,
            progress=False,
            **MODELS[name],
        ).fit(train)
        seconds = time.perf_counter() - started
        model.save(args.out / name)
        for n_steps in STEPS:
            found = [
                image_quality(
                    model.sample(len(test), n_steps=n_steps, random_state=1000 + k).values[0],
                    train,
                    test,
                )
                for k in range(args.repeats)
            ]
            mean = {k: float(np.mean([f[k] for f in found])) for k in SHOWN}
            sd = {k: float(np.std([f[k] for f in found], ddof=1)) for k in SHOWN}
            floor = {k: found[0][f"{k}_floor"] for k in SHOWN}
            cells = [f"{mean[k]:.4f} ± {sd[k]:.4f}" for k in SHOWN]
            print(f"| {name} | {n_steps} | " + " | ".join(cells) + " |", flush=True)
            rows.append(
                {"model": name, "steps": n_steps, "mean": mean, "sd": sd, "fit_seconds": seconds}
            )
        drawn = model.sample(100, n_steps=5, random_state=7).values[0]
        write_figure(args.out / f"samples_{name}.png", plot_pictures(drawn, n_columns=10)[0].figure)
    print("| other real digits | | " + " | ".join(f"{floor[k]:.4f}" for k in SHOWN) + " |")
    fits = {r["model"]: round(r["fit_seconds"]) for r in rows}
    print(f"{len(train)} training digits, {len(test)} test digits; fits took {fits} s.")
    content = {
        "rows": rows,
        "floor": floor,
        "arguments": {k: str(v) for k, v in vars(args).items()},
    }
    (args.out / "results.json").write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
