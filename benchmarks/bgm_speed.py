"""Speed of BGM at the sizes at which the original was measured.

    python benchmarks/bgm_speed.py [--quick]

p = 100 columns, 10 latents, hidden layers 5 x 64, one thread, latent_heteroskedastic tables of
5,000 rows. The original (TensorFlow 2.10, two cores of the same kind, card section 14): 1,000
adversarial iterations of batch 32 in 6.0 to 8.8 s; an epoch of 156 batches of 32 (one step of the
weights and one of the latents each) in 0.66 s; 1,000 HMC steps of 10 leapfrogs for 500 rows in 47
to 54 s, of which its default burn-in takes 5,000.
Effective draws of the original's sampler come from its settings (start N(0, I), one step size 0.01
for all rows, times 1.01 a step while acceptance is above 0.75, 100 steps before the draws) run on
our model, and from its own time a step.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import torch

from aetia.diagnostics import convergence
from aetia.generation.bgm.building import build_critics, build_networks, likelihood_of
from aetia.generation.bgm.config import BGMConfig
from aetia.generation.bgm.egm import Adversaries
from aetia.generation.bgm.fitting import ModelRows, fit_likelihood, start_adversarially
from aetia.generation.bgm.latent_distribution import DefensiveProposal
from aetia.generation.bgm.latent_posterior import JumpingHMC, RowPosterior, importance_start
from aetia.generation.bgm.table import scales_of
from aetia.nets import seeded
from aetia.samplers import HMC, warm_up
from aetia.scm.table_designs import latent_heteroskedastic

UNITS = (64,) * 5
K, N_ROWS = 10, 500
ORIGINAL = {"egm": (6.0, 8.8), "epoch": (0.66, 0.66), "hmc": (47.0, 54.0)}
ORIGINAL["200 draws"] = (5.2 * 47.0, 5.2 * 54.0)  # its default burn-in is 5,000 steps


def timed(action) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def show(name: str, seconds: float, key: str) -> None:
    low, high = ORIGINAL[key]
    print(f"{name:58}{seconds:9.2f} s   {low / seconds:5.1f} to {high / seconds:.1f} times faster")


def effective(draws: torch.Tensor) -> float:
    """Median effective draws of a latent; draws [s, chains, rows, k]."""
    found = convergence(draws[:, :, :50].transpose(0, 1).double().numpy())
    return float(np.nanmedian(found.ess_bulk))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--sampler", action="store_true", help="leave training out")
    args = parser.parse_args()
    shrink = 10 if args.quick else 1
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    drawn = latent_heteroskedastic(5000, K, 99, np.random.default_rng(0))
    values = np.column_stack([drawn.inputs, drawn.outcome])
    scales = scales_of(values)
    rows = ModelRows(*scales.to_model(values))
    options = {
        "n_latents": K,
        "generator_units": UNITS,
        "encoder_units": UNITS,
        "learning_rate": 5e-3,
    }

    def build(config):
        likelihood = likelihood_of(config, scales, torch.device("cpu"))
        with seeded(torch.Generator().manual_seed(0)):
            networks = build_networks(config, likelihood, K, rows)
            players = Adversaries(networks, *build_critics(config, K, values.shape[1]))
        return likelihood, networks, players

    for batch in () if args.sampler else (32, 256):
        config = BGMConfig(**options, batch_size=batch, n_egm_steps=1000 // shrink)
        likelihood, _, players = build(config)
        seconds = timed(
            lambda c=config, a=players, b=likelihood: start_adversarially(a, b, rows, c, 0, False)
        )
        show(f"1,000 adversarial iterations, batch {batch}", seconds * shrink, "egm")
    kinds = () if args.sampler else ((32, "map"), (256, "map"), (256, "importance"))
    for batch, latents in kinds:
        steps = 5 * (5000 // batch)
        config = BGMConfig(**options, batch_size=batch, latents=latents, n_steps=steps)
        likelihood, networks, _ = build(config)
        seconds = timed(
            lambda c=config, a=networks, b=likelihood: fit_likelihood(
                a, b, rows, rows.take(slice(0, 1)), c, 0, False
            )
        )
        show(
            f"an epoch of {5000 // batch} batches of {batch}, latents={latents}",
            seconds / 5,
            "epoch",
        )
    config = BGMConfig(**options, n_steps=1000 // shrink)
    likelihood, networks, _ = build(config)
    fit_likelihood(networks, likelihood, rows, rows.take(slice(0, 200)), config, 0, False)
    networks.requires_grad_(False)
    hidden = torch.rand(N_ROWS, 100, generator=torch.Generator().manual_seed(1)) < 0.2
    some = ModelRows(rows.x[:N_ROWS].masked_fill(hidden, 0.0), ~hidden)
    posterior = RowPosterior(networks.decoder.fixed(), likelihood, *some, K)
    generator = torch.Generator().manual_seed(2)
    n_steps = 200 // shrink
    hmc = HMC(posterior.log_density, 0.01, 10, jitter=0.0)
    state = hmc.init(torch.randn(1, N_ROWS, K, generator=generator))
    positions = []
    started = time.perf_counter()
    for t in range(100 + n_steps):
        state, info = hmc.step(state, generator)
        if t < 80:
            factor = 1.01 if float(info.acceptance.mean()) > 0.75 else 1 / 1.01
            state = state._replace(step_size=state.step_size * factor)
        if t >= 100:
            positions.append(state.position)
    ours_a_step = (time.perf_counter() - started) / (100 + n_steps)
    show("1,000 HMC steps of 10 leapfrogs, 500 rows", 1000 * ours_a_step, "hmc")
    original = effective(torch.stack(positions)) / (n_steps * ORIGINAL["hmc"][0] / 1000)
    law = DefensiveProposal(networks.encoder(*some))
    started = time.perf_counter()
    start = importance_start(posterior, law, 4, config.n_starts, generator)
    sampler = JumpingHMC(posterior.log_density, law, n_leapfrog=config.n_leapfrog)
    state, _ = warm_up(sampler, sampler.init(start), config.n_warmup, generator)
    warmed = time.perf_counter()
    positions = []
    for _ in range(50):
        state, _ = sampler.step(state, generator)
        positions.append(state.position)
    ended = time.perf_counter()
    show("200 draws for 500 rows with default warm-up", ended - started, "200 draws")
    found = effective(torch.stack(positions))
    print(
        f"effective draws of 200: {found:.0f}; a second, after warm-up: "
        f"{found / (ended - warmed):.0f}, with the original's sampler on our model at the "
        f"original's time a step: {original:.0f}"
    )


if __name__ == "__main__":
    main()
