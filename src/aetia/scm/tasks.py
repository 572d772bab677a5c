"""Simulated tasks: tables of many causal models at once, and how they are generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.data import standardise_rows
from aetia.graphs import topological_order
from aetia.scm.mechanism_families import MechanismFamily
from aetia.scm.noise import Noise

__all__ = ["Recipe", "Tasks", "propagate"]

SMALLEST_STD = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class Tasks:
    """Tables of B causal models of one size, with their graphs.

    Attributes:
        values: Values of all variables, in the units of the simulator.
        intervened: True where a variable was set.
        graphs: True adjacency matrices.
        index: Which task of its stream each one is.
        n_rejected: Draws that were thrown away on the way (constant or non-finite columns, or a
            graph that is reserved for another split).
    """

    values: Float[Tensor, "b n d"]
    intervened: Bool[Tensor, "b n d"]
    graphs: Bool[Tensor, "b d d"]
    index: Int64[Tensor, " b"]
    n_rejected: int = 0

    def __len__(self) -> int:
        return len(self.values)

    def standardised(self) -> Float[Tensor, "b n d"]:
        """Scale every variable of every task to mean 0 and standard deviation 1.

        Returns:
            Values; statistics are those of the task's own rows, observational or not.
        """
        return standardise_rows(self.values)

    def rows(self, chosen: Int64[Tensor, "b m"]) -> Tasks:
        """Select rows of every task.

        Args:
            chosen: Row numbers.

        Returns:
            Smaller tables of the same tasks.
        """
        at = chosen[:, :, None].expand(-1, -1, self.values.shape[-1])
        return replace(
            self, values=self.values.gather(1, at), intervened=self.intervened.gather(1, at)
        )

    def to(self, device: torch.device | str) -> Tasks:
        """Copy to a device.

        Args:
            device: Where to.

        Returns:
            The same tasks there.
        """
        move = {k: getattr(self, k).to(device) for k in ("values", "intervened", "graphs", "index")}
        return replace(self, **move)

    def pinned(self) -> Tasks:
        """Copy to page-locked memory, from which a GPU copies faster.

        Returns:
            The same tasks.
        """
        names = ("values", "intervened", "graphs", "index")
        return replace(self, **{k: getattr(self, k).pin_memory() for k in names})

    @staticmethod
    def join(parts: Sequence[Tasks]) -> Tasks:
        """Concatenate batches of tasks of the same size.

        Args:
            parts: The batches.

        Returns:
            One batch.
        """
        names = ("values", "intervened", "graphs", "index")
        joined = {k: torch.cat([getattr(p, k) for p in parts]) for k in names}
        return Tasks(**joined, n_rejected=sum(p.n_rejected for p in parts))


class Recipe(NamedTuple):
    """Everything random about one task, drawn from its own streams."""

    graph: Bool[np.ndarray, "d d"]
    order: np.ndarray
    """The k-th variable in topological order."""
    mechanism: MechanismFamily
    parameters: Mapping[str, np.ndarray]
    """Parameters by name, the variables in topological order."""
    noise: Float[np.ndarray, "n d"]
    """Noise of scale 1."""
    noise_distribution: Noise
    intervened: Bool[np.ndarray, "n d"]
    set_to: Float[np.ndarray, "n d"]
    """Values that variables are set to, in observational standard deviations from the mean."""


class Propagated(NamedTuple):
    """Values in the given order of variables, and the statistics of the observational rows."""

    values: Float[Tensor, "b n d"]
    centre: Float[Tensor, "b d"]
    scale: Float[Tensor, "b d"]
    usable: Bool[Tensor, " b"]


def topological_orders(graphs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Sort the variables of several graphs of one size.

    Args:
        graphs: DAGs.

    Returns:
        One order for each.
    """
    return list(topological_order(torch.from_numpy(np.stack(graphs))).numpy())


def propagate(
    recipes: Sequence[Recipe], *, standardise_inputs: bool = True, device: torch.device | str
) -> Propagated:
    """Compute the tables of several tasks by ancestral sampling, all tasks at once.

    The loop runs over positions of the topological orders; tasks with the same mechanism family
    are evaluated together.

    Args:
        recipes: Tasks of one size.
        standardise_inputs: Whether mechanisms see their causes with mean 0 and standard deviation
            1 over the observational rows of the task; otherwise as they are (AVICI).
        device: Where to compute.

    Returns:
        Values, statistics, and which tasks are usable: finite, and no variable constant.
    """
    groups: dict[MechanismFamily, list[int]] = {}
    for i, recipe in enumerate(recipes):
        groups.setdefault(recipe.mechanism, []).append(i)
    n, d = recipes[0].noise.shape
    values = torch.empty(len(recipes), n, d, device=device)
    centre, scale = values.new_empty(len(recipes), d), values.new_empty(len(recipes), d)
    for family, members in groups.items():
        chosen = [recipes[i] for i in members]
        at = torch.tensor(members, device=device)
        values[at], centre[at], scale[at] = _propagate_family(
            family, chosen, standardise_inputs, device
        )
    finite = values.isfinite().flatten(1).all(1) & (scale.isfinite().all(1))
    usable = finite & (scale > SMALLEST_STD).all(1)
    return Propagated(values, centre, scale, usable)


def _propagate_family(
    family: MechanismFamily,
    recipes: Sequence[Recipe],
    standardise_inputs: bool,
    device: torch.device | str,
) -> tuple[Tensor, Tensor, Tensor]:
    def stack(parts: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(parts)).to(device)

    order = stack([r.order for r in recipes])
    drawn = {k: stack([r.parameters[k] for r in recipes]) for k in recipes[0].parameters}
    graphs = stack([r.graph[np.ix_(r.order, r.order)] for r in recipes])
    noise = stack([r.noise[:, r.order] for r in recipes])
    intervened = set_to = observational = None
    if any(r.intervened.any() for r in recipes):
        intervened = stack([r.intervened[:, r.order] for r in recipes])
        set_to = stack([r.set_to[:, r.order] for r in recipes])
        observational = (~intervened.any(-1)).to(noise.dtype)
    b, n, d = noise.shape
    values, inputs = torch.empty_like(noise), torch.empty_like(noise)
    centre, scale = noise.new_empty(b, d), noise.new_empty(b, d)
    for k in range(d):
        own = {name: p[:, k] for name, p in drawn.items()}
        scaled_noise = noise[:, :, k] * own["noise_scale"][:, None]
        causes = graphs[:, :k, k]
        x = scaled_noise
        if k:
            used = inputs[:, :, :k]
            x = family.evaluate(used, causes, scaled_noise, own)
            x = torch.where(causes.any(1)[:, None], x, scaled_noise)
        if observational is None:
            mean = x.mean(1)
            std = (x - mean[:, None]).square().mean(1).sqrt()
        else:
            # Rows in which another variable was set are not observational either.
            count = observational.sum(1)
            mean = (x * observational).sum(1) / count
            gaps = (x - mean[:, None]).square() * observational
            std = (gaps.sum(1) / count).sqrt()
        if intervened is not None and set_to is not None:
            level = mean[:, None] + std[:, None] * set_to[:, :, k]
            x = torch.where(intervened[:, :, k], level, x)
        values[:, :, k], centre[:, k], scale[:, k] = x, mean, std
        inputs[:, :, k] = (x - mean[:, None]) / std[:, None] if standardise_inputs else x
    back = order.argsort(1)
    values = values.gather(2, back[:, None].expand(-1, n, -1))
    return values, centre.gather(1, back), scale.gather(1, back)
