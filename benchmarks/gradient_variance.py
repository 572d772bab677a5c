"""Error of the score-function gradient with joint and with node-wise weights.

    python benchmarks/gradient_variance.py [--repeats 60]

d = 3, M = 128: root mean square error of the estimated gradient in Z of log E[exp F] against the
exact sum over all 64 graphs, and the effective number of Monte Carlo graphs.
"""

from __future__ import annotations

import argparse
import itertools

import torch

from aetia.discovery.dibs.gradients import likelihood_gradient
from aetia.discovery.dibs.latent import (
    edge_probabilities,
    edge_scores,
    latent_gradient,
    soft_graphs,
    uniform_noise,
)
from aetia.graphs import Constraints
from aetia.likelihoods import BGe, LinearGaussian

M = 128


def all_graphs(d: int) -> torch.Tensor:
    off = [(i, j) for i in range(d) for j in range(d) if i != j]
    graphs = torch.zeros(2 ** len(off), d, d, dtype=torch.bool)
    for k, bits in enumerate(itertools.product((False, True), repeat=len(off))):
        for (i, j), bit in zip(off, bits, strict=True):
            graphs[k, i, j] = bit
    return graphs


def exact_gradient(bound, parameters, z, alpha) -> torch.Tensor:
    """Differentiate the log of the sum over all graphs by autograd."""
    graphs = all_graphs(z.shape[1]).double()
    leaf = z.clone().requires_grad_()
    logits = alpha * edge_scores(leaf)
    off = ~torch.eye(z.shape[1], dtype=torch.bool)
    log_p = torch.nn.functional.logsigmoid(logits) * graphs
    log_p = log_p + torch.nn.functional.logsigmoid(-logits) * (1 - graphs)
    log_p = (log_p * off).sum((-2, -1))
    scores = (
        bound.node_scores(graphs[None], parameters)[0]
        if parameters
        else bound.node_scores(graphs.bool())
    ).sum(-1)
    (log_p + scores).logsumexp(0).backward()
    return leaf.grad


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=60)
    repeats = parser.parse_args().repeats
    generator = torch.Generator().manual_seed(0)
    weights = torch.tensor([[0, 1.2, 0], [0, 0, -0.9], [0, 0, 0]], dtype=torch.float64)
    noise = torch.randn(30, 3, generator=generator, dtype=torch.float64)
    x = noise @ torch.linalg.inv(torch.eye(3, dtype=torch.float64) - weights)
    x = x - x.mean(0)
    z = torch.randn(1, 3, 3, 2, generator=generator, dtype=torch.float64)
    theta = torch.randn(1, 3, 3, generator=generator, dtype=torch.float64)
    none = Constraints(torch.zeros(3, 3).bool(), torch.eye(3).bool(), torch.zeros(3, 3))
    cases = {
        "linear": (LinearGaussian(noise_variance=1.0).on(x), {"theta": theta}),
        "bge": (BGe(alpha_mu=1.0).on(x), {}),
    }
    print("alpha  likelihood  |gradient|   rmse joint  rmse node  ESS joint  ESS node")
    for alpha in (0.5, 2.0, 8.0):
        for name, (bound, parameters) in cases.items():
            exact = exact_gradient(bound, parameters, z[0][None], alpha)
            rms = float(exact.square().mean().sqrt())
            cells = {}
            for kind in ("joint", "node"):
                many = z.expand(repeats, -1, -1, -1)
                scores = edge_scores(many)
                soft = soft_graphs(
                    uniform_noise((repeats, M, 3), z, generator), scores, alpha, 1.0, none
                )
                result = likelihood_gradient(
                    bound,
                    {k: v.expand(repeats, -1, -1) for k, v in parameters.items()},
                    soft,
                    edge_probabilities(scores, alpha, none),
                    estimator="score",
                    weights=kind,
                    alpha=alpha,
                    temperature=1.0,
                    constraints=none,
                )
                error = latent_gradient(result.by_score, many) - exact
                cells[kind] = (float(error.square().mean().sqrt()), float(result.ess.mean()))
            print(
                f"{alpha:5.1f}  {name:>10}  {rms:10.3f}   {cells['joint'][0]:10.4f} "
                f"{cells['node'][0]:10.4f}  {cells['joint'][1]:9.1f} {cells['node'][1]:9.1f}"
            )


if __name__ == "__main__":
    main()
