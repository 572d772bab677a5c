"""Whether chains have mixed: R-hat and effective sample sizes, by ArviZ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from aetia.errors import InputError

__all__ = ["Convergence", "convergence"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Convergence:
    """Diagnostics of every scalar; NaN for one that never moved.

    Attributes:
        rhat: Rank-normalised split R-hat (Vehtari et al., 2021); above 1.01 chains disagree.
        ess_bulk: Effective sample size for means.
        ess_tail: The same for the 5 % and 95 % quantiles.
        n_draws: Draws of all chains together.
    """

    rhat: Float[np.ndarray, "*event"]
    ess_bulk: Float[np.ndarray, "*event"]
    ess_tail: Float[np.ndarray, "*event"]
    n_draws: int

    def summary(self) -> dict[str, float]:
        """Reduce to the worst and the typical scalar.

        Returns:
            Plain numbers for a result's diagnostics.
        """
        return {
            "rhat_max": float(np.nanmax(self.rhat, initial=np.nan)),
            "rhat_median": float(np.nanmedian(self.rhat)) if self.rhat.size else float("nan"),
            "ess_bulk_min": float(np.nanmin(self.ess_bulk, initial=np.nan)),
            "ess_bulk_median": float(np.nanmedian(self.ess_bulk)),
            "ess_tail_min": float(np.nanmin(self.ess_tail, initial=np.nan)),
            "n_draws": float(self.n_draws),
        }


def convergence(draws: Float[np.ndarray, "chain draw *event"]) -> Convergence:
    """Compare chains with each other and with themselves.

    Args:
        draws: Chains side by side, at least four draws in each.

    Returns:
        Diagnostics of every scalar.

    Raises:
        InputError: If there are fewer than four draws.
    """
    from arviz_stats.base.array import array_stats

    if draws.shape[1] < 4:
        raise InputError(
            f"convergence needs at least 4 draws of each chain, got {draws.shape[1]}; raise "
            "n_draws."
        )
    x = np.asarray(draws, dtype=np.float64)
    flat = x.reshape(*x.shape[:2], -1)
    axes: dict[str, Any] = {"chain_axis": 0, "draw_axis": 1}
    moves = np.ptp(flat, axis=(0, 1)) > 0
    found = np.full((3, flat.shape[-1]), np.nan)
    if moves.any():
        some = flat[..., moves]
        found[0, moves] = array_stats.rhat(some, **axes)
        found[1, moves] = array_stats.ess(some, method="bulk", **axes)
        found[2, moves] = array_stats.ess(some, method="tail", prob=0.9, **axes)
    rhat, bulk, tail = (row.reshape(x.shape[2:]) for row in found)
    return Convergence(rhat=rhat, ess_bulk=bulk, ess_tail=tail, n_draws=x.shape[0] * x.shape[1])
