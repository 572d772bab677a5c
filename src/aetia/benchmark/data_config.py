"""The section ``data`` of an experiment: families of tasks and how they are served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aetia.errors import InputError
from aetia.options import build, check_positive
from aetia.scm import Family, KnownLinear, TaskFamily

__all__ = ["DataConfig", "FamilyConfig"]


@dataclass(frozen=True, kw_only=True)
class FamilyConfig:
    """One family of tasks."""

    type: Literal["random", "known-linear"] = "random"
    n_nodes: Any = None
    """Number of variables, or several; null for that of the training family."""
    n_samples: Any = None
    """Rows of a task, or a range; null for data.samples_per_task."""
    graph: Any = "erdos-renyi"
    mechanism: Any = "linear"
    noise: Any = "gaussian"
    interventions: Any = None
    standardise_inputs: bool = True
    edges: Any = None
    """known-linear: triples (cause, effect, weight)."""
    noise_std: float = 1.0
    """known-linear: standard deviation of the noise."""
    group: str = "ood"
    """Families of one group are averaged together in the results."""

    def family(self, name: str, n_nodes: Any, n_samples: Any) -> TaskFamily:
        """Build the family.

        Args:
            name: In results.
            n_nodes: If it has none of its own.
            n_samples: If it has none of its own.

        Returns:
            The family.
        """
        d = n_nodes if self.n_nodes is None else self.n_nodes
        n = n_samples if self.n_samples is None else self.n_samples
        if self.type == "known-linear":
            return KnownLinear(
                name=name,
                d=d,
                n=n,
                edges=self.edges or (),
                noise=self.noise,
                noise_std=self.noise_std,
            )
        return Family(
            name=name,
            d=d,
            n=n,
            graphs=self.graph,
            mechanisms=self.mechanism,
            noise=self.noise,
            interventions=self.interventions,
            standardise_inputs=self.standardise_inputs,
        )


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Simulated tasks."""

    train_family: Any = field(default_factory=dict)
    """Of the training stream."""
    val_families: Any = None
    """By name; omitted: the training family, as `id`."""
    test_families: Any = None
    """By name; omitted: the training family, as `id`."""
    base_seed: int = 42
    samples_per_task: Any = 256
    """Rows of each task."""
    seeds_val: Sequence[int] = tuple(range(1000, 1005))
    """Numbers of the validation tasks of each family."""
    seeds_test: Sequence[int] = tuple(range(2000, 2005))
    """Numbers of the test tasks of each family."""
    num_workers: int = 0
    """Processes that simulate ahead."""
    pin_memory: bool = False
    """Whether batches of workers wait in page-locked memory for a GPU."""
    normalize_data: bool = True
    """Whether each task is standardised before the network sees it."""
    replay: int = 1
    """How often each simulated task is used, each time with other rows."""
    cache: str | None = None
    """Folder for the simulated validation and test tasks, or null."""

    def __post_init__(self) -> None:
        check_positive(self, "replay")
        check_positive(self, "num_workers", "base_seed", zero=True)
        for name in ("seeds_val", "seeds_test"):
            object.__setattr__(self, name, tuple(int(s) for s in getattr(self, name)))
            if not getattr(self, name):
                raise InputError(f"data.{name} must list at least one number.")
        self.train()
        self.validation()
        self.tests()

    def train(self) -> TaskFamily:
        """Build the training family.

        Returns:
            The family, named ``id``.
        """
        own = build(FamilyConfig, self.train_family or {})
        return own.family("id", 20, self.samples_per_task)

    def validation(self) -> dict[str, TaskFamily]:
        """Build the validation families.

        Returns:
            By name.
        """
        if not self.val_families:
            return {"id": self.train()}
        return {k: self._family(k, v) for k, v in self.val_families.items()}

    def tests(self) -> dict[str, TaskFamily]:
        """Build the test families.

        Returns:
            By name.
        """
        if not self.test_families:
            return {"id": self.train()}
        return {k: self._family(k, v) for k, v in self.test_families.items()}

    def groups(self) -> dict[str, str]:
        """Tell which group each test family belongs to.

        Returns:
            Family to group.
        """
        if not self.test_families:
            return {"id": "id"}
        return {k: build(FamilyConfig, v).group for k, v in self.test_families.items()}

    def _family(self, name: str, options: Any) -> TaskFamily:
        if not isinstance(options, Mapping):
            raise InputError(f"family {name!r} must be a mapping of options, got {options!r}.")
        n_nodes = build(FamilyConfig, self.train_family or {}).n_nodes or 20
        return build(FamilyConfig, options).family(name, n_nodes, self.samples_per_task)
