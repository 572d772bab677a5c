"""Pre-training of an amortised method on a stream of simulated tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from aetia.discovery.amortised.familiarity import Familiarity
from aetia.discovery.amortised.network import AmortisedNetwork
from aetia.discovery.amortised.pretrained import Pretrained
from aetia.discovery.amortised.scores import validation_rows
from aetia.errors import InputError
from aetia.nets import seeded
from aetia.options import check_positive, options_dict
from aetia.randomness import torch_generator
from aetia.scm import FixedTasks, TaskFamily, Tasks, TaskStream
from aetia.training import Phase, Tracker, Trained, TrainingConfig, make_fabric, train
from aetia.version import __version__

__all__ = ["PretrainingData", "build_network", "pretrain", "pretrain_network"]


@dataclass(frozen=True, eq=False, kw_only=True)
class PretrainingData:
    """What a network is trained and validated on.

    Attributes:
        family: Family of the training tasks.
        batch_size: Tasks of a batch, over all processes.
        seed: Root of all task seeds.
        replay: Each simulated task is used this often, with fresh row subsets.
        validation: Families to validate on, by name; None takes the training family as ``id``.
        validation_numbers: Which validation tasks of each family.
        reserved: Hashes of further tasks that training must not meet, such as those of a test.
        n_draws: Graphs drawn from the prediction for each validation task.
        max_tasks: Validation tasks of each family at most; None for all.
        normalise: Whether tables are standardised before the network sees them.
        pin_memory: Whether batches from workers wait in pinned memory for a GPU.
    """

    family: TaskFamily
    batch_size: int = 32
    seed: int = 0
    replay: int = 1
    validation: Mapping[str, TaskFamily] | None = None
    validation_numbers: Sequence[int] = tuple(range(1000, 1032))
    reserved: frozenset[bytes] = field(default_factory=frozenset)
    n_draws: int = 16
    max_tasks: int | None = None
    normalise: bool = True
    pin_memory: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "batch_size", "replay", "n_draws", "max_tasks")
        if not isinstance(self.family, TaskFamily):
            raise InputError(
                "family must have `name`, `key`, `size`, `simulate` and `fingerprints`; "
                f"aetia.Family has. Got {self.family!r}."
            )

    def validation_sets(self) -> dict[str, FixedTasks]:
        """List the fixed sets.

        Returns:
            One for each family.
        """
        families = self.validation or {"id": self.family}
        numbers = list(self.validation_numbers)[: self.max_tasks]
        return {
            name: FixedTasks(family=f, numbers=numbers, seed=self.seed, split="val")
            for name, f in families.items()
        }


def build_network(network: type[AmortisedNetwork], config: Any, seed: int) -> AmortisedNetwork:
    """Build a network with weights from a seed.

    Args:
        network: Its class.
        config: Its options.
        seed: Seed of the initial weights.

    Returns:
        The network, on the CPU.
    """
    generator = torch_generator(np.random.SeedSequence([seed, _WEIGHTS_STREAM]))
    with seeded(generator):
        return network(config)  # pyright: ignore[reportCallIssue]


def pretrain_network(
    network: AmortisedNetwork,
    data: PretrainingData,
    training: TrainingConfig,
    *,
    seed: int = 0,
    folder: Path | None = None,
    fabric: Fabric | None = None,
    trackers: Sequence[Tracker] = (),
    identity: Mapping[str, Any] | None = None,
    resume: bool = True,
    force: bool = False,
) -> Trained:
    """Train a network on a stream of tasks.

    Args:
        network: Trained in place.
        data: Streams and fixed sets.
        training: Options of the loop.
        seed: Seed of dropout and orders.
        folder: Where checkpoints and the health record are written; None keeps nothing.
        fabric: Processes; None for this one.
        trackers: Follow the run.
        identity: Further values that a resumed run must share.
        resume: Whether to go on from a checkpoint in the folder.
        force: Resume even if options changed.

    Returns:
        The network with the weights of the best checkpoint, and the record.
    """
    fabric = fabric or make_fabric(device="cpu", precision=training.precision)
    course = _Course(network, data, training, seed, fabric)
    return train(
        network,
        [Phase(parameters=lambda m: list(m.parameters()), loss=course.loss)],
        course.batches,
        config=training,
        seed=seed,
        fabric=fabric,
        folder=folder,
        validate=course.validate,
        on_step_end=course.on_step_end,
        signals=network.signals,
        trackers=trackers,
        identity={
            "family": data.family.key,
            "batch_size": data.batch_size,
            "data_seed": data.seed,
            "replay": data.replay,
            "normalise": data.normalise,
            **(identity or {}),
        },
        resume=resume,
        force=force,
    )


class _Course:
    """What the training loop asks for: batches of tasks, the loss, validation, signals."""

    def __init__(
        self,
        network: AmortisedNetwork,
        data: PretrainingData,
        training: TrainingConfig,
        seed: int,
        fabric: Fabric,
    ) -> None:
        self.network, self.data, self.training = network, data, training
        self.seed, self.fabric = seed, fabric
        # Tasks that are validated on are kept out of the training stream, on every process.
        sets = data.validation_sets()
        reserved = data.reserved.union(*[s.fingerprints() for s in sets.values()])
        self.stream = TaskStream(
            family=data.family,
            seed=data.seed,
            batch_size=data.batch_size,
            reserved=reserved,
            replay=data.replay,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
        )
        self.validated = {name: s.tasks() for name, s in sets.items()}
        self.n_rejected = self.n_tasks = 0

    def batches(self, start: int) -> Iterator[Tasks]:
        """Simulate batches from one on, on the device."""
        device, n_workers = self.fabric.device, self.training.n_workers
        for tasks in self.stream.batches(start, n_workers=n_workers, device=device):
            if self.data.pin_memory and device.type == "cuda" and n_workers:
                tasks = tasks.pinned()
            self.n_rejected += tasks.n_rejected
            self.n_tasks += len(tasks)
            yield tasks.to(device)

    def loss(
        self, module: nn.Module, tasks: Tasks, step: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Compute the objective of the network on a batch."""
        values = tasks.standardised() if self.data.normalise else tasks.values
        # Forward through the wrapped module, which averages gradients over processes; the objective
        # itself belongs to the network inside.
        return self.network.loss(module(values, tasks.intervened), tasks.graphs, generator)

    def validate(self, module: nn.Module, step: int) -> list[dict[str, Any]]:
        """Score the fixed tasks; each process scores its share, the loop gathers the rows."""
        rows = []
        for name, tasks in self.validated.items():
            scored = validation_rows(
                module,  # pyright: ignore[reportArgumentType]
                tasks[self.fabric.global_rank :: self.fabric.world_size],
                family=name,
                n_draws=self.data.n_draws,
                seed=self.seed,
                normalise=self.data.normalise,
            )
            many = len(self.validated) > 1
            rows += [_with_family(r, name) for r in scored] if many else scored
        return rows

    def on_step_end(self, step: int, info: Mapping[str, float]) -> dict[str, float]:
        """Move the network's multipliers, which are buffers: checkpoints hold them."""
        signals = self.network.after_step(step, self.training.n_steps, info)
        if self.n_tasks:
            signals["rejected_per_task"] = self.n_rejected / self.n_tasks
        return signals


