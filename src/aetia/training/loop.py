"""The training loop: phases, clipping, schedule, validation, checkpoints, exact resume.

Everything random in a step comes from a generator that is made from the run's seed, the number of
the step and the rank, so a resumed run needs no stored random state; batches are asked for by
number. A run of 2N steps and one that was killed at N and resumed give the same bits on a CPU.
"""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from aetia.errors import CheckpointError, ConvergenceWarning, DataWarning, InputError
from aetia.nets import seeded
from aetia.randomness import torch_generator
from aetia.training.checkpoints import (
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
    thin_checkpoints,
)
from aetia.training.config import TrainingConfig
from aetia.training.gather import average_rows, gather_rows
from aetia.training.health import COMMON_SIGNALS, HealthRecord, Healthy, verdicts
from aetia.training.parameter_groups import parameter_groups
from aetia.training.schedule import learning_rate
from aetia.training.trackers import Tracker
from aetia.version import __version__

__all__ = ["Phase", "Trained", "train"]

Parts = Mapping[str, Tensor]
Loss = Callable[[nn.Module, Any, int, torch.Generator], tuple[Tensor, Parts]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Phase:
    """One update of some parameters; several phases alternate within a step.

    Attributes:
        parameters: What is updated, chosen from the module.
        loss: ``loss(module, batch, step, generator) -> (loss, parts)``. Dropout inside already
            follows the generator. Parts are logged by name; those with a gradient also with
            their share of it.
        every: Run in every so many steps.
        name: In the record, when there are several.
        optimiser: Makes another optimiser than AdamW, for instance one with row-wise state.
    """

    parameters: Callable[[nn.Module], Sequence[nn.Parameter]]
    loss: Loss
    every: int = 1
    name: str = "main"
    optimiser: Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer] | None = None


@dataclass(eq=False)
class Trained:
    """What training leaves.

    Attributes:
        module: With the best weights, or the last if nothing was validated.
        step: Steps that were made.
        best_step: Step of the weights, None if they are the last.
        best_metrics: Validation metrics of these weights.
        rows: The health record.
        n_skipped: Steps that were skipped because a gradient was not finite.
    """

    module: nn.Module
    step: int
    best_step: int | None = None
    best_metrics: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    n_skipped: int = 0


@dataclass
class _Progress:
    """What a checkpoint holds besides weights and optimisers."""

    step: int = 0
    best_value: float | None = None
    best_step: int | None = None
    best_metrics: dict[str, float] = field(default_factory=dict)
    n_since_best: int = 0
    n_reductions: int = 0
    n_since_reduction: int = 0
    n_skipped: int = 0


def train(
    module: nn.Module,
    phases: Sequence[Phase],
    batches: Callable[[int], Iterator[Any]],
    *,
    config: TrainingConfig,
    seed: int,
    fabric: Fabric | None = None,
    folder: Path | None = None,
    validate: Callable[[nn.Module, int], Sequence[Mapping[str, Any]]] | None = None,
    on_step_end: Callable[[int, Mapping[str, float]], Mapping[str, float]] | None = None,
    signals: Mapping[str, Healthy] | None = None,
    trackers: Sequence[Tracker] = (),
    identity: Mapping[str, Any] | None = None,
    resume: bool = True,
    force: bool = False,
) -> Trained:
    """Train a module.

    Args:
        module: Holds every parameter and buffer that matters: duals and running means are buffers.
        phases: What is updated, in this order.
        batches: ``batches(k)`` iterates from batch number k on; a step takes ``accumulate``.
        config: Options.
        seed: Root of dropout and whatever losses draw.
        fabric: Processes; None for this one.
        folder: For ``checkpoints/`` and ``health.jsonl``; None keeps nothing.
        validate: ``validate(module, step)`` gives one row of metrics for each task of this
            process's share, with the entry ``"task"``; rows are gathered over processes.
        on_step_end: Called after each step with its signals; may change buffers, returns more
            signals.
        signals: Healthy ranges of the method's signals.
        trackers: Follow the record; they are closed at the end.
        identity: Plain values that must not change between a checkpoint and its resumption.
        resume: Whether to go on from the newest checkpoint in the folder.
        force: Resume even if options or identity changed.

    Returns:
        The module with the chosen weights, and how it went.

    Raises:
        InputError: If batches run out, the metric is unknown, or a checkpoint belongs to a run
            with other options.
        CheckpointError: If every checkpoint in the folder is damaged.
    """
    fabric = fabric or Fabric(accelerator="cpu", devices=1, precision=config.precision)
    run = _Run(module, phases, config, seed, fabric, folder, dict(identity or {}))
    if folder is not None and resume:
        run.resume(force)
    elif run.folder is not None and fabric.is_global_zero:
        thin_checkpoints(run.folder, 0)  # or a later resumption would take the old run
    is_first = fabric.is_global_zero
    record = HealthRecord(
        Path(folder) / "health.jsonl" if folder is not None and is_first else None,
        run.progress.step,
    )
    followers = trackers if is_first else ()
    try:
        _steps(run, batches, record, followers, validate, on_step_end, signals or {})
    finally:
        for tracker in trackers:
            tracker.close()
    return run.finish(record.rows)


