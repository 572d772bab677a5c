"""What ``experiment`` does: Hydra composes the configuration, the library runs it."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from aetia.errors import AetiaError, InputError
from aetia.options import nearest

__all__ = ["run_experiments"]

_PROGRAM = "aetia experiment"
_HELP = """\
Usage: aetia experiment [--config-name NAME] [option=value ...] [OPTIONS]

  Pre-train, infer and evaluate from a configuration.

  The same command goes on where the run in its folder stopped. Words such as
  trainer.max_steps=1000 change the configuration; `aetia config experiment-avici`
  explains every option.

Options:
  --config-name NAME   The configuration. Shipped:
{names}
  --config-dir FOLDER  Folder of configurations of your own, searched first.
  --print-config       Print the whole configuration and stop.
  --devices N          Number of processes on this machine, one for each device.
  --nodes N            Number of machines, which a cluster's launcher starts.
  --multirun, -m       Run every combination of options given as a,b, and compare.
  hydra.run.dir=FOLDER Folder for the results; by default one named by the time.
  --help, -h           Show this message and the configuration, and stop.
"""
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
    if {"--help", "-h"} & set(arguments):
        names = textwrap.fill(", ".join(_shipped()), 76)
        _say([_HELP.format(names=textwrap.indent(names, " " * 4))])
        arguments.append(f"hydra.help.app_name='{_PROGRAM}'")
    if _n_processes(arguments) > 1 and "LOCAL_RANK" not in os.environ and _is_run(arguments):
        _start_processes(arguments)
    raised: list[AetiaError] = []
    grid: list[dict[str, Any]] = []
    compare: list[Callable[..., list[str]]] = []

    def job(cfg: Any) -> float:
        from hydra.core.hydra_config import HydraConfig
        from omegaconf import OmegaConf

        from aetia.benchmark import find_experiment

        values: Any = OmegaConf.to_container(cfg, resolve=True)
        folder = HydraConfig.get().runtime.output_dir
        try:
            experiment = find_experiment(values)
            results = experiment.run(experiment.read(values), folder)
        except AetiaError as error:
            raised.append(error)
            raise
        if results:  # other ranks leave the printing to the first
            if experiment.compare is not None:
                overrides = list(HydraConfig.get().overrides.task)
                grid.append({"overrides": overrides, "folder": folder, **results})
                compare.append(experiment.compare)
            doubts = [f for f in results.get("findings", ()) if f.split()[1] != "good:"]
            lines = [*experiment.rows(results), *doubts]
            _say(lines, Path(folder) / experiment.page)
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
        if "Cannot find primary config" in str(error):
            name, known = str(getattr(error, "missing_cfg_file", "")), _shipped()
            raise InputError(
                f"no configuration {name!r}.{nearest(name, known)} Shipped: {', '.join(known)}; "
                "--config-dir FOLDER adds your own."
            ) from error
        if type(error).__module__.startswith(("hydra.", "omegaconf.")):
            raise InputError(str(error)) from error
        raise
    finally:
        sys.argv = before
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]
    if len(grid) > 1:
        _say(compare[0](grid, Path(grid[0]["folder"]).parent))


def _shipped() -> list[str]:
    """List the configurations that are in the package."""
    files = resources.files("aetia.configs").iterdir()
    names = sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml"))
    return [name for name in names if not name.startswith("_")]


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
    verb = ["-m", "aetia", "experiment", *(w.removeprefix("++") for w in arguments)]
    done = subprocess.run([*launcher, *count, *verb], check=False)
    raise SystemExit(min(done.returncode, 1) if done.returncode >= 0 else 1)


def _say(lines: Sequence[str], page: Path | None = None) -> None:
    import typer

    for line in lines:
        typer.echo(line)
    if page is not None and page.is_file():
        typer.echo(f"{page.stem}: {page}")
