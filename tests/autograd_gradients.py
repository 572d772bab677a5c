"""Gradients of any joint score by one backward pass: the yardstick of those written by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from aetia.likelihoods.protocol import (
    GraphGradients,
    JointScore,
    ParameterGradients,
    Parameters,
    Weigh,
)


def graph_gradients_by_autograd(
    score: JointScore, graphs: Tensor, parameters: Parameters, weigh: Weigh
) -> GraphGradients:
    """Differentiate any joint score in the graphs with one backward pass.

    Args:
        score: The bound likelihood; only its ``node_scores`` is called.
        graphs: ``[s, m, d, d]`` graphs, as floats.
        parameters: One set for each particle.
        weigh: Turns scores into weights, which are held constant.

    Returns:
        What ``JointScore.graph_gradients`` promises.
    """
    leaf = graphs.detach().requires_grad_()
    with torch.enable_grad():
        scores = score.node_scores(leaf, parameters)
        total = (weigh(scores.detach()) * scores).sum()
    return GraphGradients(scores.detach(), torch.autograd.grad(total, leaf)[0])


def parameter_gradients_by_autograd(
    score: JointScore, graphs: Tensor, parameters: Parameters, weigh: Weigh
) -> ParameterGradients:
    """Differentiate any joint score in the parameters with one backward pass.

    Args:
        score: The bound likelihood; only its ``node_scores`` is called.
        graphs: ``[s, m, d, d]`` graphs, as floats.
        parameters: One set for each particle.
        weigh: Turns scores into weights, which are held constant.

    Returns:
        What ``JointScore.parameter_gradients`` promises.
    """
    leaves = {k: v.detach().requires_grad_() for k, v in parameters.items()}
    with torch.enable_grad():
        scores = score.node_scores(graphs, leaves)
        total = (weigh(scores.detach()) * scores).sum()
    slopes = torch.autograd.grad(total, list(leaves.values()))
    return ParameterGradients(scores.detach(), dict(zip(leaves, slopes, strict=True)))
