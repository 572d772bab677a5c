"""The prototype's smoke test: X1 -> X2 -> X3, in many seeds.

    python benchmarks/three_node_chain.py [--seeds 40]

X1 ~ N(0, 1), X2 = a X1 + e, X3 = b X2 + e with unit noise, model noise variance 1, n = 500.
Success: the acyclic graph of largest weight is the true one and both coefficients are within 10 %.
First the full method (30 particles weighted by evidence, 2,000 steps) over prior scale and
optimiser, for the coefficients (2, -1.5) and the stiff (10, -5); then the prototype's literal
run: one particle, plain ascent, clipping 11 / 19, 100 steps, alpha 0.1 and beta 1 times
(t + 1/t), weight prior sd 0.5, and the first of 5, 10, ... 100 steps after which it is right.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import torch

from aetia.discovery import DiBS, Schedule
from aetia.errors import ConvergenceError
from aetia.likelihoods import LinearGaussian
from aetia.samplers import Adam, ClippedAscent, RMSprop

TRUTH = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)


def chain(a: float, b: float, n: int, seed: int) -> np.ndarray:
    e = np.random.default_rng(seed).normal(size=(n, 3))
    x2 = a * e[:, 0] + e[:, 1]
    return np.column_stack([e[:, 0], x2, b * x2 + e[:, 2]])


def success(fit: DiBS, a: float, b: float) -> tuple[bool, bool]:
    """Whether the top graph is right, and the coefficients too."""
    p = fit.posterior_
    top = int(np.argmax(p.log_weights))
    right = bool((p.graphs[top] == TRUTH).all())
    w = p.parameters["weights"][top]
    close = abs(w[0, 1] / a - 1) < 0.1 and abs(w[1, 2] / b - 1) < 0.1
    return right, right and bool(close)


def full_method(a, b, seeds, prior_scale, optimiser) -> str:
    right = both = cyclic = 0
    for seed in range(seeds):
        model = LinearGaussian(noise_variance=1.0, theta_prior_scale=prior_scale)
        dibs = DiBS(
            likelihood=model,
            n_particles=30,
            n_steps=2000,
            prior="uniform",
            optimiser=optimiser,
            random_state=seed,
            n_likelihood_graphs=32,
            n_acyclicity_graphs=16,
        )
        try:
            fit = dibs.fit(chain(a, b, 500, seed))
        except ConvergenceError:
            cyclic += 1
            continue
        r, c = success(fit, a, b)
        right, both = right + r, both + c
    return (
        f"{right:>3}/{seeds} graphs right, {both:>3}/{seeds} with coefficients, {cyclic} all cyclic"
    )


def literal_run(a, b, seeds) -> str:
    """Every schedule depends on the step alone, so a shorter run is the start of a longer one."""
    right = both = 0
    first = []
    for seed in range(seeds):
        x = chain(a, b, 500, seed)
        correct = [None, None]
        for n_steps in range(5, 101, 5):
            model = LinearGaussian(noise_variance=1.0, theta_prior_scale=0.5, min_weight=0.0)
            dibs = DiBS(
                likelihood=model,
                n_particles=1,
                n_steps=n_steps,
                prior="uniform",
                optimiser=ClippedAscent(),
                alpha=Schedule(slope=0.1, kind="warm-up"),
                beta=Schedule(slope=1.0, kind="warm-up"),
                n_likelihood_graphs=5,
                n_acyclicity_graphs=10,
                gradient_weights="joint",
                n_latent=3,
                particle_weights="mixture",
                random_state=seed,
            )
            try:
                correct = list(success(dibs.fit(x), a, b))
            except ConvergenceError:
                correct = [False, False]
            if correct[0] and len(first) <= seed:
                first += [None] * (seed - len(first)) + [n_steps]
        right, both = right + bool(correct[0]), both + bool(correct[1])
    steps = [t for t in first if t is not None]
    when = (
        f"right at some point in {len(steps)}, first (median) by step {int(np.median(steps))}"
        if steps
        else "never right"
    )
    return (
        f"{right:>3}/{seeds} graphs right at the end, {both:>3}/{seeds} with coefficients; {when}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=40)
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    optimisers = {"rmsprop": RMSprop(), "adam": Adam(step_size=0.02), "ascent": ClippedAscent()}
    for a, b in ((2.0, -1.5), (10.0, -5.0)):
        for prior_scale in (1.0, 10.0):
            for name, optimiser in optimisers.items():
                result = full_method(a, b, seeds, prior_scale, optimiser)
                print(
                    f"({a:g}, {b:g})  prior sd {prior_scale:>4g}  {name:>8}: {result}", flush=True
                )
        print(
            f"({a:g}, {b:g})  the prototype's literal run: {literal_run(a, b, seeds)}", flush=True
        )


if __name__ == "__main__":
    main()
