"""The original's command line: ``causalbgm`` and ``bgm``, and the form without a subcommand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aetia.compat.bayesgm.models import BGM, CausalBGM
from aetia.compat.bayesgm.utils import parse_file, parse_file_triplet, save_data
from aetia.errors import AetiaError, InputError
from aetia.version import __version__

__all__ = ["main", "main_causalbgm", "make_parser"]

_COMMON = (
    "output_dir",
    "dataset",
    "save_model",
    "save_res",
    "use_bnn",
    "kl_weight",
    "lr_theta",
    "lr_z",
    "lr",
    "g_units",
    "e_units",
    "dz_units",
    "g_d_freq",
)
_LARGE, _SMALL = [64, 64, 64, 64, 64], [64, 32, 8]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words; None takes those of the process. Words that start with an option other
            than ``--help`` and ``--version`` are those of ``causalbgm``.

    Returns:
        0; 2 if the input cannot be used, 1 for other errors of aetia.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0].startswith("-") and words[0] not in ("-h", "--help", "--version"):
        return main_causalbgm(words)
    parser = make_parser()
    options = parser.parse_args(words)
    if options.command is None:
        parser.print_help()
        return 0
    return _run(options)


def main_causalbgm(arguments: Sequence[str] | None = None) -> int:
    """Run the older command ``causalBGM``, whose options are those of ``causalbgm``.

    Args:
        arguments: Words; None takes those of the process.

    Returns:
        As :func:`main`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser("causalBGM", description="Effects of a treatment.")
    _add_causal(parser)
    return _run(parser.parse_args(words))


