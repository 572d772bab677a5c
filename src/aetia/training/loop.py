"""The training loop: phases, clipping, schedule, validation, checkpoints, exact resume.

Everything random in a step comes from a generator that is made from the run's seed, the number of
the step and the rank, so a resumed run needs no stored random state; batches are asked for by
number. A run of 2N steps and one that was killed at N and resumed give the same bits on a CPU.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from tqdm import tqdm

from aetia.errors import InputError
from aetia.training.checkpoints import (
    thin_checkpoints,
)
from aetia.training.config import TrainingConfig
from aetia.training.health import COMMON_SIGNALS, HealthRecord, Healthy, verdicts
from aetia.training.phase import Phase
from aetia.training.processes import fabric_on
from aetia.training.run import Run, Trained
from aetia.training.trackers import Tracker
from aetia.training.window import Window

__all__ = ["train"]


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
        fabric: Processes; None for this one, on the device of the module.
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
    if fabric is None:
        first = next(module.parameters(), None)
        fabric = fabric_on(torch.device("cpu") if first is None else first.device, config.precision)
    run = Run(module, phases, config, seed, fabric, folder, dict(identity or {}))
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
    run: Run,
    batches: Callable[[int], Iterator[Any]],
    record: HealthRecord,
    trackers: Sequence[Tracker],
    validate: Callable[[nn.Module, int], Sequence[Mapping[str, Any]]] | None,
    on_step_end: Callable[[int, Mapping[str, float]], Mapping[str, float]] | None,
    signals: Mapping[str, Healthy],
) -> None:
    """Make the steps that are left, with everything that is due between them."""
    config, progress = run.config, run.progress
    window = Window()
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
                window = Window()
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
