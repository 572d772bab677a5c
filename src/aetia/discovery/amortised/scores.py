"""How good a predicted distribution is on tasks with known graphs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.diagnostics import brier_score, expected_calibration_error
from aetia.discovery.amortised.network import AmortisedNetwork
from aetia.graphs import auroc, average_precision
from aetia.randomness import torch_generator
from aetia.scm import Tasks

__all__ = ["predict", "validation_rows"]


def predict(network: AmortisedNetwork, tasks: Tasks, *, normalise: bool = True) -> Any:
    """Run a network on simulated tasks.

    Args:
        network: The network, left in its mode of training or evaluation.
        tasks: A batch of tasks of one size.
        normalise: Whether tables are standardised, as in the network's training.

    Returns:
        Its prediction.
    """
    device = next(network.parameters()).device
    tasks = tasks.to(device)
    return network(tasks.standardised() if normalise else tasks.values, tasks.intervened)


@torch.no_grad()
def validation_rows(
    network: AmortisedNetwork,
    tasks: Sequence[Tasks],
    *,
    family: str,
    n_draws: int,
    seed: int,
    normalise: bool = True,
) -> list[dict[str, Any]]:
    """Score a network on single tasks, cheaply: marginals are analytic, few draws are made.

    Args:
        network: The network, in evaluation mode.
        tasks: Each of one table.
        family: Name, part of the row's ``"task"``.
        n_draws: Draws behind ``expected_f1`` and ``share_cyclic``.
        seed: Seed of the draws; each task has draws of its own.
        normalise: Whether tables are standardised, as in the network's training.

    Returns:
        One row for each task: ``loss`` (negative log marginal probability per pair), ``joint_nll``
        (negative log joint probability per pair), ``auroc``, ``average_precision``, ``f1`` (at
        probability 1/2), ``ece``, ``brier``, ``expected_f1``, ``share_cyclic``, ``n_edges``.
    """
    from aetia.graphs import is_acyclic

    rows = []
    for task in tasks:
        predicted = network.distribution(predict(network, task, normalise=normalise))
        graph, p = task.graphs[0].cpu(), predicted.marginals()[0].cpu()
        off = ~torch.eye(len(graph), dtype=torch.bool)
        stated, true = p[off].numpy(), graph[off].numpy()
        seeds = np.random.SeedSequence([seed, int(task.index[0])])
        draws = predicted.sample(n_draws, torch_generator(seeds))[:, 0]
        pairs = max(len(stated), 1)
        rows.append(
            {
                "task": f"{family}/{int(task.index[0])}",
                "loss": _cross_entropy(p[off], graph[off]),
                "joint_nll": -float(predicted.log_prob(task.graphs)[0]) / pairs,
                "auroc": auroc(graph, p),
                "average_precision": average_precision(graph, p),
                "f1": float(_f1(graph, (p > 0.5)[None])[0]),
                "ece": expected_calibration_error(stated, true),
                "brier": brier_score(stated, true),
                "expected_f1": float(_f1(graph, draws).mean()),
                "share_cyclic": float((~is_acyclic(draws)).double().mean()),
                "n_edges": float(p.sum()),
            }
        )
    return rows


def _cross_entropy(p: Tensor, graph: Tensor) -> float:
    p = p.clamp(1e-6, 1 - 1e-6)
    return float(-torch.where(graph, p.log(), (-p).log1p()).mean()) if len(p) else math.nan


def _f1(graph: Tensor, draws: Tensor) -> Float[Tensor, " s"]:
    hits = (graph & draws).sum((-2, -1)).double()
    total = graph.sum() + draws.sum((-2, -1))
    return torch.where(total > 0, 2 * hits / total, 1.0)
