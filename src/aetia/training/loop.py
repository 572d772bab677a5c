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

from aetia.errors import InputError, NumericalError
from aetia.training.checkpoints import (
    thin_checkpoints,
)
from aetia.training.config import TrainingConfig
from aetia.training.diagnosis import TrainingFinding, diagnose
from aetia.training.health import (
    COMMON_SIGNALS,
    HealthRecord,
    Healthy,
    phase_signals,
    verdicts,
)
from aetia.training.phase import Phase
from aetia.training.processes import fabric_on
from aetia.training.progress_line import progress_line
from aetia.training.run import Trained, TrainingRun
from aetia.training.summary import check_facts, summarise, write_summary
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
    signals_of: Callable[[nn.Module], Mapping[str, float]] | None = None,
    evaluate: Callable[[nn.Module, int], Mapping[str, float]] | None = None,
    facts: Mapping[str, Any] | None = None,
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
        folder: Where ``checkpoints/``, ``health.jsonl`` and, when the run ends,
            ``training_summary.json`` are written; None keeps nothing.
        validate: ``validate(module, step)`` gives one row of metrics for each task of this
            process's share, with the entry ``"task"``; rows are gathered over processes.
        on_step_end: Called after each step with its signals; may change buffers, returns more
            signals, of which the record has means. At a skipped step they may be NaN.
        signals: Healthy ranges of the method's signals.
        signals_of: ``signals_of(module)`` gives more signals of the weights as they are at a row of
            the record: edge counts, entropies, multipliers.
        evaluate: External evaluation: ``evaluate(module, step)`` gives metrics at validations, and
            may know the truth. They are recorded as ``external``; training does not use them.
        facts: Plain values for the summary, such as ``data_stats``.
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
        NumericalError: If ``max_nonfinite`` updates in a row had no finite gradient; the module
            then holds the weights of the best checkpoint, or the last finite ones.
    """
    check_facts(facts or {})
    if fabric is None:
        first = next(module.parameters(), None)
        fabric = fabric_on(torch.device("cpu") if first is None else first.device, config.precision)
    run = TrainingRun(module, phases, config, seed, fabric, folder, dict(identity or {}))
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
    ranges = dict(signals or {})

    def conclude(aborted: str | None = None) -> tuple[list[TrainingFinding], dict[str, Any]]:
        findings = diagnose(record.rows, signals=ranges)
        summary = summarise(
            record.rows,
            config=config,
            seed=seed,
            progress=run.progress,
            findings=findings,
            signals=ranges,
            facts=facts or {},
            aborted=aborted,
        )
        if folder is not None and is_first:
            write_summary(folder, summary)
        return findings, summary

    try:
        _steps(run, batches, record, followers, validate, evaluate, on_step_end, ranges, signals_of)
    except NumericalError as error:
        run.put_back()
        # What went wrong is in the summary of an aborted run too.
        conclude(aborted=str(error))
        raise
    finally:
        for tracker in trackers:
            tracker.close()
    return run.finish(record.rows, *conclude())


def _steps(
    run: TrainingRun,
    batches: Callable[[int], Iterator[Any]],
    record: HealthRecord,
    trackers: Sequence[Tracker],
    validate: Callable[[nn.Module, int], Sequence[Mapping[str, Any]]] | None,
    evaluate: Callable[[nn.Module, int], Mapping[str, float]] | None,
    on_step_end: Callable[[int, Mapping[str, float]], Mapping[str, float]] | None,
    signals: Mapping[str, Healthy],
    signals_of: Callable[[nn.Module], Mapping[str, float]] | None,
) -> None:
    """Make the steps that are left, with everything that is due between them."""
    config, progress = run.config, run.progress
    window = Window()
    is_shown = run.fabric.is_global_zero and _shows_progress(config)
    # A resumed run goes on with the batches that it has not seen.
    stream = batches(progress.step * config.accumulate)
    with tqdm(
        total=config.n_steps,
        initial=progress.step,
        disable=not is_shown,
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
            # The last row before training gives up shows why, so it must be in the record.
            is_logged = is_logged or run.is_stuck()
            is_last = step == config.n_steps
            every = config.validate_every
            is_validated = bool(every) and (step % every == 0 or is_last)
            is_validated = is_validated and not (validate is None and evaluate is None)
            # The line on the terminal needs a row at validations that are not logged.
            row = {}
            if is_logged or (is_validated and is_shown):
                row = _row(run, window, signals, signals_of if is_logged or is_shown else None)
            if is_logged:
                record.add(row)
                bar.set_postfix(loss=f"{row['loss']:.4g}")
                _track(trackers, row, step, "train/")
                window = Window()
            run.check_finite()
            if is_validated:
                started = time.perf_counter()
                outcome = _validation(run, validate, evaluate)
                seconds = time.perf_counter() - started
                record.add({"step": step, **outcome, "seconds": seconds})
                for name, prefix in (("validation", "val/"), ("external", "external/")):
                    _track(trackers, outcome.get(name, {}), step, prefix)
                # Validation must not count as time of the steps.
                window.started += seconds
                if is_shown:
                    line = progress_line(
                        row,
                        n_steps=config.n_steps,
                        held_out=outcome.get("validation", {}).get(config.metric),
                        external=outcome.get("external"),
                        is_best=progress.best_step == step,
                    )
                    tqdm.write(line, file=sys.stderr)
            if run.folder is not None and (step % config.checkpoint_every == 0 or is_last):
                run.save()


def _row(
    run: TrainingRun,
    window: Window,
    signals: Mapping[str, Healthy],
    signals_of: Callable[[nn.Module], Mapping[str, float]] | None,
) -> dict[str, Any]:
    """Make the row of the record that ends here."""
    progress = run.progress
    row = window.row(progress.step, progress.n_skipped, progress.rate_factor)
    if signals_of is not None:
        with torch.no_grad():
            row |= {name: float(value) for name, value in signals_of(run.plain).items()}
    objectives = run.objectives()
    row |= {f"{prefix}objective": name for prefix, name in objectives.items() if name is not None}
    ranges = {**COMMON_SIGNALS, **phase_signals(row, objectives), **signals}
    row["verdicts"] = verdicts(row, ranges)
    return row


def _validation(
    run: TrainingRun,
    validate: Callable[[nn.Module, int], Sequence[Mapping[str, Any]]] | None,
    evaluate: Callable[[nn.Module, int], Mapping[str, float]] | None,
) -> dict[str, dict[str, float]]:
    """Score the weights on validation data, and run the external evaluation."""
    outcome = {}
    if validate is not None:
        outcome["validation"] = run.validate(validate)
    if evaluate is not None and run.fabric.is_global_zero:
        outcome["external"] = run.evaluate(evaluate)
    return outcome


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
