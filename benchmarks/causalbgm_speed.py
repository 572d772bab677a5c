"""Speed of CausalBGM at the sizes of the original's measurements, beside those figures.

    python benchmarks/causalbgm_speed.py

The original (TensorFlow 2.10, two shared cores; p = 50, batch 32, 5 critic steps for each update,
Bayesian networks of the original's widths): 1,000 joint updates 25 to 41 s after 23 s of tracing;
an epoch of 157 batches of latents and networks 2.0 to 3.1 s; 1,000 Metropolis steps for 1,000 units
33 s; of 200 draws of the latents about 6 were effective, so 0.9 effective draws a second.
One network (no ensemble) here, one thread. Figures depend on what else the machine does: the load
is printed.
"""

from __future__ import annotations

import os
import time
import warnings


def main() -> None:
    import numpy as np
    import torch

    from aetia import CausalBGM, simulate_study
    from aetia.diagnostics import convergence

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"load average {os.getloadavg()[0]:.1f}")
    study = simulate_study("binary-latent", 5000, 50, random_state=0)
    original = {
        "latent_dims": (3, 3, 6, 6),
        "encoder_units": (64,) * 5,
        "rest_encoder_units": (64,) * 5,
        "covariate_units": (64,) * 5,
        "treatment_units": (64, 32, 8),
        "outcome_units": (64, 32, 8),
        "critic_units": (64, 32, 8),
        "n_knots": 0,
        "n_folds": 1,
        "n_replicates": 1,
        "bayesian_nets": True,
        "batch_size": 32,
        "n_critic_steps": 5,
        "generative_weight": 1.0,
        "relevance": 0.0,
        "latent_noise": 0.0,
        "latent_shrinkage": 0.0,
        "latent_updates": "map",
        "progress": False,
        "random_state": 0,
    }

    def seconds(**options) -> float:
        started = time.perf_counter()
        CausalBGM(**(original | options)).fit(*study[:3])
        return time.perf_counter() - started

    base = seconds(n_egm_steps=20)
    thousand = (seconds(n_egm_steps=520) - base) * 2
    print(
        f"1,000 joint updates (batch 32)    {thousand:6.1f} s   original 25 to 41 s   "
        f"ratio {25 / thousand:.1f} to {41 / thousand:.1f}"
    )
    epoch = (seconds(n_egm_steps=20, n_epochs=3) - base) / 3
    print(
        f"epoch of 157 batches (batch 32)   {epoch:6.2f} s   original 2.0 to 3.1 s  "
        f"ratio {2.0 / epoch:.1f} to {3.1 / epoch:.1f}"
    )
    large = (seconds(n_egm_steps=20, n_epochs=3, batch_size=256) - base) / 3
    print(f"the same epoch, batch 256         {large:6.2f} s")

    fitted = CausalBGM(**(original | {"n_egm_steps": 300})).fit(*study[:3])
    some = slice(0, 1000)
    units = (study.covariates[some], study.treatment[some], study.outcome[some])
    for sampler, warm, kept in (("metropolis", 500, 500), ("hmc", 100, 200)):
        fitted._config = type(fitted._config)(
            **{**vars(fitted._config), "sampler": sampler, "n_warmup": warm, "n_kept": kept}
        )
        started = time.perf_counter()
        draws, report = fitted.sample_latents(units[0], treatment=units[1], outcome=units[2])
        took = time.perf_counter() - started
        halves = draws[0, :, :200].reshape(2, kept // 2, -1)
        ess = float(np.median(convergence(halves).ess_bulk))
        print(
            f"{sampler:10s} {warm + kept} steps, 1,000 units: {took:6.1f} s "
            f"({took / (warm + kept) * 1000:.1f} s per 1,000; original 33 s); median ESS of "
            f"{kept} draws {ess:.0f}; ESS/s {ess / took:.1f} (original 0.9), acceptance "
            f"{report['acceptance']:.2f}"
        )


if __name__ == "__main__":
    main()
