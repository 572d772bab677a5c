"""Endless, numbered streams of simulated tasks, and fixed sets of them.

The unit is the global number of a task. A task's seed depends on the root seed, the split, the
family and that number alone; a batch is a range of numbers. So the set of tasks, and every batch,
is the same for any number of workers and processes, and resuming means starting at a number.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from aetia.errors import InputError
from aetia.files import write_atomically
from aetia.options import check_positive, nearest
from aetia.scm.family import TaskSize
from aetia.scm.tasks import Tasks

__all__ = ["FixedTasks", "Split", "TaskFamily", "TaskStream", "overlap"]

Split = Literal["train", "val", "test"]
_SPLITS: dict[Split, int] = {"train": 0, "val": 1, "test": 2}


@runtime_checkable
class TaskFamily(Protocol):
    """What a stream needs of a family; a user's own simulator plugs in."""

    @property
    def name(self) -> str:
        """Name of the family in reports."""
        ...

    @property
    def key(self) -> str:
        """Name of the content: equal keys must mean equal tasks."""
        ...

    def size(self, seeds: np.random.SeedSequence) -> TaskSize:
        """Choose variables and rows of a batch."""
        ...

    def simulate(
        self,
        seeds: Sequence[np.random.SeedSequence],
        size: TaskSize,
        *,
        reserved: frozenset[bytes] = frozenset(),
        device: torch.device | str = "cpu",
    ) -> Tasks:
        """Simulate tables of one size; a task depends on its own seed alone."""
        ...

    def fingerprints(self, seeds: Sequence[np.random.SeedSequence]) -> list[bytes]:
        """Hash tasks that other splits must not contain."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class TaskStream:
    """Batches of fresh tasks, by number.

    Attributes:
        family: Where tasks come from.
        seed: Root of all seeds.
        batch_size: Tasks of a batch, over all processes together.
        split: Streams of different splits share no seed.
        reserved: Hashes of tasks that must not appear.
        replay: Each simulated task is used this many times in a row, each time with a new random
            subset of its rows.
        n_pool: Rows that are simulated for those subsets; None for ``replay`` times the rows of
            a task, at most four times.
        rank: Which process this is ...
        world_size: ... of how many; process r takes the tasks whose number is r modulo the count.
    """

    family: TaskFamily
    seed: int = 0
    batch_size: int = 32
    split: Split = "train"
    reserved: frozenset[bytes] = field(default_factory=frozenset)
    replay: int = 1
    n_pool: int | None = None
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        _check_split(self.split)
        check_positive(self, "batch_size", "world_size", "n_pool")
        check_positive(self, "seed", zero=True)
        if not 0 <= self.rank < self.world_size:
            raise InputError(
                f"TaskStream: rank {self.rank} is not one of {self.world_size} processes, 0 to "
                f"{self.world_size - 1}."
            )
        if self.batch_size % self.world_size:
            raise InputError(
                f"{self.batch_size} tasks per batch cannot be shared equally by {self.world_size} "
                "processes."
            )
        if self.replay < 1:
            raise InputError(f"replay must be at least 1, got {self.replay}.")

    def task_seed(self, number: int) -> np.random.SeedSequence:
        """Make the seed of a task.

        Args:
            number: Its global number.

        Returns:
            A pure function of root seed, split, family and number.
        """
        return np.random.SeedSequence([self.seed, _SPLITS[self.split], self._family_id, number])

    def numbers(self, batch: int) -> range:
        """List the tasks of a batch that belong to this process.

        Args:
            batch: Number of the batch, before replay.

        Returns:
            Global task numbers.
        """
        first = batch * self.batch_size
        return range(first + self.rank, first + self.batch_size, self.world_size)

    def block(self, batch: int, device: torch.device | str = "cpu") -> list[Tasks]:
        """Simulate one batch of tasks, in as many row subsets as it is replayed.

        Args:
            batch: Its number, before replay.
            device: Where to compute.

        Returns:
            ``replay`` batches of the same tasks.
        """
        entropy = [self.seed, _SPLITS[self.split], self._family_id, batch, _BATCH_STREAM]
        size = self.family.size(np.random.SeedSequence(entropy))
        numbers = self.numbers(batch)
        seeds = [self.task_seed(g) for g in numbers]
        index = torch.tensor(list(numbers))
        simulate = self.family.simulate
        if self.replay == 1:
            tasks = simulate(seeds, size, reserved=self.reserved, device=device)
            return [replace(tasks, index=index.to(device))]
        n_pool = self.n_pool or min(self.replay, 4) * size.n
        if n_pool < size.n:
            raise InputError(
                f"TaskStream: n_pool={n_pool} rows are simulated, but a task has {size.n}."
            )
        pool = simulate(seeds, TaskSize(size.d, n_pool), reserved=self.reserved, device=device)
        pool = replace(pool, index=index.to(device))
        out = []
        for turn in range(self.replay):
            chosen = [
                np.random.default_rng([*entropy, g, turn]).permutation(n_pool)[: size.n]
                for g in numbers
            ]
            part = pool.rows(torch.from_numpy(np.stack(chosen)).to(device))
            out.append(part if turn == 0 else replace(part, n_rejected=0))
        return out

    def batches(
        self, start: int = 0, *, n_workers: int = 0, device: torch.device | str = "cpu"
    ) -> Iterator[Tasks]:
        """Iterate over batches for ever.

        Args:
            start: First batch, counted with replay: the number of batches used so far.
            n_workers: Processes that simulate ahead; they work on the CPU. Without any, tasks are
                simulated on ``device``.
            device: Where tasks are simulated without workers.

        Yields:
            The same batches for any number of workers.
        """
        first, skip = divmod(start, self.replay)
        blocks: Iterable[list[Tasks]]
        if n_workers == 0:
            blocks = (self.block(b, device) for b in _count(first))
        else:
            blocks = DataLoader(
                _Blocks(self),
                batch_size=None,
                sampler=_From(first),
                num_workers=n_workers,
                persistent_workers=False,
                worker_init_fn=_one_thread,
                generator=torch.Generator().manual_seed(0),  # or the global one would be read
            )
        for parts in blocks:
            yield from parts[skip:]
            skip = 0

    @cached_property
    def _family_id(self) -> int:
        return int.from_bytes(hashlib.sha256(self.family.key.encode()).digest()[:4], "little")


def _check_split(split: Any) -> None:
    if split not in _SPLITS:
        known: list[str] = list(_SPLITS)
        raise InputError(f"split={split!r} is not one of {known}.{nearest(str(split), known)}")


_BATCH_STREAM = 1
_FOREVER = 2**40


class _Blocks(Dataset):
    """What the workers of a stream look batches up in."""

    def __init__(self, stream: TaskStream) -> None:
        self._stream = stream

    def __len__(self) -> int:
        return _FOREVER

    def __getitem__(self, batch: int) -> list[Tasks]:
        return self._stream.block(batch)


class _From(torch.utils.data.Sampler[int]):
    def __init__(self, first: int) -> None:
        self._first = first

    def __iter__(self) -> Iterator[int]:
        return _count(self._first)


def _count(first: int) -> Iterator[int]:
    yield from range(first, _FOREVER)


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)


@dataclass(frozen=True, eq=False, kw_only=True)
class FixedTasks:
    """A list of tasks for validation or test, each simulated alone at its own size.

    Attributes:
        family: Where tasks come from.
        numbers: Which tasks of the split's stream; a configuration's "seeds".
        seed: Root of all seeds.
        split: ``"val"`` or ``"test"``.
        cache: Folder in which simulated sets are kept under a key of their content, or None.
    """

    family: TaskFamily
    numbers: Sequence[int]
    seed: int = 0
    split: Split = "test"
    cache: Path | None = None

    def __post_init__(self) -> None:
        _check_split(self.split)
        check_positive(self, "seed", zero=True)

    def seeds(self) -> list[np.random.SeedSequence]:
        """Make the seeds of the tasks.

        Returns:
            One for each number.
        """
        stream = TaskStream(family=self.family, seed=self.seed, split=self.split)
        return [stream.task_seed(g) for g in self.numbers]

    def fingerprints(self) -> list[bytes]:
        """Hash the tasks, to reserve them.

        Returns:
            One hash for each task.
        """
        return self.family.fingerprints(self.seeds())

    @property
    def key(self) -> str:
        """Name of the content: family, numbers, root seed, split."""
        text = json.dumps([self.family.key, list(self.numbers), self.seed, self.split])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def tasks(self) -> list[Tasks]:
        """Simulate the tasks, or read them from the cache.

        Returns:
            One batch of one for each number.
        """
        file = None if self.cache is None else Path(self.cache) / f"{self.key}.safetensors"
        if file is not None and file.is_file():
            return _read(file, self.numbers)
        out = []
        for number, seeds in zip(self.numbers, self.seeds(), strict=True):
            one = self.family.simulate([seeds], self.family.size(seeds))
            out.append(replace(one, index=torch.tensor([number])))
        if file is not None:
            _write(file, out)
        return out


def _write(file: Path, tasks: Sequence[Tasks]) -> None:
    from safetensors.torch import save

    arrays = {
        f"{i}.{name}": getattr(t, name).contiguous()
        for i, t in enumerate(tasks)
        for name in ("values", "intervened", "graphs")
    }
    counts = {str(i): str(t.n_rejected) for i, t in enumerate(tasks)}
    write_atomically(file, save(arrays, metadata=counts))


def _read(file: Path, numbers: Sequence[int]) -> list[Tasks]:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as handle:
        arrays: dict[str, Any] = {k: handle.get_tensor(k) for k in handle.keys()}  # noqa: SIM118
        counts = handle.metadata()
    return [
        Tasks(
            values=arrays[f"{i}.values"],
            intervened=arrays[f"{i}.intervened"],
            graphs=arrays[f"{i}.graphs"],
            index=torch.tensor([number]),
            n_rejected=int(counts[str(i)]),
        )
        for i, number in enumerate(numbers)
    ]


def overlap(first: Iterable[bytes], second: Iterable[bytes]) -> int:
    """Count the hashes that two fixed sets share.

    Args:
        first: Hashes of one set.
        second: Hashes of another.

    Returns:
        How many distinct hashes are in both; at four variables and fewer, none by construction.
    """
    return len(set(first) & set(second))