def _steps(
    run: _Run,
    batches: Callable[[int], Iterator[Any]],
    record: HealthRecord,
    trackers: Sequence[Tracker],
    validate: Callable[[nn.Module, int], Sequence[Mapping[str, Any]]] | None,
    on_step_end: Callable[[int, Mapping[str, float]], Mapping[str, float]] | None,
    signals: Mapping[str, Healthy],
) -> None:
    """Make the steps that are left, with everything that is due between them."""
    config, progress = run.config, run.progress
    window = _Window()
    ranges = {**COMMON_SIGNALS, **signals}
    stream = batches(progress.step * config.accumulate)
    with tqdm(
        total=config.n_steps,
        initial=progress.step,
        disable=not run.fabric.is_global_zero or not _shows_progress(config),
        desc="training",
        file=sys.stderr,
    ) as bar:
        while progress.step < config.n_steps and not run.is_over():
            waited = time.perf_counter()
            micros = list(islice(stream, config.accumulate))
            if len(micros) < config.accumulate:
                raise InputError(f"the batches ran out after {progress.step} steps.")
            window.waited += time.perf_counter() - waited
            step = progress.step
            is_logged = (step + 1) % config.log_every == 0 or step + 1 == config.n_steps
            # Duals must follow the same numbers on every process.
            info = run.average(run.step(micros, shares=is_logged and config.gradient_shares))
            if on_step_end is not None:
                info = {**info, **on_step_end(step, info)}
            progress.step = step = step + 1
            window.add(info, sum(_size(b) for b in micros) * run.fabric.world_size)
            bar.update()
            if is_logged:
                row = window.row(step, progress.n_skipped)
                row["verdicts"] = verdicts(row, ranges)
                record.add(row)
                bar.set_postfix(loss=f"{row['loss']:.4g}")
                _track(trackers, row, step, "train/")
                window = _Window()
            is_last = step == config.n_steps
            every = config.validate_every
            if validate is not None and every and (step % every == 0 or is_last):
                started = time.perf_counter()
                metrics = run.validate(validate)
                record.add({"step": step, "validation": metrics})
                _track(trackers, metrics, step, "val/")
                window.started += time.perf_counter() - started
            if run.folder is not None and (step % config.checkpoint_every == 0 or is_last):
                run.save()


