"""The mechanisms of one simulated task, as a model that can be asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.errors import InputError
from aetia.scm.mechanism_families import (
    GaussianProcess,
    JointGaussianProcess,
    Linear,
    MechanismFamily,
    NeuralNetwork,
    Periodic,
    Square,
)

__all__ = ["TaskMechanism"]


@dataclass(frozen=True, eq=False, kw_only=True)
class TaskMechanism:
    """Random mechanisms of one task, in the order of its columns.

    Attributes:
        family: Evaluates them.
        graph: The DAG.
        order: The k-th variable in topological order.
        parameters: Parameters by name, the variables in topological order.
        centre: Observational means of the task.
        scale: Observational standard deviations of the task.
        standardise_inputs: Whether mechanisms see standardised causes.
    """

    family: MechanismFamily
    graph: Bool[Tensor, "d d"]
    order: np.ndarray
    parameters: Mapping[str, Tensor]
    centre: Float[Tensor, " d"]
    scale: Float[Tensor, " d"]
    standardise_inputs: bool

    def value(
        self, j: int, x: Float[Tensor, "n d"], noise: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Compute variable j; roots are their noise.

        Args:
            j: Index of the variable.
            x: Values of all variables; only those of its causes count.
            noise: Scaled noise of this variable.

        Returns:
            Its values.

        Raises:
            InputError: If the family knows its functions only at the rows of its task.
        """
        if _is_joint(self.family):
            raise InputError(
                "a joint Gaussian process is drawn at the rows of its task only; use the family "
                "'gp' (random features) for models that can be sampled again."
            )
        causes = self.graph[:, j]
        if not causes.any():
            return noise
        k = int((self.order == j).argmax())
        before = torch.from_numpy(self.order[:k])
        inputs = x[:, before]
        if self.standardise_inputs:
            inputs = (inputs - self.centre[before]) / self.scale[before]
        dtype = x.dtype
        own = {name: p[None, k].to(_float_of(p, dtype)) for name, p in self.parameters.items()}
        used = causes[before]
        return self.family.evaluate(inputs[None].to(dtype), used[None], noise[None], own)[0]

    def recover(self, j: int, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Subtract the value without noise.

        Args:
            j: Index of the variable.
            x: Complete rows.

        Returns:
            The noise.

        Raises:
            InputError: If the noise is not additive.
        """
        if self.graph[:, j].any() and not _is_additive(self.family):
            raise InputError(
                f"the noise of mechanisms {getattr(self.family, 'name', self.family)!r} is not "
                "additive, so it cannot be recovered from the data: no log density and no "
                "counterfactuals."
            )
        return x[:, j] - self.value(j, x, torch.zeros_like(x[:, j]))


def _is_joint(family: MechanismFamily) -> bool:
    """Tell whether a family, or one inside it, draws functions at the rows of a task only."""
    inner = [*getattr(family, "of", ()), *([family.inner] if hasattr(family, "inner") else [])]  # pyright: ignore[reportAttributeAccessIssue]
    return isinstance(family, JointGaussianProcess) or any(map(_is_joint, inner))


def _is_additive(family: MechanismFamily) -> bool:
    if hasattr(family, "noise_is_additive"):  # a user's own family may say so
        return bool(family.noise_is_additive)  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(family, (GaussianProcess, NeuralNetwork)):
        return not family.noise_input
    return isinstance(family, (Linear, Square, Periodic))


def _float_of(parameter: Tensor, dtype: torch.dtype) -> torch.dtype:
    return dtype if parameter.is_floating_point() else parameter.dtype
