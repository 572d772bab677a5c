"""The state of one training run: weights, optimisers, progress; its steps and its checkpoints."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from aetia.errors import (
    CheckpointError,
    ConvergenceWarning,
    DataWarning,
    InputError,
    NumericalError,
)
from aetia.nets import seeded
from aetia.randomness import generator_on, torch_generator
from aetia.training.attribution import gradient_shares, objective_gradients
from aetia.training.checkpoints import (
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
    thin_checkpoints,
)
from aetia.training.clipping import clip_values, gradient_norms, gradient_values
from aetia.training.config import TrainingConfig
from aetia.training.diagnosis import TrainingFinding
from aetia.training.gather import average_rows, gather_rows
from aetia.training.lamb import LAMB
from aetia.training.parameter_groups import (
    ParameterGroup,
    complete_groups,
    parameter_groups,
)
from aetia.training.phase import Phase
from aetia.training.plateau import follow
from aetia.training.progress import Progress
from aetia.training.schedule import learning_rate
from aetia.version import __version__

__all__ = ["Trained", "TrainingRun"]


@dataclass(eq=False)
class Trained:
    """What training leaves.

    Attributes:
        module: The module with the weights of the best checkpoint, or the last ones if nothing was
            validated.
        step: Steps that were made.
        best_step: Step of the best checkpoint; None if the weights are the last.
        best_metrics: Validation metrics of these weights.
        rows: The health record.
        n_skipped: Steps that were skipped because a gradient was not finite.
        findings: What the record says, in words.
        summary: What ``training_summary.json`` holds.
    """

    module: nn.Module
    step: int
    best_step: int | None = None
    best_metrics: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    n_skipped: int = 0
    findings: list[TrainingFinding] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)


class TrainingRun:
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
        self.progress = Progress()
        self.best: dict[str, Tensor] | None = None
        # Looked up once: walking over a module's parameters costs as much as a small network.
        self.updated = [list(phase.parameters(module)) for phase in phases]
        self.groups = [
            complete_groups(phase.groups(module), updated) if phase.groups is not None else {}
            for phase, updated in zip(phases, self.updated, strict=True)
        ]
        made = [self._optimiser(phase, k) for k, phase in enumerate(phases)]
        wrapped = fabric.setup(module, *made)
        self.module, *self.optimisers = wrapped if made else (wrapped,)
        # Fabric's layers do nothing then, and cost as much as a small network's arithmetic.
        self.is_plain = fabric.world_size == 1 and config.precision == "32-true"
        if self.is_plain:
            self.optimisers = made
        self.ema = None
        if config.ema_decay is not None:
            average = get_ema_multi_avg_fn(config.ema_decay)
            self.ema = AveragedModel(self.plain, multi_avg_fn=average, use_buffers=True)

    def _optimiser(self, phase: Phase, k: int) -> torch.optim.Optimizer:
        named = self.groups[k]
        if phase.optimiser is not None:
            own = [name for name, group in named.items() if group.has_options()]
            if own:
                raise InputError(
                    f"phase {phase.name!r} makes its own optimiser, so the weight_decay and "
                    f"learning_rate of the groups {own} would be ignored. Set them there."
                )
            return phase.optimiser(self.updated[k])
        config = self.config
        ungrouped = [ParameterGroup(self.updated[k])]
        groups = parameter_groups(list(named.values()) or ungrouped, config.weight_decay)
        options = {"lr": config.learning_rate, "betas": config.betas, "eps": config.eps}
        if config.optimiser == "lamb":
            return LAMB(groups, **options)
        return torch.optim.AdamW(groups, **options, fused=True)

    # -- one step -------------------------------------------------------------------------

    def step(self, micros: Sequence[Any], *, shares: bool) -> dict[str, float]:
        """Run every phase that is due; return the signals of the step."""
        config, step = self.config, self.progress.step
        info: dict[str, float] = {}
        was_skipped = False
        progress = self.progress
        rate = learning_rate(config, step, progress.plateau.n_reductions) * progress.rate_factor
        if not self.module.training:
            self.module.train()
        for k, (phase, optimiser) in enumerate(zip(self.phases, self.optimisers, strict=True)):
            if step % phase.every:
                continue
            prefix = f"{phase.name}/" if len(self.phases) > 1 else ""
            if phase.optimiser is None:
                for group in optimiser.param_groups:
                    group["lr"] = rate * group.get("rate", 1.0)
            if shares:
                found = self._attributions(phase, k, micros[0])
                info |= {prefix + name: value for name, value in found.items()}
            optimiser.zero_grad()
            for m, batch in enumerate(micros):
                generator = self.generator(step, k, m)
                last = m == len(micros) - 1
                with self._between_processes(last):
                    # Dropout draws from the global generator: one seed for each step, phase and
                    # batch, so that a resumed run draws the same.
                    with seeded(generator):
                        noise = generator_on(generator, self.fabric.device)
                        loss, parts = phase.loss(self.module, batch, step, noise)
                    scaled = loss / len(micros) if len(micros) > 1 else loss
                    if self.is_plain:
                        scaled.backward()
                    else:
                        self.fabric.backward(scaled)
                for name, value in zip(
                    ("loss", *parts), _numbers(loss, *parts.values()), strict=True
                ):
                    old = info.get(prefix + name, 0.0)
                    info[prefix + name] = old + value / len(micros)
            norms = self._clip(k, optimiser)
            norm = norms["gradient_norm"]
            info |= {prefix + name: value for name, value in norms.items()}
            finite = math.isfinite(norm)
            if finite or config.precision == "16-mixed":  # there the scaler skips, and adapts
                optimiser.step()
            in_a_row = progress.n_skipped_in_a_row
            in_a_row[phase.name] = 0 if finite else in_a_row.get(phase.name, 0) + 1
            if not finite:
                was_skipped = True
                optimiser.zero_grad()
        if was_skipped:
            self._count_skipped()
        else:
            progress.last_finite_step = step + 1
        # A skipped step left the weights as they were; averaging them once more would count them
        # twice.
        if self.ema is not None and not was_skipped:
            self.ema.update_parameters(self.plain)
        info["loss"] = info.get("loss", sum(v for k, v in info.items() if k.endswith("/loss")))
        info["learning_rate"] = rate
        return info

    def _count_skipped(self) -> None:
        """Halve the rate of what follows: the weights are where the last step was too long."""
        self.progress.n_skipped += 1
        if self.config.precision == "16-mixed":
            return  # its scale was too large, not the step, and it adapts on its own
        self.progress.rate_factor *= 0.5
        for phase, optimiser in zip(self.phases, self.optimisers, strict=True):
            if phase.optimiser is not None:
                for group in optimiser.param_groups:
                    group["lr"] *= 0.5

    def objectives(self) -> dict[str, str | None]:
        """List what stands in front of each phase's signals, and the name of its objective."""
        if len(self.phases) == 1:
            return {"": self.phases[0].objective}
        return {f"{phase.name}/": phase.objective for phase in self.phases}

    def is_stuck(self) -> bool:
        """Tell whether too many updates in a row had no finite gradient."""
        counts = self.progress.n_skipped_in_a_row.values()
        return any(count >= self.config.max_nonfinite for count in counts)

    def check_finite(self) -> None:
        """Give up after too many updates in a row without a finite gradient."""
        progress, limit = self.progress, self.config.max_nonfinite
        for name, count in progress.n_skipped_in_a_row.items():
            if count >= limit:
                of_phase = f" of the phase {name!r}" if len(self.phases) > 1 else ""
                rate = self.config.learning_rate
                lowered = ""
                if progress.rate_factor < 1:
                    lowered = (
                        f", and the rate had come down to {progress.rate_factor:.2g} of its own"
                    )
                raise NumericalError(
                    f"the last {count} updates{of_phase} had a gradient that is not finite, up to "
                    f"step {progress.step}; the last healthy step was {progress.last_finite_step}"
                    f"{lowered}. The module holds the best checkpoint, or the last finite weights. "
                    f"Lower learning_rate (now {rate:.3g}) or clip_norm, standardise the inputs, "
                    "and look in the loss for logarithms, roots and quotients of zero."
                )

    def _attributions(self, phase: Phase, k: int, batch: Any) -> dict[str, float]:
        """Tell where the gradient comes from and goes to, in an evaluation of its own."""
        step, parameters = self.progress.step, self.updated[k]
        generator = self.generator(step, k, 0)
        with self.fabric.autocast(), seeded(generator):
            noise = generator_on(generator, self.fabric.device)
            _, parts = phase.loss(self.plain, batch, step, noise)
        shares = gradient_shares(parts, parameters)
        found = {f"gradient_share/{name}": share for name, share in shares.items()}
        if phase.objective is not None:
            groups = {name: group.parameters for name, group in self.groups[k].items()}
            norms = objective_gradients(parts, phase.objective, groups or {"all": parameters})
            found |= {f"objective_gradient/{name}": norm for name, norm in norms.items()}
        return found

    def _between_processes(self, last: bool) -> AbstractContextManager[Any]:
        """Gradients of other processes are waited for at the last batch of a step alone."""
        if self.is_plain:
            return nullcontext()
        return self.fabric.no_backward_sync(self.module, enabled=not last)

    def _clip(self, k: int, optimiser: Any) -> dict[str, float]:
        """Clip the gradients of a phase; return norms before, and what was clipped."""
        limit, phase, named = self.config.clip_norm or math.inf, self.phases[k], self.groups[k]
        parameters = [p for p in self.updated[k] if p.grad is not None]
        is_sparse = any(p.grad.is_sparse for p in parameters)  # pyright: ignore
        if not (named or is_sparse or phase.clip is not None):
            norm = 0.0
            if parameters:
                norm = self.fabric.clip_gradients(
                    self.module, optimiser, max_norm=limit, error_if_nonfinite=False
                )
            norm = float(norm) if norm is not None else 0.0
            return {"gradient_norm": norm, "clipped_share": float(norm > limit)}
        self.fabric.strategy.precision.unscale_gradients(getattr(optimiser, "optimizer", optimiser))
        values = {name: gradient_values(group.parameters) for name, group in named.items()}
        norms = gradient_norms(values)
        every = [v for of_group in values.values() for v in of_group]
        if not named:
            every = gradient_values(parameters)
        total = math.hypot(*norms.values()) if named else gradient_norms({"": every})[""]
        is_by_group = self.config.clip == "per-group" and bool(named) and phase.clip is None
        if phase.clip is not None:
            total = phase.clip(parameters, limit) if parameters else 0.0
        elif is_by_group:
            for name, of_group in values.items():
                clip_values(of_group, norms[name], limit)
        else:
            clip_values(every, total, limit)
        clipped = {name: float(norm > limit) for name, norm in norms.items()}
        out = {
            "gradient_norm": total,
            "clipped_share": max(clipped.values()) if is_by_group else float(total > limit),
        }
        out |= {f"gradient_norm/{name}": norm for name, norm in norms.items()}
        if is_by_group:
            out |= {f"clipped_share/{name}": share for name, share in clipped.items()}
        return out

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
            progress.n_since_best = 0
            self.best = {k: v.detach().cpu().clone() for k, v in scored.state_dict().items()}
            if self.folder is not None and self.fabric.is_global_zero:
                content = {"weights": self.best, "step": progress.step, "metrics": metrics}
                save_checkpoint(self.folder / "best.ckpt", {**content, "version": __version__})
        else:
            progress.n_since_best += 1
        if config.schedule == "plateau":
            progress.plateau = follow(
                progress.plateau,
                value,
                patience=config.plateau_patience,
                cooldown=config.plateau_cooldown,
                threshold=config.plateau_threshold,
                mode=config.mode,
            )
        return metrics

    def evaluate(
        self, evaluate: Callable[[nn.Module, int], Mapping[str, float]]
    ) -> dict[str, float]:
        """Run the external evaluation on the weights that are validated."""
        scored = self.plain if self.ema is None else self.ema.module
        scored.eval()
        with torch.no_grad():
            found = {k: float(v) for k, v in evaluate(scored, self.progress.step).items()}
        scored.train()
        return found

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
            "progress": self.progress.plain(),
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
        self.progress = Progress.of(content["progress"])

    def put_back(self) -> None:
        """Load the weights of the best checkpoint, or their average, or leave the last."""
        if self.best is not None:
            self.plain.load_state_dict(self.best)
        elif self.ema is not None:
            self.plain.load_state_dict(self.ema.module.state_dict())
        self.plain.eval()

    def finish(
        self, rows: list[dict[str, Any]], findings: list[TrainingFinding], summary: dict[str, Any]
    ) -> Trained:
        """Restore the best checkpoint, and report how training went."""
        progress = self.progress
        if progress.n_skipped:
            warnings.warn(
                f"{progress.n_skipped} of {progress.step} steps had a gradient that is not finite "
                "and were skipped.",
                ConvergenceWarning,
                stacklevel=3,
            )
        self.put_back()
        return Trained(
            module=self.plain,
            step=progress.step,
            best_step=progress.best_step,
            best_metrics=progress.best_metrics,
            rows=rows,
            n_skipped=progress.n_skipped,
            findings=findings,
            summary=summary,
        )


_STEP_STREAM = 11


@torch.no_grad()
def _numbers(*scalars: Tensor) -> list[float]:
    """Read scalars off the device, all at once."""
    return torch.stack([s.detach().flatten()[0] for s in scalars]).tolist()