class _Run:
    """Weights, optimisers and progress of one run."""

    def __init__(
        self,
        module: nn.Module,
        phases: Sequence[Phase],
        config: TrainingConfig,
        seed: int,
        fabric: Fabric,
        folder: Path | None,
        identity: dict[str, Any],
    ) -> None:
        self.config, self.phases, self.fabric, self.seed = config, phases, fabric, seed
        self.folder = None if folder is None else Path(folder) / "checkpoints"
        self.identity = {**identity, "seed": seed, "options": config.fingerprint()}
        self.plain = module
        self.progress = _Progress()
        self.best: dict[str, Tensor] | None = None
        made = [self._optimiser(phase) for phase in phases]
        wrapped = fabric.setup(module, *made)
        self.module, *self.optimisers = wrapped if made else (wrapped,)
        self.ema = None
        if config.ema_decay is not None:
            average = get_ema_multi_avg_fn(config.ema_decay)
            self.ema = AveragedModel(self.plain, multi_avg_fn=average, use_buffers=True)

    def _optimiser(self, phase: Phase) -> torch.optim.Optimizer:
        parameters = phase.parameters(self.plain)
        if phase.optimiser is not None:
            return phase.optimiser(parameters)
        on_gpu = self.fabric.device.type == "cuda"
        return torch.optim.AdamW(
            parameter_groups(parameters, self.config.weight_decay),
            lr=self.config.learning_rate,
            betas=self.config.betas,
            eps=self.config.eps,
            fused=on_gpu or None,
        )

    # -- one step -------------------------------------------------------------------------

    def step(self, micros: Sequence[Any], *, shares: bool) -> dict[str, float]:
        """Run every phase that is due; return the signals of the step."""
        config, step = self.config, self.progress.step
        info: dict[str, float] = {}
        was_skipped = False
        rate = learning_rate(config, step, self.progress.n_reductions)
        self.module.train()
        for k, (phase, optimiser) in enumerate(zip(self.phases, self.optimisers, strict=True)):
            if step % phase.every:
                continue
            prefix = f"{phase.name}/" if len(self.phases) > 1 else ""
            if phase.optimiser is None:
                for group in optimiser.param_groups:
                    group["lr"] = rate
            if shares:
                info |= self._gradient_shares(phase, k, micros[0], prefix)
            optimiser.zero_grad()
            for m, batch in enumerate(micros):
                generator = self.generator(step, k, m)
                last = m == len(micros) - 1
                with self.fabric.no_backward_sync(self.module, enabled=not last):
                    with seeded(generator):
                        loss, parts = phase.loss(self.module, batch, step, generator)
                    self.fabric.backward(loss / len(micros))
                for name, value in {"loss": loss, **parts}.items():
                    old = info.get(prefix + name, 0.0)
                    info[prefix + name] = old + float(value.detach()) / len(micros)
            norm = self._clip(phase, optimiser)
            info[f"{prefix}gradient_norm"] = norm
            info[f"{prefix}clipped_share"] = float(
                bool(config.clip_norm) and norm > config.clip_norm
            )  # pyright: ignore[reportOptionalOperand]
            finite = math.isfinite(norm)
            if finite or config.precision == "16-mixed":  # there the scaler skips, and adapts
                optimiser.step()
            if not finite:
                was_skipped = True
                optimiser.zero_grad()
        self.progress.n_skipped += was_skipped
        if self.ema is not None and not was_skipped:
            self.ema.update_parameters(self.plain)
        info["loss"] = info.get("loss", sum(v for k, v in info.items() if k.endswith("/loss")))
        info["learning_rate"] = rate
        return info

    def _gradient_shares(self, phase: Phase, k: int, batch: Any, prefix: str) -> dict[str, float]:
        """Compare the gradient norms of the parts of a loss, in an evaluation of its own."""
        step, parameters = self.progress.step, list(phase.parameters(self.plain))
        generator = self.generator(step, k, 0)
        with self.fabric.autocast(), seeded(generator):
            _, parts = phase.loss(self.plain, batch, step, generator)
        live = {name: v for name, v in parts.items() if v.requires_grad}
        if len(live) < 2:
            return {}
        norms = {}
        for name, value in live.items():
            grads = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
            dense = (g.detach().to_dense().double() for g in grads if g is not None)
            norms[name] = math.sqrt(sum(float(g.square().sum()) for g in dense))
        total = sum(norms.values())
        return {
            f"{prefix}gradient_share/{n}": v / total if total else 0.0 for n, v in norms.items()
        }

    def _clip(self, phase: Phase, optimiser: Any) -> float:
        limit = self.config.clip_norm or math.inf
        parameters = [p for p in phase.parameters(self.plain) if p.grad is not None]
        if not parameters:
            return 0.0
        if any(p.grad.is_sparse for p in parameters):  # pyright: ignore[reportOptionalMemberAccess]
            return _clip_sparse(parameters, limit)
        norm = self.fabric.clip_gradients(
            self.module, optimiser, max_norm=limit, error_if_nonfinite=False
        )
        return float(norm) if norm is not None else 0.0

    def generator(self, step: int, phase: int, micro: int) -> torch.Generator:
        """Make the generator of one loss evaluation."""
        entropy = [self.seed, _STEP_STREAM, step, phase, micro, self.fabric.global_rank]
        return torch_generator(np.random.SeedSequence(entropy))

    def average(self, info: dict[str, float]) -> dict[str, float]:
        """Average the signals of a step over processes."""
        if self.fabric.world_size == 1:
            return info
        names = sorted(info)
        values = torch.tensor([info[k] for k in names], dtype=torch.float64)
        mean = self.fabric.all_reduce(values, reduce_op="mean")
        return dict(zip(names, mean.tolist(), strict=True))  # pyright: ignore

    # -- validation -----------------------------------------------------------------------

    def validate(
        self, validate: Callable[[nn.Module, int], Sequence[Mapping[str, Any]]]
    ) -> dict[str, float]:
        """Score the weights and remember them if they are the best so far."""
        config, progress = self.config, self.progress
        scored = self.plain if self.ema is None else self.ema.module
        scored.eval()
        with torch.no_grad():
            rows = gather_rows(self.fabric, validate(scored, progress.step))
        scored.train()
        metrics = average_rows(rows)
        if config.metric not in metrics:
            raise InputError(
                f"the validation metric {config.metric!r} is not one of "
                f"{', '.join(k for k in metrics if not k.endswith('_se'))}."
            )
        value = metrics[config.metric]
        sign = -1.0 if config.mode == "max" else 1.0
        best = progress.best_value
        if math.isfinite(value) and (best is None or sign * value < sign * best):
            progress.best_value, progress.best_step = value, progress.step
            progress.best_metrics = metrics
            progress.n_since_best = progress.n_since_reduction = 0
            self.best = {k: v.detach().cpu().clone() for k, v in scored.state_dict().items()}
            if self.folder is not None and self.fabric.is_global_zero:
                content = {"weights": self.best, "step": progress.step, "metrics": metrics}
                save_checkpoint(self.folder / "best.ckpt", {**content, "version": __version__})
        else:
            progress.n_since_best += 1
            progress.n_since_reduction += 1
            if config.schedule == "plateau" and (
                progress.n_since_reduction >= config.plateau_patience
            ):
                progress.n_reductions += 1
                progress.n_since_reduction = 0
        return metrics

    def is_over(self) -> bool:
        """Tell whether early stopping says stop; all processes saw the same metrics."""
        patience = self.config.patience
        return patience is not None and self.progress.n_since_best >= patience

    # -- checkpoints ----------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint; the other processes wait for it."""
        if self.fabric.is_global_zero and self.folder is not None:
            save_checkpoint(self.folder / f"step-{self.progress.step:09d}.ckpt", self._content())
            thin_checkpoints(self.folder, self.config.keep_last)
        self.fabric.barrier()

    def _content(self) -> dict[str, Any]:
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)
        return {
            "version": __version__,
            "identity": self.identity,
            "progress": vars(self.progress),
            "module": self.plain.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
            "ema": None if self.ema is None else self.ema.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "best": self.best,
        }

    def resume(self, force: bool) -> None:
        """Go on from the newest checkpoint that can be read."""
        if self.folder is None:
            return
        damaged: CheckpointError | None = None
        for file in list_checkpoints(self.folder):
            try:
                content = load_checkpoint(file, self.fabric.device)
                if not {"identity", "progress", "module", "optimisers"} <= content.keys():
                    raise CheckpointError(f"{str(file)!r} is no checkpoint of a training run.")
            except CheckpointError as error:
                damaged = error
                warnings.warn(f"skipped: {error}", DataWarning, stacklevel=3)
                continue
            self._restore(content, file, force)
            return
        if damaged is not None:
            raise damaged

    def _restore(self, content: dict[str, Any], file: Path, force: bool) -> None:
        changed = [k for k, v in self.identity.items() if content["identity"].get(k) != v]
        if changed and not force:
            raise InputError(
                f"{str(file)!r} belongs to a run with another {', '.join(changed)}. Choose "
                "another folder, restore the options, or force the resumption."
            )
        try:
            self.plain.load_state_dict(content["module"])
        except RuntimeError as error:
            raise InputError(f"{str(file)!r} belongs to another network: {error}") from error
        for optimiser, state in zip(self.optimisers, content["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        if self.ema is not None and content["ema"] is not None:
            self.ema.load_state_dict(content["ema"])
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)
        if scaler is not None and content["scaler"] is not None:
            scaler.load_state_dict(content["scaler"])
        self.best = content["best"]
        self.progress = _Progress(**content["progress"])

    def finish(self, rows: list[dict[str, Any]]) -> Trained:
        """Put the best weights back."""
        progress = self.progress
        if progress.n_skipped:
            warnings.warn(
                f"{progress.n_skipped} of {progress.step} steps had a gradient that is not finite "
                "and were skipped.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if self.best is not None:
            self.plain.load_state_dict(self.best)
        elif self.ema is not None:
            self.plain.load_state_dict(self.ema.module.state_dict())
        self.plain.eval()
        return Trained(
            module=self.plain,
            step=progress.step,
            best_step=progress.best_step,
            best_metrics=progress.best_metrics,
            rows=rows,
            n_skipped=progress.n_skipped,
        )


_STEP_STREAM = 11


class _Window:
    """Means over the steps since the last row of the record."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.last: dict[str, float] = {}
        self.n_items = 0
        self.waited = 0.0
        self.started = time.perf_counter()

    def add(self, info: Mapping[str, float], n_items: int) -> None:
        """Take the signals of a step."""
        for name, value in info.items():
            if math.isfinite(value):
                self.sums[name] = self.sums.get(name, 0.0) + value
                self.counts[name] = self.counts.get(name, 0) + 1
            self.last[name] = value
        self.n_items += n_items

    def row(self, step: int, n_skipped: int) -> dict[str, Any]:
        """Average them."""
        seconds = max(time.perf_counter() - self.started, 1e-9)
        means = {
            k: self.sums[k] / self.counts[k] if k in self.counts else v
            for k, v in self.last.items()
        }
        return {
            "step": step,
            **means,
            "learning_rate": self.last["learning_rate"],
            "tasks_per_second": self.n_items / seconds,
            "data_wait_share": self.waited / seconds,
            "skipped_steps": n_skipped,
        }


def _clip_sparse(parameters: Sequence[nn.Parameter], limit: float) -> float:
    """Clip when some gradients are sparse, by the values that they hold."""
    values = []
    for p in parameters:
        if p.grad is not None and p.grad.is_sparse:
            p.grad = p.grad.coalesce()
        if p.grad is not None:
            values.append(p.grad.values() if p.grad.is_sparse else p.grad)
    norm = torch.nn.utils.get_total_norm(values)
    for v in values:
        v.mul_((limit / (norm + 1e-6)).clamp(max=1.0))
    return float(norm)


def _size(batch: Any) -> int:
    try:
        return len(batch)
    except TypeError:
        return 1


def _track(trackers: Sequence[Tracker], row: Mapping[str, Any], step: int, prefix: str) -> None:
    numbers = {prefix + k: v for k, v in row.items() if isinstance(v, (int, float))}
    for tracker in trackers:
        tracker.log(numbers, step)


def _shows_progress(config: TrainingConfig) -> bool:
    return sys.stderr.isatty() if config.progress is None else config.progress
