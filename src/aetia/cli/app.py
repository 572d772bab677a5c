"""All verbs in one application; nothing heavy is imported here."""

from __future__ import annotations

import typer

from aetia.cli.verbs.config import config
from aetia.cli.verbs.corrupt import corrupt
from aetia.cli.verbs.datasets import datasets
from aetia.cli.verbs.demo import demo
from aetia.cli.verbs.diffusion import diffusion
from aetia.cli.verbs.discover import discover
from aetia.cli.verbs.effect import effect
from aetia.cli.verbs.experiment import experiment
from aetia.cli.verbs.generate import generate
from aetia.cli.verbs.impute import impute
from aetia.cli.verbs.report import report
from aetia.cli.verbs.simulate import simulate
from aetia.cli.verbs.version import version

__all__ = ["app"]

app = typer.Typer(
    name="aetia",
    help="Bayesian causal learning: a table in; graphs, effects, missing values and a report out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verb in (demo, discover, effect, impute, generate, simulate, corrupt, report):
    app.command()(verb)
app.command(
    # Hydra reads the words itself, --help included.
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
    add_help_option=False,
)(experiment)
app.add_typer(diffusion)
for verb in (config, datasets, version):
    app.command()(verb)
