"""Structural causal models: sample, intervene, counterfactuals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.data import Dataset, Labelled, Truth
from aetia.errors import InputError
from aetia.graphs import topological_order, total_effects
from aetia.options import nearest
from aetia.randomness import RandomState, seed_sequence, torch_generator
from aetia.scm.mechanisms import LinearMechanism, Mechanism
from aetia.scm.noise import Noise

__all__ = ["SCM"]


@dataclass(frozen=True, eq=False, kw_only=True)
class SCM:
    """x_j = f_j(causes, noise_j), with a known graph.

    Attributes:
        adjacency: The DAG.
        mechanism: How each variable follows from its causes and its noise.
        noise_std: Standard deviation of each noise.
        noise: Its distribution.
        names: Variable names; by default x0, x1, ...
        interventions: Variables that are set to constants, by name.
    """

    adjacency: Bool[np.ndarray, "d d"]
    mechanism: Mechanism
    noise_std: Float[np.ndarray, " d"]
    noise: Noise = field(default_factory=Noise)
    names: tuple[str, ...] = ()
    interventions: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        d = len(self.adjacency)
        if not self.names:
            object.__setattr__(self, "names", tuple(f"x{i}" for i in range(d)))
        if len(self.names) != d or np.shape(self.noise_std) != (d,):
            raise InputError(
                f"SCM: adjacency is {d}x{d}, but there are {len(self.names)} names and noise_std "
                f"has shape {np.shape(self.noise_std)}."
            )
        if not (np.asarray(self.noise_std) > 0).all():
            raise InputError("SCM: every noise_std must be larger than 0.")
        for name in self.interventions or {}:
            self._index(name)
        order = topological_order(torch.from_numpy(np.asarray(self.adjacency, dtype=bool)))
        object.__setattr__(self, "_order", order.tolist())

    def sample(
        self,
        n: int,
        do: Mapping[str, float] | None = None,
        random_state: RandomState = None,
    ) -> Labelled:
        """Draw a table, with the truth behind it.

        Args:
            n: Number of rows.
            do: Variables to set, by name.
            random_state: None, an integer or a generator.

        Returns:
            The table (with the intervened cells marked) and the truth.
        """
        model = self.intervene(do) if do else self
        generator = torch_generator(seed_sequence(random_state))
        values = model.propagate(
            self.noise.sample(n, torch.from_numpy(np.asarray(self.noise_std, float)), generator)
        )
        mask = np.zeros((n, len(self.names)), dtype=bool)
        for name in model.interventions or {}:
            mask[:, self._index(name)] = True
        return Labelled(model.as_table(values.numpy(), mask if mask.any() else None), self.truth())

    def as_table(
        self, values: Float[np.ndarray, "n d"], intervened: Bool[np.ndarray, "n d"] | None
    ) -> Dataset:
        """Name the columns of simulated values.

        Args:
            values: The rows.
            intervened: True where a variable was set.

        Returns:
            A dataset, without the checks of tables from outside: a column may be constant
            because it was set, and one row may be enough.
        """
        return Dataset(
            values=values,
            names=self.names,
            observed=np.ones_like(values, dtype=bool),
            intervened=intervened,
            kinds=("continuous",) * len(self.names),
            source="simulated" if intervened is None else "simulated, with interventions",
        )

    def propagate(self, noise: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Compute the variables from their noises, in topological order.

        Args:
            noise: One value for each row and variable.

        Returns:
            The values; intervened variables hold their constants.
        """
        x = torch.zeros_like(noise)
        fixed = {self._index(k): v for k, v in (self.interventions or {}).items()}
        for j in self._order:  # pyright: ignore[reportAttributeAccessIssue]
            x[:, j] = fixed[j] if j in fixed else self.mechanism.value(j, x, noise[:, j])
        return x

    def recover_noise(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Abduct the noises of complete rows.

        Args:
            x: Rows of this model.

        Returns:
            The noises; NaN for intervened variables, whose noise leaves no trace.

        Raises:
            InputError: If the noise of a variable is not additive (from the mechanism).
        """
        noise = torch.stack([self.mechanism.recover(j, x) for j in range(x.shape[1])], 1)
        for name in self.interventions or {}:
            noise[:, self._index(name)] = torch.nan
        return noise

    def log_prob(self, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Compute the log density of complete rows.

        Args:
            x: Rows, in the order of ``names``.

        Returns:
            Log densities over the variables that are not set; minus infinity where a set
            variable has another value.
        """
        rows = torch.from_numpy(np.asarray(x, dtype=float))
        std = torch.from_numpy(np.asarray(self.noise_std, float))
        log_density = self.noise.log_prob(self.recover_noise(rows), std)
        for name, value in (self.interventions or {}).items():
            hit = rows[:, self._index(name)] == value
            log_density[:, self._index(name)] = torch.where(hit, 0.0, -torch.inf).double()
        return log_density.sum(1).numpy()

    def intervene(self, do: Mapping[str, float]) -> SCM:
        """Make the model in which some variables are set.

        Args:
            do: Values by name.

        Returns:
            A new model; what points into the set variables is cut when sampling.
        """
        for name in do:
            self._index(name)
        merged = {**(self.interventions or {}), **{k: float(v) for k, v in do.items()}}
        return SCM(
            adjacency=self.adjacency,
            mechanism=self.mechanism,
            noise_std=self.noise_std,
            noise=self.noise,
            names=self.names,
            interventions=merged,
        )

    def counterfactual(
        self, x: Float[np.ndarray, "n d"], do: Mapping[str, float]
    ) -> Float[np.ndarray, "n d"]:
        """Answer what each row would have been: abduction, action, prediction.

        Args:
            x: Observed rows.
            do: Variables to set, by name.

        Returns:
            The same units under the intervention.

        Raises:
            InputError: If this model already has interventions, which hide the noise.
        """
        if self.interventions:
            raise InputError(
                "counterfactual needs the noise of every variable, but "
                f"{', '.join(self.interventions)} was set, which hides it. Use the model without "
                "interventions."
            )
        noise = self.recover_noise(torch.from_numpy(np.asarray(x, dtype=float)))
        return self.intervene(do).propagate(noise).numpy()

    def total_effects(self) -> Float[np.ndarray, "d d"]:
        """Compute the true total effects of a linear model, with what interventions cut.

        Returns:
            ``[i, j]``: change of j per unit that i is set.

        Raises:
            InputError: If the mechanism is not linear.
        """
        if not isinstance(self.mechanism, LinearMechanism):
            raise InputError(
                "total effects are single numbers only in linear models; compare "
                "sample(do=...) at two levels instead."
            )
        weights = self.mechanism.weights.clone()
        for name in self.interventions or {}:
            weights[:, self._index(name)] = 0.0
        return total_effects(weights, names=self.names).numpy()

    def truth(self) -> Truth:
        """Collect what is known about the model.

        Returns:
            Graph, names, and weights of a linear model.
        """
        linear = isinstance(self.mechanism, LinearMechanism)
        return Truth(
            graph=np.asarray(self.adjacency, dtype=bool),
            weights=self.mechanism.weights.numpy() if linear else None,  # pyright: ignore
            names=self.names,
        )

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise InputError(
                f"no variable {name!r}.{nearest(str(name), list(self.names))} "
                f"Variables: {', '.join(self.names)}."
            )
        return self.names.index(name)
