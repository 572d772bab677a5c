"""The verb ``experiment``: Hydra composes the configuration, the library runs it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aetia.errors import AetiaError, InputError

__all__ = ["run_experiments"]

_PROGRAM = "aetia experiment"
_SECTIONS = ("data", "model", "trainer", "inference", "logger")


def run_experiments(words: Sequence[str]) -> None:
    """Run one experiment, or several with ``--multirun``.

    Args:
        words: Hydra's command line; ``--devices``, ``--nodes`` and ``--print-config`` are ours.

    Raises:
        AetiaError: What an experiment raised on purpose.
    """
    import hydra

    arguments = _hydra_words(list(words))
    if _n_processes(arguments) > 1 and "LOCAL_RANK" not in os.environ and _is_run(arguments):
        _start_processes(arguments)
    raised: list[AetiaError] = []
    grid: list[dict[str, Any]] = []

    def job(cfg: Any) -> float:
        from hydra.core.hydra_config import HydraConfig
        from omegaconf import OmegaConf

        from aetia.benchmark import (
            SensorExperiment,
            read_experiment,
            run_experiment,
            run_sensor_experiment,
        )

        values: Any = OmegaConf.to_container(cfg, resolve=True)
        folder = HydraConfig.get().runtime.output_dir
        try:
            if (values.get("model") or {}).get("type") == "rcgnn":
                results = run_sensor_experiment(SensorExperiment.read(values), folder)
                overrides = list(HydraConfig.get().overrides.task)
                grid.append({"overrides": overrides, "folder": folder, **results})
                _print_sensors(folder, results)
            else:
                config = read_experiment(values)
                _print(config.name, folder, run_experiment(config, folder))
        except AetiaError as error:
            raised.append(error)
            raise
        return 0.0

    before, sys.argv = sys.argv, [_PROGRAM, *arguments]
    full = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us, which prints deliberate ones
    try:
        hydra.main(version_base="1.3", config_path="pkg://aetia.configs", config_name="default")(
            job
        )()
    except Exception as error:
        if raised:
            raise raised[0] from None
        if type(error).__module__.startswith(("hydra.", "omegaconf.")):
            raise InputError(str(error)) from error
        raise
    finally:
        sys.argv = before
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]
    if len(grid) > 1:
        _print_grid(grid)


def _hydra_words(words: list[str]) -> list[str]:
    """Translate our options into Hydra's, and paths into absolute ones."""
    out: list[str] = []
    waiting = iter(words)
    for word in waiting:
        name, separator, value = word.partition("=")
        if name in ("--devices", "--nodes", "--config-path", "--config-dir", "-cp", "-cd"):
            value = value if separator else next(waiting, "")
            if not value:
                raise InputError(f"{name} needs a value.")
            if name in ("--devices", "--nodes"):
                out.append(f"++trainer.{name[2:]}={value}")
            else:
                folder = Path(value).resolve()
                if not folder.is_dir():
                    raise InputError(f"no such configuration folder: {value!r}.")
                # A folder of the user's is searched first, the packaged groups after it.
                out += ["--config-dir", str(folder)]
        elif word == "--print-config":
            out += ["--cfg", "job", "--resolve"]
        elif re.match(rf"({'|'.join(_SECTIONS)})\.", name) and separator:
            out.append(f"++{word}")  # whether or not the file states it; our own check knows all
        else:
            out.append(word)
    return out


def _is_run(arguments: Sequence[str]) -> bool:
    return not {"--cfg", "-c", "--help", "-h", "--hydra-help", "--info", "-i"} & set(arguments)


def _n_processes(arguments: Sequence[str]) -> int:
    count = 1
    for name in ("devices", "nodes"):
        for word in arguments:
            if word.startswith(f"++trainer.{name}="):
                text = word.partition("=")[2]
                if not text.isdigit() or int(text) < 1:
                    raise InputError(f"--{name} must be a positive integer, got {text!r}.")
                count *= int(text)
    return count


def _start_processes(arguments: Sequence[str]) -> None:
    """Start this command once for each device, on this machine."""
    if "SLURM_JOB_ID" in os.environ:
        return  # the cluster has started them
    if any(w.startswith("++trainer.nodes=") and w != "++trainer.nodes=1" for w in arguments):
        raise InputError(
            "several nodes are started by a cluster's launcher (hydra/launcher=submitit_slurm) or "
            "by torchrun with `-m aetia experiment ...` on each node."
        )
    import subprocess

    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    count = ["--nproc-per-node", str(_n_processes(arguments))]
    done = subprocess.run(
        [
            *launcher,
            *count,
            "-m",
            "aetia",
            "experiment",
            *(w.removeprefix("++") for w in arguments),
        ],
        check=False,
    )
    raise SystemExit(min(done.returncode, 1) if done.returncode >= 0 else 1)


def _print(name: str, folder: str, results: dict[str, Any]) -> None:
    import typer

    if not results:  # another rank prints
        return
    for family, values in results["families"].items():
        shown = ", ".join(
            f"{metric} {values[metric]:.3f}"
            for metric in ("auroc", "average_precision", "expected_f1", "ece")
            if metric in values
        )
        typer.echo(f"{name} on {family} ({values['n_tasks']} tasks): {shown}")
    typer.echo(f"report: {Path(folder) / 'report.html'}")


def _print_sensors(folder: str, results: dict[str, Any]) -> None:
    import typer

    held_out = results["held_out"]
    text = f"{results['name']}: {results['edge_count']} edges"
    if held_out is not None:
        text += f", held-out loss {held_out:.4f} nats per cell"
    typer.echo(text)
    if "external" in results:
        scores = results["external"]
        typer.echo(
            f"scored from outside: F1 {scores['f1']:.3f}, SHD {scores['shd']:.0f}, AUROC "
            f"{scores['auroc']:.3f}; best threshold in hindsight: oracle_f1 "
            f"{scores['oracle_f1']:.3f}"
        )
    page = Path(folder) / "health.html"
    if page.is_file():
        typer.echo(f"health: {page}")


def _print_grid(grid: list[dict[str, Any]]) -> None:
    """Compare the runs of a grid, and pick one without a truth."""
    import json

    import typer

    from aetia.benchmark import label_free_pick
    from aetia.files import plain_json, write_atomically

    pick = label_free_pick(grid)
    width = max(len(" ".join(run["overrides"])) for run in grid)
    typer.echo(f"{'':{width + 2}}  edges  held-out    F1  oracle F1 (needs the truth)")
    for k, run in enumerate(grid):
        scores = run.get("external", {})
        held_out = "-" if run["held_out"] is None else f"{run['held_out']:.4f}"
        typer.echo(
            f"{'*' if k == pick else ' '} {' '.join(run['overrides']):{width}}  "
            f"{run['edge_count']:5d}  {held_out:>8}  {scores.get('f1', float('nan')):4.2f}  "
            f"{scores.get('oracle_f1', float('nan')):.2f}"
        )
    if pick is None:
        typer.echo("no run held blocks out: set model.validation_share to pick one without a truth")
    else:
        typer.echo(f"* the pick, by held-out loss alone: {grid[pick]['folder']}")
    file = Path(grid[0]["folder"]).parent / "grid.json"
    write_atomically(file, json.dumps(plain_json({"pick": pick, "runs": grid}), indent=1))
    typer.echo(f"grid: {file}")
