"""The original DiBS (dibs-lib, JAX) behind one function; needs ``pip install 'aetia[rivals]'``."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np


@dataclass
class PeerRun:
    """What one run of the peer gave: graphs of all particles and both sets of weights."""

    graphs: np.ndarray
    empirical: np.ndarray
    mixture: np.ndarray
    seconds: float
    compile_seconds: float
    checkpoints: list[tuple[float, np.ndarray]]


def run_peer(
    x: np.ndarray,
    likelihood: str,
    *,
    n_particles: int,
    n_steps: int,
    seed: int,
    prior: str = "er",
    edges_per_node: float = 2,
    alpha_slope: float | None = None,
    every: int | None = None,
) -> PeerRun:
    """Run dibs-lib with its own defaults; weights of cyclic particles are zero."""
    import jax
    import jax.numpy as jnp
    from dibs.inference import JointDiBS, MarginalDiBS
    from dibs.models import (
        BGe,
        DenseNonlinearGaussian,
        ErdosReniDAGDistribution,
        LinearGaussian,
        UniformDAGDistributionRejection,
    )

    d = x.shape[1]
    graph_model = (
        UniformDAGDistributionRejection(n_vars=d)
        if prior == "uniform"
        else ErdosReniDAGDistribution(n_vars=d, n_edges_per_node=edges_per_node)
    )
    model = {
        "bge": lambda: BGe(n_vars=d),
        "linear": lambda: LinearGaussian(n_vars=d),
        "mlp": lambda: DenseNonlinearGaussian(n_vars=d, hidden_layers=(5,)),
    }[likelihood]()
    cls = MarginalDiBS if likelihood == "bge" else JointDiBS
    options = {} if alpha_slope is None else {"alpha_linear": alpha_slope}
    started = time.perf_counter()
    dibs = cls(
        x=jnp.asarray(x),
        interv_mask=None,
        graph_model=graph_model,
        likelihood_model=model,
        **options,
    )
    checkpoints: list[tuple[float, np.ndarray]] = []

    def watch(**state):
        graphs = np.asarray(dibs.particle_to_g_lim(state["zs"]))
        checkpoints.append((time.perf_counter() - started, graphs.astype(bool)))

    out = dibs.sample(
        key=jax.random.PRNGKey(seed),
        n_particles=n_particles,
        steps=n_steps,
        callback_every=every or n_steps,
        callback=watch,
    )
    if likelihood == "bge":
        graphs = np.asarray(out)
        mixture = dibs.get_mixture(out).logp
    else:
        graphs = np.asarray(out[0])
        mixture = dibs.get_mixture(*out).logp
    seconds = time.perf_counter() - started
    graphs = graphs.astype(bool)
    acyclic = np.array(
        [
            not np.linalg.matrix_power(g.astype(float) + np.eye(d), d).trace() > d + 0.5
            for g in graphs
        ]
    )
    per_step = (checkpoints[-1][0] - checkpoints[0][0]) / max(len(checkpoints) - 1, 1)
    return PeerRun(
        graphs,
        _weights(np.zeros(len(graphs)), acyclic),
        _weights(np.asarray(mixture), acyclic),
        seconds,
        checkpoints[0][0] - per_step if len(checkpoints) > 1 else float("nan"),
        checkpoints,
    )


def _weights(log_weights: np.ndarray, keep: np.ndarray) -> np.ndarray:
    if not keep.any():
        return np.full(len(keep), np.nan)
    w = np.where(keep, np.exp(log_weights - log_weights[keep].max()), 0.0)
    return w / w.sum()
