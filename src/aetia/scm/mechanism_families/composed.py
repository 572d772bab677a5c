"""Families made of families: a link, another noise, a mixture; and their registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.errors import InputError
from aetia.options import check_literals, check_positive, choose
from aetia.scm.mechanism_families.gaussian_process import GaussianProcess
from aetia.scm.mechanism_families.joint_gaussian_process import JointGaussianProcess
from aetia.scm.mechanism_families.linear import Linear
from aetia.scm.mechanism_families.neural import NeuralNetwork
from aetia.scm.mechanism_families.projected import LogisticMap, Periodic, Square
from aetia.scm.mechanism_families.protocol import Drawn, MechanismFamily, Parameters
from aetia.scm.mixture import mixture_weights, pick

__all__ = [
    "MECHANISM_FAMILIES",
    "Heteroscedastic",
    "MechanismMixture",
    "PostNonlinear",
]


@dataclass(frozen=True, kw_only=True)
class PostNonlinear:
    """x = link(inner), the inner mechanism with its noise inside.

    Attributes:
        link: ``"cube"``, ``"sigmoid"`` or ``"tanh"``.
        inner: A mechanism family; by default linear.
    """

    name: ClassVar[str] = "post-nonlinear"
    link: Literal["cube", "sigmoid", "tanh"] = "tanh"
    inner: Any = field(default_factory=Linear)

    def __post_init__(self) -> None:
        check_literals(self)
        object.__setattr__(self, "inner", single_family("inner", self.inner))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw the inner mechanism.

        Args:
            graph: DAG whose variables are in topological order.
            rng: Source of randomness.

        Returns:
            Its parameters.
        """
        return self.inner.draw(graph, rng)

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Compute link(inner).

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        z = self.inner.evaluate(inputs, causes, noise, drawn)
        return z**3 if self.link == "cube" else z.sigmoid() if self.link == "sigmoid" else z.tanh()


@dataclass(frozen=True, kw_only=True)
class Heteroscedastic:
    """The noise of an inner mechanism gets the scale sqrt(log(1 + exp h(P))), h a random process.

    Attributes:
        inner: A mechanism family; by default linear.
        lengthscale: Lengthscale of h, in units of the inputs (AVICI: 10 for inputs that are not
            standardised).
        amplitude: Standard deviation of h.
        n_features: Random features of h.
    """

    name: ClassVar[str] = "heteroscedastic"
    inner: Any = field(default_factory=Linear)
    lengthscale: float = 1.0
    amplitude: float = 2.0
    n_features: int = 100

    def __post_init__(self) -> None:
        check_positive(self, "lengthscale", "amplitude", "n_features")
        object.__setattr__(self, "inner", single_family("inner", self.inner))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw the inner mechanism and h.

        Args:
            graph: DAG whose variables are in topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name, those of h with the prefix ``h.``, the others ``inner.``.
        """
        inner = {f"inner.{k}": v for k, v in self.inner.draw(graph, rng).items()}
        inner["noise_scale"] = inner["inner.noise_scale"]
        process = self._process().draw(graph, rng)
        return inner | {f"h.{k}": v for k, v in process.items() if k != "noise_scale"}

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Scale the noise, then compute the inner mechanism.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        own = {k.removeprefix("h."): v for k, v in drawn.items() if k.startswith("h.")}
        h = self._process().evaluate(inputs, causes, torch.zeros_like(noise), own)
        rest = {k.removeprefix("inner."): v for k, v in drawn.items() if k.startswith("inner.")}
        return self.inner.evaluate(inputs, causes, noise * F.softplus(h).sqrt(), rest)

    def _process(self) -> GaussianProcess:
        return GaussianProcess(
            n_features=self.n_features,
            lengthscale=(self.lengthscale, self.lengthscale),
            amplitude=(self.amplitude, self.amplitude),
        )


@dataclass(frozen=True)
class MechanismMixture:
    """Several families in one: drawn for every task, or for every variable.

    Attributes:
        of: Names, mappings with a name, or families.
        weights: Their probabilities, normalised; equal by default.
        each: ``"task"`` or ``"variable"``.
    """

    of: Sequence[Any] = ()
    weights: Sequence[float] | None = None
    each: Literal["task", "variable"] = "task"
    name: ClassVar[str] = "mixture"

    def __post_init__(self) -> None:
        check_literals(self)
        if self.each == "variable":
            parts = tuple(single_family("mechanism", part) for part in self.of)
        else:
            parts = tuple(
                choose("mechanism", part, MECHANISM_FAMILIES, needs="evaluate") for part in self.of
            )
        object.__setattr__(self, "of", parts)
        object.__setattr__(self, "weights", mixture_weights(parts, self.weights))

    def pick(self, rng: np.random.Generator) -> MechanismFamily:
        """Choose the family of a task.

        Args:
            rng: Source of randomness.

        Returns:
            A member, or this object itself if every variable chooses for itself.
        """
        if self.each == "variable":
            return self
        chosen = self.of[pick(self.weights or (), rng)]
        return chosen.pick(rng) if isinstance(chosen, MechanismMixture) else chosen

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw the parameters of all members, and which of them each variable uses.

        Args:
            graph: DAG whose variables are in topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name, those of member q with the prefix ``q.``.
        """
        which = np.array([pick(self.weights or (), rng) for _ in range(len(graph))])
        drawn = [part.draw(graph, rng) for part in self.of]
        out = {f"{q}.{k}": v for q, one in enumerate(drawn) for k, v in one.items()}
        scales = np.stack([one["noise_scale"] for one in drawn])
        return out | {"which": which, "noise_scale": scales[which, np.arange(len(graph))]}

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Evaluate each member for the tasks that use it here.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        value = torch.empty_like(noise)
        for q, part in enumerate(self.of):
            at = (drawn["which"] == q).nonzero()[:, 0]
            if len(at):
                own = {k[len(f"{q}.") :]: v[at] for k, v in drawn.items() if k.startswith(f"{q}.")}
                value[at] = part.evaluate(inputs[at], causes[at], noise[at], own)
        return value


MECHANISM_FAMILIES: dict[str, type] = {
    cls.name: cls
    for cls in (
        Linear,
        NeuralNetwork,
        GaussianProcess,
        JointGaussianProcess,
        Square,
        Periodic,
        LogisticMap,
        PostNonlinear,
        Heteroscedastic,
        MechanismMixture,
    )
}
"""Name, as in configurations, to family."""


def single_family(option: str, value: Any) -> Any:
    """Build a family that is not a mixture over tasks, which would have no single draw here."""
    family = choose(option, value, MECHANISM_FAMILIES, needs="evaluate")
    if isinstance(family, MechanismMixture) and family.each == "task":
        raise InputError(
            f"{option}: a mixture that is drawn for every task cannot be inside another family; "
            "mix whole families instead, or draw for every variable (each='variable')."
        )
    return family
