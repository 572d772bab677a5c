"""What a run records on the way."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from aetia.discovery.dibs.posterior import ScoreInfo
from aetia.samplers import SVGDInfo

__all__ = ["Trace"]


class Trace:
    """One row for each recorded step, averaged over the particles."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def record(self, step: int, info: SVGDInfo, graphs_cyclic: float) -> dict[str, float]:
        """Add one row.

        Args:
            step: Steps done.
            info: What the sampler returned.
            graphs_cyclic: Share of particles whose graph is cyclic.

        Returns:
            The row.
        """
        score: ScoreInfo = info.score
        norms = {k: _norm(g) for k, g in info.gradient.items()}
        theta = sum(v**2 for k, v in norms.items() if k != "z") ** 0.5
        row = {
            "step": float(step),
            "log_joint": float(score.log_joint.mean()),
            "log_likelihood": float(score.log_likelihood.mean()),
            "log_prior": float(score.log_prior.mean()),
            "acyclicity": float(score.acyclicity.mean()),
            "gradient_norm_z": norms["z"],
            "gradient_norm_theta": theta,
            "alpha": score.alpha,
            "beta": score.beta,
            "ess": float(score.ess.mean()),
            "share_cyclic": graphs_cyclic,
        }
        self.rows.append(row)
        return row

    def arrays(self) -> dict[str, np.ndarray]:
        """Collect the rows.

        Returns:
            One array for each quantity.
        """
        if not self.rows:
            return {}
        return {k: np.array([row[k] for row in self.rows]) for k in self.rows[0]}


def _norm(gradient: Tensor) -> float:
    """Mean over the particles of the gradient's norm, before kernel and clipping."""
    return float(torch.linalg.vector_norm(gradient.flatten(1), dim=1).mean())
