"""Families of causal models: what a stream of tasks is made of."""

from __future__ import annotations

import hashlib
import json
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool

from aetia.data import Dataset, Labelled, Truth
from aetia.errors import InputError
from aetia.options import build, choose, options_dict
from aetia.scm.family_card import family_card
from aetia.scm.graph_families import GRAPH_FAMILIES, EdgeCoins
from aetia.scm.interventions import Interventions
from aetia.scm.mechanism_families import MECHANISM_FAMILIES, Linear, MechanismMixture
from aetia.scm.mixture import pick
from aetia.scm.model import SCM
from aetia.scm.noise import Noise, NoiseMixture
from aetia.scm.task_mechanism import TaskMechanism
from aetia.scm.tasks import Propagated, Recipe, Tasks, propagate, topological_orders

__all__ = ["GENERATOR_VERSION", "Family", "TaskSize"]

GENERATOR_VERSION = 1
"""Counts changes of the generated numbers; part of the key of cached tasks."""


class TaskSize(NamedTuple):
    """Variables and rows of a task."""

    d: int
    n: int


@dataclass(frozen=True, kw_only=True)
class Family:
    """A distribution over causal models and their tables.

    Attributes:
        name: Name of the family in reports; it does not change the tasks.
        d: Number of variables, or several to choose from.
        n: Number of rows, or a range (low, high).
        graphs: Name, options or object of a graph family; see ``GRAPH_FAMILIES``.
        mechanisms: The same of a mechanism family; see ``MECHANISM_FAMILIES``.
        noise: Name of a noise family, several names (one is drawn for each task), or an object.
        interventions: Options of interventional rows, or None.
        standardise_inputs: Whether mechanisms see standardised causes (requirement M0 of the
            generator); False leaves the scale of the causes, as AVICI does.

    Example:
        >>> family = Family(d=5, n=100, graphs={"name": "erdos-renyi", "edges": 5})
        >>> family.task(0).data.values.shape
        (100, 5)
    """

    name: str = "id"
    d: int | Sequence[int] = 20
    n: int | Sequence[int] = 256
    graphs: Any = field(default_factory=EdgeCoins)
    mechanisms: Any = field(default_factory=Linear)
    noise: Any = "gaussian"
    interventions: Any = None
    standardise_inputs: bool = True

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("d", _sizes("d", self.d))
        put("n", _row_range(self.n))
        put("graphs", choose("graphs", self.graphs, GRAPH_FAMILIES, needs="sample"))
        mechanisms = choose("mechanisms", self.mechanisms, MECHANISM_FAMILIES, needs="evaluate")
        put("mechanisms", mechanisms)
        if not hasattr(mechanisms, "draw"):
            raise InputError(f"Family: mechanisms {mechanisms!r} has no `draw`.")
        put("noise", _noise(self.noise))
        if isinstance(self.interventions, Mapping):
            put("interventions", build(Interventions, self.interventions))
        if self.interventions is not None and not isinstance(self.interventions, Interventions):
            raise InputError(
                "Family: interventions must be None, a mapping of options or an Interventions, "
                f"got {self.interventions!r}."
            )

    # -- one task -------------------------------------------------------------------------

    def task(self, seed: int | np.random.SeedSequence) -> Labelled:
        """Simulate one table, a pure function of the seed.

        Args:
            seed: An integer or a seed sequence.

        Returns:
            The table in the units of the simulator, with its truth.

        Raises:
            InputError: If the family gives no usable table in 100 attempts.
        """
        seeds = _sequence(seed)
        tasks = self.simulate([seeds], self.size(seeds))
        truth = Truth(graph=tasks.graphs[0].numpy(), names=_names(tasks.graphs.shape[-1]))
        marked = tasks.intervened[0].numpy()
        data = Dataset(
            values=tasks.values[0].double().numpy(),
            names=truth.names,
            observed=np.ones_like(marked),
            intervened=marked if marked.any() else None,
            kinds=("continuous",) * len(truth.names),
            source=f"simulated, family {self.name!r}",
        )
        return Labelled(data, truth)

    def graph(self, seed: int | np.random.SeedSequence) -> Bool[np.ndarray, "d d"]:
        """Draw the graph of a task without its mechanisms.

        Args:
            seed: Integer or seed sequence, the same as that of :meth:`task`.

        Returns:
            The graph of the first attempt.
        """
        seeds = _sequence(seed)
        return self._graph(_attempt(seeds, 0), self.size(seeds).d)

    def scm(self, seed: int | np.random.SeedSequence) -> SCM:
        """Build the causal model behind a task: sample it again, intervene, ask what if.

        The inputs of its mechanisms are standardised with the statistics of the task's rows.

        Args:
            seed: Integer or seed sequence, the same as that of :meth:`task`.

        Returns:
            The model.
        """
        seeds = _sequence(seed)
        recipe, propagated = self._usable(seeds, self.size(seeds))
        scale = recipe.parameters["noise_scale"][recipe.order.argsort()]
        return SCM(
            adjacency=recipe.graph,
            mechanism=TaskMechanism(
                family=recipe.mechanism,
                graph=torch.from_numpy(recipe.graph),
                order=recipe.order,
                parameters={k: torch.from_numpy(v) for k, v in recipe.parameters.items()},
                centre=propagated.centre[0],
                scale=propagated.scale[0],
                standardise_inputs=self.standardise_inputs,
            ),
            noise_std=scale.astype(float),
            noise=recipe.noise_distribution,
        )

    # -- many tasks -----------------------------------------------------------------------

    def size(self, seeds: np.random.SeedSequence) -> TaskSize:
        """Choose the size of a task, or of a batch that shares it.

        Args:
            seeds: Its seed.

        Returns:
            Variables and rows.
        """
        if len(self.sizes) == 1 and self.rows[0] == self.rows[1]:
            return TaskSize(self.sizes[0], self.rows[0])
        rng = np.random.default_rng(_attempt(seeds, _SIZE_STREAM))
        d = self.sizes[int(rng.integers(len(self.sizes)))]
        return TaskSize(d, int(rng.integers(self.rows[0], self.rows[1] + 1)))

    def simulate(
        self,
        seeds: Sequence[np.random.SeedSequence],
        size: TaskSize,
        *,
        reserved: frozenset[bytes] = frozenset(),
        device: torch.device | str = "cpu",
    ) -> Tasks:
        """Simulate many tables of one size together.

        A task that is not usable, or whose graph is reserved, is drawn again from the same seed
        with the attempt counted in, so the numbering of tasks never shifts.

        Args:
            seeds: One for each task.
            size: Variables and rows.
            reserved: Hashes of graphs that must not appear; see :meth:`fingerprint`.
            device: Where to compute; random numbers are always drawn on the CPU.

        Returns:
            The tasks, in the order of the seeds.

        Raises:
            InputError: If a seed gives no usable task in 100 attempts.
        """
        waiting, attempt, n_rejected = list(range(len(seeds))), 0, 0
        done: list[tuple[Recipe, torch.Tensor]] = [None] * len(seeds)  # pyright: ignore
        while waiting:
            if attempt == _MAX_ATTEMPTS:
                raise InputError(
                    f"family {self.name!r} gave no usable task of {size.d} variables in "
                    f"{attempt} attempts: values that are not finite, constant columns, or only "
                    "graphs that are reserved for other splits. Try another family, or more "
                    "variables."
                )
            recipes = self._recipes([_attempt(seeds[i], attempt) for i in waiting], size)
            free = [i for i, r in enumerate(recipes) if self.fingerprint(r) not in reserved]
            again = sorted(set(range(len(recipes))) - set(free))
            if free:
                out = propagate(
                    [recipes[i] for i in free],
                    standardise_inputs=self.standardise_inputs,
                    device=device,
                )
                for i, values, usable in zip(free, out.values, out.usable.tolist(), strict=True):
                    if usable:
                        done[waiting[i]] = (recipes[i], values)
                    else:
                        again.append(i)
            n_rejected += len(again)
            waiting = [waiting[i] for i in sorted(again)]
            attempt += 1
        marks = torch.from_numpy(np.stack([r.intervened for r, _ in done]))
        graphs = torch.from_numpy(np.stack([r.graph for r, _ in done]))
        return Tasks(
            values=torch.stack([v for _, v in done]),
            intervened=marks.to(device),
            graphs=graphs.to(device),
            index=torch.arange(len(seeds), device=device),
            n_rejected=n_rejected,
        )

    def fingerprint(self, recipe: Recipe) -> bytes:
        """Hash what must not be shared between splits.

        Args:
            recipe: A task.

        Returns:
            SHA-256 of the graph; of graph and mechanisms up to 4 variables, where there are too
            few graphs to keep them apart.
        """
        digest = hashlib.sha256(recipe.graph.astype(np.int8).tobytes())
        if len(recipe.graph) <= _FEW_VARIABLES:
            for name in sorted(recipe.parameters):
                digest.update(np.ascontiguousarray(recipe.parameters[name]).tobytes())
        return digest.digest()

    def fingerprints(self, seeds: Sequence[np.random.SeedSequence]) -> list[bytes]:
        """Hash the tasks of a fixed set; every attempt that its seeds may need is theirs.

        Args:
            seeds: One for each task.

        Returns:
            The hashes of the accepted tasks.
        """
        found = []
        for s in seeds:
            recipe, _ = self._usable(s, self.size(s))
            found.append(self.fingerprint(recipe))
        return found

    @property
    def key(self) -> str:
        """Name the content of this family: equal options give equal keys."""
        text = json.dumps([GENERATOR_VERSION, _canonical(options_dict(self))], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of variables to choose from."""
        return self.d  # pyright: ignore[reportReturnType]

    @property
    def rows(self) -> tuple[int, int]:
        """Smallest and largest number of rows."""
        return self.n  # pyright: ignore[reportReturnType]

    def card(self, n_tasks: int = 50, seed: int = 0) -> dict[str, float]:
        """Measure what tasks of this family look like.

        Args:
            n_tasks: How many to simulate.
            seed: Seed of the tasks that are simulated.

        Returns:
            See :func:`~aetia.scm.family_card.family_card`.
        """
        return family_card(self, n_tasks, seed)

    # -- inside ---------------------------------------------------------------------------

    def _recipes(self, seeds: Sequence[np.random.SeedSequence], size: TaskSize) -> list[Recipe]:
        d, n = size
        streams = [s.spawn(4) for s in seeds]
        graphs = [self._draw_graph(s[0], d) for s in streams]
        recipes = []
        for graph, order, (_, by_mechanism, by_noise, by_do) in zip(
            graphs, topological_orders(graphs), streams, strict=True
        ):
            rng = np.random.default_rng(by_mechanism)
            family = self.mechanisms
            if isinstance(family, MechanismMixture):
                family = family.pick(rng)
            noise_rng = np.random.default_rng(by_noise)
            noise = self._noise_of(noise_rng)
            if self.interventions is None:
                intervened, set_to = np.zeros((n, d), bool), np.zeros((n, d), np.float32)
            else:
                intervened, set_to = self.interventions.draw(n, d, np.random.default_rng(by_do))
            recipes.append(
                Recipe(
                    graph=graph,
                    order=order,
                    mechanism=family,
                    parameters=family.draw(graph[np.ix_(order, order)], rng),
                    noise=noise.draw((n, d), noise_rng),
                    noise_distribution=noise,
                    intervened=intervened,
                    set_to=set_to,
                )
            )
        return recipes

    def _usable(self, seeds: np.random.SeedSequence, size: TaskSize) -> tuple[Recipe, Propagated]:
        for attempt in range(_MAX_ATTEMPTS):
            (recipe,) = self._recipes([_attempt(seeds, attempt)], size)
            out = propagate([recipe], standardise_inputs=self.standardise_inputs, device="cpu")
            if out.usable[0]:
                return recipe, out
        raise InputError(f"family {self.name!r} gave no usable task in {_MAX_ATTEMPTS} attempts.")

    def _graph(self, seeds: np.random.SeedSequence, d: int) -> np.ndarray:
        return self._draw_graph(seeds.spawn(4)[0], d)

    def _draw_graph(self, seeds: np.random.SeedSequence, d: int) -> np.ndarray:
        return self.graphs.sample(d, np.random.default_rng(seeds))

    def _noise_of(self, rng: np.random.Generator) -> Noise:
        if isinstance(self.noise, NoiseMixture):
            return Noise(self.noise.of[pick(self.noise.weights or (), rng)])
        return self.noise


_MAX_ATTEMPTS = 100
_SIZE_STREAM = 2**31
_FEW_VARIABLES = 4


def _sequence(seed: int | np.random.SeedSequence) -> np.random.SeedSequence:
    return seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)


def _attempt(seeds: np.random.SeedSequence, attempt: int) -> np.random.SeedSequence:
    """Copy a sequence with the attempt counted in; spawning from the copy leaves it as it was."""
    key = (*seeds.spawn_key, attempt)
    return np.random.SeedSequence(entropy=seeds.entropy, spawn_key=key)


def _sizes(name: str, value: Any) -> tuple[int, ...]:
    many = tuple(value) if isinstance(value, (list, tuple, range, np.ndarray)) else (value,)
    if not many or not all(_is_count(v) for v in many):
        raise InputError(f"Family: {name} must be a positive integer or several, got {value!r}.")
    return tuple(int(v) for v in many)


def _row_range(value: int | Sequence[int]) -> tuple[int, int]:
    many = _sizes("n", value)
    low, high = many[0], many[-1]
    if len(many) > 2 or low > high or low < 2:
        raise InputError(
            f"Family: n must be a number of rows or a range (low, high) from 2, got {value!r}."
        )
    return low, high


def _noise(value: Any) -> Noise | NoiseMixture:
    if isinstance(value, str):
        return Noise(value)  # pyright: ignore[reportArgumentType]
    if isinstance(value, Mapping):
        return build(NoiseMixture if "of" in value else Noise, value)
    if isinstance(value, (list, tuple)):
        return NoiseMixture(tuple(value))
    if isinstance(value, (Noise, NoiseMixture)):
        return value
    raise InputError(f"Family: noise must be a name, several names or a Noise, got {value!r}.")


def _is_count(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    return float(value) >= 1 and float(value).is_integer()


_FIRST_NAMES = {
    "Noise": {"degrees_of_freedom": "freedom"},
    "NoiseScale": {"distribution": "law"},
}
"""Options that were renamed, under their first names: keys, and so tasks, stay what they were."""


def _canonical(value: Any) -> Any:
    """Write 20.0 as 20, so that equal options give equal keys."""
    if isinstance(value, dict):
        first = _FIRST_NAMES.get(str(value.get("name")), {})
        return {first.get(k, k): _canonical(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_canonical(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _names(d: int) -> tuple[str, ...]:
    return tuple(f"x{i}" for i in range(d))
