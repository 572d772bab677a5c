"""The verb ``config``."""

from __future__ import annotations

from typing import Annotated

import typer

from aetia.cli import options as o

_METHODS = (*o.DISCOVERY_METHODS, *o.EFFECT_METHODS, *o.TABLE_METHODS)


def config(
    method: Annotated[
        str | None,
        typer.Argument(
            metavar="METHOD",
            help=f"A method ({', '.join(_METHODS)}) or an experiment ({', '.join(o.EXPERIMENTS)}). "
            "Without a name, all names are listed.",
        ),
    ] = None,
) -> None:
    """Print the options of a method or an experiment, as YAML.

    Every option has its default and a sentence that says what it does; --config of a verb reads
    the file.
    """
    from aetia.cli.option_texts import describe_options, known_options, methods_by_verb

    if method is not None:
        typer.echo(describe_options(method), nl=False)
        return
    verbs = {name: verb for verb, methods in methods_by_verb().items() for name in methods}
    for name in known_options():
        typer.echo(f"{name:18} aetia {verbs.get(name, name.split('-')[0])}")
