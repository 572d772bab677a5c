"""What training and sampling cost beyond the network's own passes.

    python benchmarks/diffusion_speed.py [--rounds 30]

A training step of the loop (noise, score, gradient, optimiser, average of the weights) against one
forward and backward pass of the same network on the same rows; sampling against as many bare calls
of the network. Mean times over the rounds, both in turn; the least of five turns. The first line is
the toy setting of the original: batch 512, population 8, four layers of 128.
"""

from __future__ import annotations

import argparse
import time


def mean_time(f, rounds):
    started = time.perf_counter()
    for _ in range(rounds):
        f()
    return (time.perf_counter() - started) / rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    import numpy as np
    import torch

    from aetia.generation.diffusion.process.sampler import reverse_chain, time_grid
    from aetia.generation.diffusion.tables.config import DDDMConfig
    from aetia.generation.diffusion.tables.fitting import TableTask, build_network, fit_denoiser
    from aetia.generation.diffusion.tables.masks import Pattern
    from aetia.nets import seeded

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn((20_000, 2), generator=generator)
    observed = torch.ones((20_000, 2), dtype=torch.bool)
    roles = Pattern(torch.ones((1, 2), dtype=torch.bool), torch.zeros((1, 2), dtype=torch.bool))
    print("preset   batch  m  width   step ms   bare ms  ratio   sampling 5 steps ms   bare  ratio")
    settings = [("paper", 512, 8, 128)]
    settings += [("default", b, m, w) for b in (128, 512) for m in (2, 8) for w in (64, 128)]
    for preset, batch, m, width in settings:
        n = args.rounds
        config = DDDMConfig(
            preset=preset,
            targets=("x0", "x1"),
            batch_size=batch,
            population=m,
            hidden_units=(width,) * (4 if preset == "paper" else 3),
            n_training_steps=n,
            validation_share=0.0,
        )
        with seeded(generator):
            network = build_network(config, 2, 2)
        task = TableTask(rows, observed, torch.arange(2), roles)
        x, t = rows[:batch], torch.rand(batch, generator=generator)
        xi = torch.randn((batch, m, 2), generator=generator)
        context = torch.zeros((batch, 6))

        def bare(network=network, x=x, t=t, xi=xi, context=context):
            network.zero_grad()
            network(x, t, xi, context).square().mean().backward()

        none = torch.empty(0, dtype=torch.long)

        def whole(network=network, task=task, none=none, config=config):
            fit_denoiser(network, task, none, config, 0, False)

        pairs = [(mean_time(whole, 1) / n, mean_time(bare, n)) for _ in range(5)]
        step, plain = (min(p[k] for p in pairs) for k in (0, 1))
        noise = torch.randn((4096, 2), generator=generator)
        many, context = torch.randn((4096, 1, 2), generator=generator), torch.zeros((4096, 6))

        def denoise(x, t, g, network=network, context=context):
            draws = torch.empty((len(x), 1, 2)).normal_(generator=g)
            return network(x, torch.full((len(x),), t), draws, context)[:, 0]

        @torch.no_grad()
        def calls(network=network, noise=noise, many=many, context=context):
            for _ in range(5):
                network(noise, torch.ones(4096), many, context)

        def chain(denoise=denoise, config=config, noise=noise):
            schedule = config.the_schedule()
            reverse_chain(denoise, schedule, noise, time_grid(5), 1.0, generator)

        both = [(mean_time(chain, 5), mean_time(calls, 5)) for _ in range(5)]
        sampling, floor = (min(b[k] for b in both) for k in (0, 1))
        print(
            f"{preset:8s} {batch:5d} {m:2d} {width:6d}  {1e3 * step:8.2f}  {1e3 * plain:8.2f}  "
            f"{step / plain:5.2f}  {1e3 * sampling:20.1f}  {1e3 * floor:5.1f}  "
            f"{sampling / floor:5.2f}",
            flush=True,
        )
    print(f"load average {np.round(__import__('os').getloadavg()[0], 1)}")


if __name__ == "__main__":
    main()