def make_parser() -> argparse.ArgumentParser:
    """Build the parser.

    Returns:
        With subcommands ``causalbgm`` and ``bgm``.
    """
    parser = argparse.ArgumentParser(
        "bayesgm", description=f"The bayesgm command line, on aetia {__version__}."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s (aetia) {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command")
    _add_causal(commands.add_parser("causalbgm", help="effects of a treatment"))
    _add_bgm(commands.add_parser("bgm", help="missing cells and new rows of a table"))
    return parser


def _run(options: argparse.Namespace) -> int:
    try:
        options.run(options)
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except AetiaError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _add_common(parser: argparse.ArgumentParser) -> None:
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    add("-o", "--output_dir", required=True, help="output directory")
    add("-i", "--input", required=True, help="data in csv, txt or npz format")
    add("-t", "--delimiter", type=_delimiter, default="\t", help="of txt and csv (default: tab)")
    add("--header", type=_header, default=0, help="row of column names in csv, or none (0)")
    add("-d", "--dataset", default="Mydata", help="dataset name (%(default)s)")
    add(
        "-F",
        "--save_format",
        default="txt",
        choices=["txt", "csv", "npy"],
        help="format of results (%(default)s)",
    )
    _add_pair(parser, "save_model", False, "save weights")
    _add_pair(parser, "save_res", True, "save intermediate results")
    add("--use_bnn", default=True, action=switch, help="Bayesian networks")
    add("--use_egm_init", default=True, action=switch, help="EGM initialization")
    add("--seed", type=int, default=123, help="random seed (%(default)s)")
    add("--kl_weight", type=float, default=1e-4, help="of the divergence (%(default)s)")
    for name, what in (("lr_theta", "parameters"), ("lr_z", "latents"), ("lr", "initialization")):
        add(f"--{name}", type=float, default=1e-4, help=f"learning rate of {what} (%(default)s)")
    _add_sizes(parser, "g_units", _LARGE)
    _add_sizes(parser, "e_units", _LARGE)
    _add_sizes(parser, "dz_units", _SMALL)
    add("--g_d_freq", type=int, default=5, help="critic updates per update (%(default)s)")


def _add_causal(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    add("-B", "--binary_treatment", default=True, action=switch, help="binary treatment")
    add("-Z", "--z_dims", type=int, nargs="+", default=[3, 3, 6, 6], help="latent dimensions")
    add("--x_values", type=float, nargs="+", help="treatment values of the dose response")
    add("--x_min", type=float, default=0.0, help="has no effect, as in the original")
    add("--x_max", type=float, default=3.0, help="has no effect, as in the original")
    _add_sizes(parser, "f_units", _SMALL)
    _add_sizes(parser, "h_units", _SMALL)
    # The switch of the original has dashes; the name of the parameter works as well.
    parser.add_argument("--use-z-rec", "--use_z_rec", default=True, action=switch)
    add("-N", "--n_iter", type=int, default=30000, help="EGM iterations (%(default)s)")
    add("--startoff", type=int, default=0, help="first epoch that can be best (%(default)s)")
    add("--batches_per_eval", type=int, default=500, help="EGM iterations per evaluation")
    add("-E", "--epochs", type=int, default=100, help="epochs (%(default)s)")
    add("--epochs_per_eval", type=int, default=10, help="epochs per evaluation (%(default)s)")
    add("-M", "--n_mcmc", type=int, default=3000, help="posterior draws (%(default)s)")
    add("--burn_in", type=int, default=5000, help="steps before them (%(default)s)")
    add("-q", "--q_sd", type=float, default=1.0, help="of proposals; negative adapts (%(default)s)")
    add("--alpha", type=float, default=0.01, help="significance level (%(default)s)")
    parser.set_defaults(run=_run_causal)


def _add_bgm(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    add = parser.add_argument
    add("--z_dim", type=int, default=10, help="latent dimension (%(default)s)")
    _add_sizes(parser, "dx_units", _SMALL)
    add("--gamma", type=float, default=10.0, help="gradient penalty (%(default)s)")
    add("--egm_reg_alpha", type=float, default=0.01, help="variance penalty (%(default)s)")
    add("-N", "--egm_n_iter", type=int, default=20000, help="EGM iterations (%(default)s)")
    add("--egm_batches_per_eval", type=int, default=500, help="EGM iterations per evaluation")
    add("-E", "--epochs", type=int, default=100, help="epochs (%(default)s)")
    add("--epochs_per_eval", type=int, default=5, help="epochs per evaluation (%(default)s)")
    add("--batch_size", type=int, default=32, help="rows of a step (%(default)s)")
    add("--alpha", type=float, default=0.05, help="significance level (%(default)s)")
    add("-M", "--n_mcmc", type=int, default=5000, help="posterior draws (%(default)s)")
    add("--burn_in", type=int, default=5000, help="steps before them (%(default)s)")
    add("--step_size", type=float, default=0.01, help="of HMC (%(default)s)")
    add("--num_leapfrog_steps", type=int, default=10, help="of a trajectory (%(default)s)")
    parser.set_defaults(run=_run_bgm)


def _add_pair(parser: argparse.ArgumentParser, name: str, default: bool, what: str) -> None:
    """A switch with one dash, as in the original, or two."""
    group = parser.add_mutually_exclusive_group()
    text = f"{what} (default: {default})"
    flags = (f"-{name}", f"--{name}")
    group.add_argument(*flags, dest=name, default=default, action="store_true", help=text)
    group.add_argument(f"-no-{name}", f"--no-{name}", dest=name, action="store_false")


def _add_sizes(parser: argparse.ArgumentParser, name: str, default: list[int]) -> None:
    parser.add_argument(
        f"--{name}", type=int, nargs="+", default=default, help="hidden widths (%(default)s)"
    )


def _delimiter(word: str) -> str:
    return word.replace("\\t", "\t")


def _header(word: str) -> int | None:
    return None if word.lower() == "none" else int(word)


def _params(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    return {name: getattr(options, name) for name in (*_COMMON, *names)}


def _run_causal(options: argparse.Namespace) -> None:
    if not options.binary_treatment and options.x_values is None:
        raise InputError("a continuous treatment needs --x_values.")
    data = parse_file_triplet(options.input, options.delimiter, options.header)
    names = ("binary_treatment", "z_dims", "f_units", "h_units", "use_z_rec")
    params = _params(options, *names) | {"v_dim": data[2].shape[1]}
    model = CausalBGM(params, random_seed=options.seed)
    model.fit(
        data,
        epochs=options.epochs,
        epochs_per_eval=options.epochs_per_eval,
        startoff=options.startoff,
        use_egm_init=options.use_egm_init,
        egm_n_iter=options.n_iter,
        egm_batches_per_eval=options.batches_per_eval,
        save_format=options.save_format,
    )
    effect, interval = model.predict(
        data,
        alpha=options.alpha,
        n_mcmc=options.n_mcmc,
        burn_in=options.burn_in,
        x_values=options.x_values,
        q_sd=options.q_sd,
    )
    folder = _made(model.save_dir)
    save_data(folder / f"causal_effect_point_estimate.{options.save_format}", effect)
    save_data(folder / f"causal_effect_posterior_interval.{options.save_format}", interval)


def _run_bgm(options: argparse.Namespace) -> None:
    data = parse_file(options.input, options.delimiter, options.header)
    params = _params(options, "z_dim", "dx_units", "gamma") | {
        "x_dim": data.shape[1],
        "alpha": options.egm_reg_alpha,
    }
    model = BGM(params, random_seed=options.seed)
    model.fit(
        data,
        batch_size=options.batch_size,
        epochs=options.epochs,
        epochs_per_eval=options.epochs_per_eval,
        use_egm_init=options.use_egm_init,
        egm_n_iter=options.egm_n_iter,
        egm_batches_per_eval=options.egm_batches_per_eval,
    )
    imputed, intervals = model.predict(
        data,
        alpha=options.alpha,
        n_mcmc=options.n_mcmc,
        burn_in=options.burn_in,
        step_size=options.step_size,
        num_leapfrog_steps=options.num_leapfrog_steps,
        seed=options.seed,
    )
    folder = _made(model.save_dir)
    save_data(folder / f"imputed_data.{options.save_format}", imputed)
    if isinstance(intervals, list):
        # Rows miss different columns: one flat array, with the row and column of each interval.
        row, column = np.nonzero(np.isnan(data))
        ends = np.concatenate(intervals)
        np.savez(folder / "prediction_intervals.npz", intervals=ends, row=row, column=column)
    else:
        np.savez(folder / "prediction_intervals.npz", intervals=intervals)


def _made(folder: str) -> Path:
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path
