"""The chain X1 -> X2 -> X3 with coefficients 2 and -1.5, found by DiBS.

Run with ``python docs/examples/three_node_chain.py``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import aetia


def chain(n: int = 500, seed: int = 0) -> pd.DataFrame:
    """Simulate the chain with unit noise."""
    e = np.random.default_rng(seed).normal(size=(n, 3))
    x1 = e[:, 0]
    x2 = 2.0 * x1 + e[:, 1]
    x3 = -1.5 * x2 + e[:, 2]
    return pd.DataFrame({"X1": x1, "X2": x2, "X3": x3})


def main() -> aetia.GraphPosterior:
    """Fit the joint linear model whose noise variance is that of the data."""
    fitted = aetia.DiBS(
        likelihood=aetia.LinearGaussian(noise_variance=1.0),
        prior="uniform",
        n_steps=700,
        n_likelihood_graphs=32,
        n_acyclicity_graphs=16,
        random_state=0,
    ).fit(chain())
    posterior = fitted.posterior_
    top = int(np.argmax(posterior.log_weights))
    print("most probable graph:")
    for i, j in zip(*np.nonzero(posterior.graphs[top]), strict=True):
        weight = posterior.parameters["weights"][top, i, j]
        print(f"  {posterior.names[i]} -> {posterior.names[j]}, coefficient {weight:.2f}")
    print(posterior.effect("X1", "X3"))
    return posterior


if __name__ == "__main__":
    main()
