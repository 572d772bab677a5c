"""The experiment in the plane: quality by steps of the sampler, and by training seed.

    python benchmarks/toy_diffusion.py [--seeds 5] [--methods default paper classical]

A mixture of two normals (De Bortoli et al., 2025, appendix D.1), 20,000 points to learn from. For
1, 2, 5, 10, 20 and 50 steps and churn 0 and 1: MMD^2 (RBF, sigma 1) of 4,096 drawn points; energy
distance at 2 steps, and of the classical mean denoiser at 16. Share of the exact posterior's total
variance that draws have, by time. `paper` has the values of the original script; `classical` is
`default` with squared error, no repulsion and a population of one. CPU seconds of the fit.
"""

from __future__ import annotations

import argparse
import time

METHODS = {
    "default": {},
    "paper": {"preset": "paper"},
    "classical": {
        "distance": {"name": "energy", "beta": 2.0},
        "interaction": 0.0,
        "population": 1,
        "noise_share": 0.0,
    },
}
STEPS = (1, 2, 5, 10, 20, 50)
TIMES = (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)


def shares_of_variance(model, mixture, generator):
    """Draws' total variance over that of the exact posterior, at each time."""
    import torch

    from aetia.generation.diffusion.tables.fitting import context_of
    from aetia.generation.diffusion.tables.masks import Pattern

    fit = model._fitted()
    centre, scale = (torch.from_numpy(a).float() for a in (fit.codec.centre, fit.codec.scale))
    n, shares = 400, []
    everything = torch.ones((n, 2), dtype=torch.bool)
    roles = Pattern(everything, ~everything)
    for t in TIMES:
        x_0 = (mixture.sample(n, generator) - centre) / scale
        x_t = (1 - t) * x_0 + t * torch.randn(x_0.shape, generator=generator)
        # In standardised columns the components are normal with another variance in each.
        means, variance = (mixture.means - centre) / scale, (mixture.std / scale) ** 2
        v = (1 - t) ** 2 * variance + t**2
        gap = x_t[:, None] - (1 - t) * means
        weights = (-0.5 * (gap**2 / v).sum(-1)).softmax(-1)[..., None]
        centres = means + (1 - t) * variance / v * gap
        mean = (weights * centres).sum(1, keepdim=True)
        exact = (weights * (centres - mean) ** 2).sum((1, 2)) + (variance * t**2 / v).sum()
        xi = torch.randn((n, 256, fit.network.n_noise), generator=generator)
        context = context_of(x_0, roles, torch.arange(2))
        with torch.no_grad():
            draws = fit.network(x_t, torch.full((n,), t), xi, context)
        shares.append(float(draws.var(1).sum(-1).mean() / exact.mean()))
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    args = parser.parse_args()
    import numpy as np
    import torch

    from aetia.diagnostics import energy_distance, mmd_squared
    from aetia.generation import DDDM
    from aetia.generation.diffusion.process.gaussian_mixture import two_modes

    torch.set_num_threads(1)
    mixture = two_modes()
    print("method     churn  median MMD^2 at " + "  ".join(f"{n:>6d}" for n in STEPS) + "   CPU s")
    for method in args.methods:
        found: dict[float, list] = {0.0: [], 1.0: []}
        shares, distances, seconds = [], [], []
        for seed in range(args.seeds):
            generator = torch.Generator().manual_seed(100 + seed)
            points = mixture.sample(20_000, generator).numpy()
            reference = mixture.sample(4096, generator)
            started = time.process_time()
            options = {"targets": ["x0", "x1"], "random_state": seed, "progress": False}
            model = DDDM(**options, **METHODS[method]).fit(points)
            seconds.append(time.process_time() - started)

            def drawn(model, n, churn):
                from dataclasses import replace

                config = replace(model._fitted().config, churn=churn)
                model._fit_result = replace(model._fitted(), config=config)
                return torch.from_numpy(model.sample(4096, n_steps=n).values[0]).float()

            for churn, rows in found.items():
                rows.append([mmd_squared(drawn(model, n, churn), reference) for n in STEPS])
            at = 16 if method == "classical" else 2
            distances.append(energy_distance(drawn(model, at, 0.0), reference))
            shares.append(shares_of_variance(model, mixture, generator))
        for churn, rows in found.items():
            values = "  ".join(f"{v:6.4f}" for v in np.median(rows, 0))
            print(f"{method:10s} {churn:5.1f}  {'':16s}{values}   {np.mean(seconds):5.0f}")
        print(
            f"{method:10s} energy distance at {at} steps, churn 0: median "
            f"{np.median(distances):.4f}; variance ratio at t = {TIMES}: median "
            + ", ".join(f"{v:.2f}" for v in np.median(shares, 0)),
            flush=True,
        )


if __name__ == "__main__":
    main()
