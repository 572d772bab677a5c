"""The section ``data`` of an experiment: families of tasks and how they are served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from aetia.benchmark.inherited_names import current_names
from aetia.errors import InputError
from aetia.options import build, check_positive
from aetia.scm import Family, KnownLinear, TaskFamily

__all__ = ["DataConfig", "Families", "FamilyConfig"]

_USUAL_SIZE = 20


@dataclass(frozen=True, kw_only=True)
class FamilyConfig:
    """One family of tasks."""

    type: Literal["random", "known-linear"] = "random"
    """Whether graphs and mechanisms are drawn anew for every task, or are those that ``edges``
    states."""
    n_nodes: Any = None
    """Number of variables of a task, or a list to choose from; null for that of the training
    family."""
    n_rows: Any = None
    """Rows of a task, or the two ends of a range; null for ``data.rows_per_task``."""
    graph: Any = "erdos-renyi"
    """Distribution of the graphs: a name, or a mapping with ``name`` and options."""
    mechanism: Any = "linear"
    """Distribution of the mechanisms: a name, or a mapping with ``name`` and options."""
    noise: Any = "gaussian"
    """Distribution of the noise: a name, or a mapping with ``name`` and options."""
    interventions: Any = None
    """Which variables are set in which share of the rows, as a mapping; null for none."""
    standardise_inputs: bool = True
    """Whether mechanisms see their inputs at mean 0 and variance 1, so that scales do not grow
    along the causal order."""
    edges: Any = None
    """Edges of ``type: known-linear``, as triples of cause, effect and weight."""
    noise_std: float = 1.0
    """Standard deviation of the noise of ``type: known-linear``, in units of the variables."""
    group: str = "ood"
    """Group of the family in the results, where the families of one group are averaged; ``id`` is
    the training distribution."""

    def family(self, name: str, n_nodes: Any, n_rows: Any) -> TaskFamily:
        """Build the family.

        Args:
            name: What it is called in results.
            n_nodes: Number of variables, if it has none of its own.
            n_rows: Rows of a task, if it has none of its own.

        Returns:
            The family.
        """
        d = n_nodes if self.n_nodes is None else self.n_nodes
        n = n_rows if self.n_rows is None else self.n_rows
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


class Families(NamedTuple):
    """The families of an experiment."""

    train: TaskFamily
    """Training family, named ``id``."""
    validation: dict[str, TaskFamily]
    tests: dict[str, TaskFamily]
    groups: dict[str, str]
    """Test family to group."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Simulated tasks."""

    train_family: Any = field(default_factory=dict)
    """Family of the training tasks, as a mapping of its options."""
    val_families: Any = None
    """Families of the validation tasks by name; null for the training family, as ``id``."""
    test_families: Any = None
    """Families of the test tasks by name; null for the training family, as ``id``."""
    base_seed: int = 42
    """Seed of all tasks; another one gives other graphs and tables."""
    rows_per_task: Any = 256
    """Rows of each task, or the two ends of a range, for families that do not say it."""
    seeds_val: Sequence[int] = tuple(range(1000, 1005))
    """Numbers of the validation tasks of each family."""
    seeds_test: Sequence[int] = tuple(range(2000, 2005))
    """Numbers of the test tasks of each family."""
    num_workers: int = 0
    """Processes that simulate tasks ahead; 0 simulates them when they are needed."""
    pin_memory: bool = False
    """Whether batches of workers wait in page-locked memory, from which copies to a GPU are
    faster."""
    normalize_data: bool = True
    """Whether each task is standardised before the network sees it, so that units have no
    effect."""
    replay: int = 1
    """How often each simulated task is used in training, each time with other rows; raise it if
    simulation is slower than training."""
    cache: str | None = None
    """Folder that keeps the simulated validation and test tasks; null simulates them again."""

    def __post_init__(self) -> None:
        check_positive(self, "replay")
        check_positive(self, "num_workers", "base_seed", zero=True)
        for name in ("seeds_val", "seeds_test"):
            object.__setattr__(self, name, tuple(int(s) for s in getattr(self, name)))
            if not getattr(self, name):
                raise InputError(f"data.{name} must list at least one number.")
        _ = self.families  # all checks of families are there

    @cached_property
    def families(self) -> Families:
        """The families, built once."""
        own = _family_config("train_family", self.train_family or {})
        train = own.family("id", _USUAL_SIZE, self.rows_per_task)
        alone = {"id": train}
        size = own.n_nodes or _USUAL_SIZE

        def built(options: Mapping[str, Any]) -> dict[str, TaskFamily]:
            named = {k: _family_config(k, v) for k, v in options.items()}
            return {k: v.family(k, size, self.rows_per_task) for k, v in named.items()}

        tests = self.test_families
        return Families(
            train=train,
            validation=built(self.val_families) if self.val_families else alone,
            tests=built(tests) if tests else alone,
            groups={k: _family_config(k, v).group for k, v in tests.items()}
            if tests
            else {"id": "id"},
        )


def _family_config(name: str, options: Any) -> FamilyConfig:
    if not isinstance(options, Mapping):
        raise InputError(f"family {name!r} must be a mapping of options, got {options!r}.")
    return build(FamilyConfig, current_names("family", options))