def pretrain(
    method: str,
    network: AmortisedNetwork,
    config: Any,
    data: PretrainingData,
    training: TrainingConfig,
    *,
    fabric: Fabric,
    seed: int = 0,
    folder: Path | None = None,
    name: str | None = None,
    trackers: Sequence[Tracker] = (),
    resume: bool = True,
    force: bool = False,
) -> Pretrained:
    """Train a network and keep the best checkpoint with its card.

    Args:
        method: Name in the registry.
        network: A network with its initial weights; trained in place.
        config: Options of the network.
        data: Streams and fixed sets.
        training: Options of the loop.
        fabric: Processes.
        seed: Seed of weights, dropout and orders.
        folder: Where checkpoints, the health record and ``weights`` are written; None keeps
            nothing.
        name: What the weights are called; None names them after the family.
        trackers: Follow the run.
        resume: Whether to go on from a checkpoint in the folder.
        force: Resume even if options changed.

    Returns:
        The weights, as saved.
    """
    trained = pretrain_network(
        network,
        data,
        training,
        seed=seed,
        folder=folder,
        fabric=fabric,
        trackers=trackers,
        identity={"network": str(sorted(options_dict(config).items()))},
        resume=resume,
        force=force,
    )
    weights = Pretrained(
        method=method,
        network=options_dict(config),
        weights={k: v.detach().cpu() for k, v in trained.module.state_dict().items()},
        name=name or f"{method}, trained on {getattr(data.family, 'name', 'a family')}",
        card=_card(trained, data, training, seed),
    )
    if folder is not None and fabric.is_global_zero:
        weights.save(folder / "weights")
    return weights


def _card(
    trained: Trained, data: PretrainingData, training: TrainingConfig, seed: int
) -> dict[str, Any]:
    """Say what weights were trained on, and how it went."""
    ece, badge = trained.best_metrics.get("ece"), ""
    if ece is not None:
        badge = (
            f"Measured calibration of these weights: on {len(data.validation_numbers)} held-out "
            f"simulated tables of the training family the edge probabilities have an expected "
            f"calibration error of {ece:.3f} per table. On other data they may be far off."
        )
    return {
        "family": options_dict(data.family) if is_dataclass(data.family) else data.family.key,
        "family_key": data.family.key,
        "training": options_dict(training),
        "batch_size": data.batch_size,
        "normalise": data.normalise,
        "n_tasks": trained.step * training.accumulate * data.batch_size,
        "step": trained.step,
        "best_step": trained.best_step,
        "seed": seed,
        "metrics": trained.best_metrics,
        "skipped_steps": trained.n_skipped,
        "familiarity": Familiarity.of(data.family, seed=seed).to_dict(),
        "calibration_badge": badge,
        "version": __version__,
    }


_WEIGHTS_STREAM = 12


def _with_family(row: dict[str, Any], family: str) -> dict[str, Any]:
    """Add the metrics under the family's name; missing ones of other families stay out of means."""
    return row | {f"{family}/{k}": v for k, v in row.items() if k != "task"}
