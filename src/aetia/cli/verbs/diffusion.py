"""The verb ``diffusion``: the two experiments of distributional diffusion models.

Every field of an experiment's options is a flag, with the text that documents the field. Fields are
read from the source text: importing them takes seconds, which ``--help`` must not.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from inspect import Parameter, Signature
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer

from aetia.cli import options as o

__all__ = ["diffusion", "flags_of"]

_SOURCE = Path(__file__).parents[2] / "generation" / "diffusion" / "experiments" / "options.py"
_TYPES: Mapping[str, type] = {"int": int, "float": float, "bool": bool}
_OURS: Mapping[str, tuple[Any, Any]] = {
    "config": (
        Annotated[
            str | None,
            typer.Option(
                "--config",
                help="YAML file of options, such as the config.yaml of a run; or the name of one "
                "that ships, toy_gmm or cifar10_dit.",
            ),
        ],
        None,
    ),
    "mute": (o.Mute, None),
    "as_json": (o.Json, False),
    "dry_run": (o.DryRun, False),
    "progress": (o.Progress, None),
    "force": (o.Force, False),
}

diffusion = typer.Typer(
    name="diffusion",
    help="Run experiments with distributional diffusion models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def flags_of(experiment: str) -> dict[str, Any]:
    """Read the fields of an experiment's options as flags.

    Args:
        experiment: Name of the dataclass.

    Returns:
        Field to its type with the flag, None where a flag is not given: what is given beats the
        file, even where it says what the default says.
    """
    tree = ast.parse(_SOURCE.read_text(encoding="utf-8"))
    cls = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == experiment)
    flags = {}
    for field, below in pairwise([*cls.body, ast.Pass()]):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            name, kind = field.target.id, ast.unparse(field.annotation).removesuffix(" | None")
            text = ""
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                text = " ".join(str(below.value.value).split()).replace("``", "")
            flag = f"--{name.replace('_', '-')}"
            if kind == "bool":
                other = flag.removeprefix("--no-") if flag.startswith("--no-") else f"no-{flag[2:]}"
                flag = f"{flag}/--{other}"
            flags[name] = Annotated[_TYPES.get(kind, str) | None, typer.Option(flag, help=text)]
    return flags


def _add(name: str, experiment: str, about: str) -> None:
    """Add a verb that has a flag for every field, besides those that all verbs share."""
    flags = flags_of(experiment)
    declared = {field: (flag, None) for field, flag in flags.items()} | dict(_OURS)

    def command(**given: Any) -> None:
        from aetia.cli import diffusing
        from aetia.cli.request import Request
        from aetia.cli.runner import run

        job = diffusing.toy_job if name == "toy" else diffusing.image_job
        run(Request(**given, flags=tuple(flags)), job)

    command.__doc__ = about
    command.__annotations__ = {option: kind for option, (kind, _) in declared.items()}
    command.__signature__ = Signature(  # pyright: ignore[reportFunctionMemberAccess]
        [
            Parameter(option, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for option, (kind, default) in declared.items()
        ]
    )
    diffusion.command(name)(command)


_add(
    "toy",
    "ToyExperiment",
    "Train on a mixture of two normals in the plane.\n\nWrites samples, their distance from the "
    "mixture (MMD) and curves of the training.",
)
_add(
    "images",
    "ImageExperiment",
    "Train a diffusion transformer on images.\n\nWrites samples, their distances from real images "
    "and checkpoints.",
)
