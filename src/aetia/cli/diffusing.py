"""The verb ``diffusion``: the two experiments of distributional diffusion models."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["diffusion"]

diffusion = typer.Typer(
    name="diffusion",
    help="Experiments with distributional diffusion models: a toy in the plane, and images.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

# None means "not given": what is given beats the file, even where it says what the default says.
Config = Annotated[
    str | None,
    typer.Option("--config", help="YAML file of options; toy_gmm and cifar10_dit ship."),
]
Preset = Annotated[
    str | None, typer.Option("--preset", help="paper (the original) or default (ours).")
]
Beta = Annotated[float | None, typer.Option("--beta", help="Exponent of the energy score.")]
Lam = Annotated[float | None, typer.Option("--lam", help="Weight of the repulsion, 0 to 1.")]
M = Annotated[int | None, typer.Option("--m", help="Draws of each example in a step.")]
WBias = Annotated[
    float | None, typer.Option("--w-bias", help="Bias of the sigmoid weight of times.")
]
Lr = Annotated[float | None, typer.Option("--lr", help="Learning rate.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Same seed, same result.")]
OutFolder = Annotated[str | None, typer.Option("--out", help="Folder for the results.")]
Wandb = Annotated[
    bool | None, typer.Option("--wandb/--no-wandb", help="Follow the run on Weights & Biases.")
]
Project = Annotated[str | None, typer.Option("--wandb-project")]
Name = Annotated[str | None, typer.Option("--wandb-name")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Progress = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress", " /--quiet", help="Progress bar; default in terminals."
    ),
]


@diffusion.command()
def toy(
    config: Config = None,
    preset: Preset = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Optimiser steps.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Points of a step.")] = None,
    beta: Beta = None,
    lam: Lam = None,
    m: M = None,
    w_bias: WBias = None,
    lr: Lr = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Of the sampler.")] = None,
    eval_samples: Annotated[
        int | None, typer.Option("--eval-samples", help="Points to draw and compare.")
    ] = None,
    device: Device = None,
    seed: Seed = None,
    out: OutFolder = None,
    wandb: Wandb = None,
    wandb_project: Project = None,
    wandb_name: Name = None,
    as_json: AsJson = False,
    progress: Progress = None,
) -> None:
    """Train on a mixture of two normals in the plane; write samples, MMD and curves."""
    given = {k: v for k, v in locals().items() if v is not None}
    for ours in ("config", "as_json", "progress"):
        given.pop(ours, None)
    _run_toy(given, config, as_json, progress)


@diffusion.command()
def images(
    config: Config = None,
    preset: Preset = None,
    data: Annotated[
        str | None, typer.Option("--data", help="cifar10, or digits (offline, 8 x 8).")
    ] = None,
    fake_data: Annotated[
        int | None, typer.Option("--fake-data", help="So many made-up images, to try it out.")
    ] = None,
    data_dir: Annotated[
        str | None,
        typer.Option("--data-dir", help="Folder with cifar-10-python.tar.gz, or its content."),
    ] = None,
    out: OutFolder = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the images.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Images of a step.")] = None,
    lr: Lr = None,
    weight_decay: Annotated[float | None, typer.Option("--weight-decay")] = None,
    beta: Beta = None,
    lam: Lam = None,
    m: M = None,
    w_bias: WBias = None,
    grad_clip: Annotated[
        float | None, typer.Option("--grad-clip", help="Largest gradient norm; 0: no limit.")
    ] = None,
    ckpt_every: Annotated[
        int | None, typer.Option("--ckpt-every", help="Epochs between saved models.")
    ] = None,
    device: Device = None,
    seed: Seed = None,
    image_size: Annotated[int | None, typer.Option("--image-size", help="Side in pixels.")] = None,
    patch_size: Annotated[int | None, typer.Option("--patch-size")] = None,
    embed_dim: Annotated[int | None, typer.Option("--embed-dim", help="Width of a token.")] = None,
    depth: Annotated[int | None, typer.Option("--depth", help="Transformer blocks.")] = None,
    heads: Annotated[int | None, typer.Option("--heads")] = None,
    time_embed: Annotated[
        int | None, typer.Option("--time-embed", help="Sinusoids of the time.")
    ] = None,
    mlp_ratio: Annotated[float | None, typer.Option("--mlp-ratio")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Threads that prepare batches.")
    ] = None,
    sample_batch: Annotated[
        int | None, typer.Option("--sample-batch", help="Images of samples.png; 0: none.")
    ] = None,
    sample_steps: Annotated[
        int | None, typer.Option("--sample-steps", help="Of the sampler.")
    ] = None,
    eps_churn: Annotated[
        float | None, typer.Option("--eps-churn", help="0 keeps a step's noise, 1 renews it.")
    ] = None,
    no_augment: Annotated[
        bool | None,
        typer.Option("--no-augment/--augment", help="Whether not to mirror and shift images."),
    ] = None,
    eval_every: Annotated[
        int | None, typer.Option("--eval-every", help="Epochs between evaluations; 0: none.")
    ] = None,
    eval_batch: Annotated[int | None, typer.Option("--eval-batch")] = None,
    eval_samples: Annotated[int | None, typer.Option("--eval-samples")] = None,
    fid_samples: Annotated[int | None, typer.Option("--fid-samples")] = None,
    mmd_samples: Annotated[int | None, typer.Option("--mmd-samples")] = None,
    mmd_sigma: Annotated[float | None, typer.Option("--mmd-sigma")] = None,
    inception_weights: Annotated[
        str | None,
        typer.Option("--inception-weights", help="TorchScript file; without it there is no FID."),
    ] = None,
    resume: Annotated[
        bool | None, typer.Option("--resume/--no-resume", help="Go on from a checkpoint in --out.")
    ] = None,
    wandb: Wandb = None,
    wandb_project: Project = None,
    wandb_name: Name = None,
    as_json: AsJson = False,
    progress: Progress = None,
) -> None:
    """Train a diffusion transformer on images; write samples, distances and checkpoints."""
    given = {k: v for k, v in locals().items() if v is not None}
    for ours in ("config", "as_json", "progress"):
        given.pop(ours, None)
    _run_images(given, config, as_json, progress)


def _run_toy(given: dict[str, Any], file: str | None, as_json: bool, progress: bool | None) -> None:
    from dataclasses import asdict

    from aetia.generation.diffusion.experiments.options import toy_experiment
    from aetia.generation.diffusion.experiments.toy import run_toy_experiment
    from aetia.report import check_writable, write_diffusion_run

    options = toy_experiment(given, file)
    out = check_writable(options.out)
    found = run_toy_experiment(options, progress=progress)
    facts = found.pop("facts")
    sentence = (
        f"MMD^2 (RBF, sigma 1) of {found['n_samples']:,} points drawn in {found['steps']} steps: "
        f"{found['mmd2_rbf_sigma1']:.2e}; of fresh points of the mixture: "
        f"{found['mmd2_rbf_sigma1_floor']:.1e}."
    )
    by_steps = {f"MMD^2 in {k} steps": v for k, v in found["mmd2_by_steps"].items()}
    report = write_diffusion_run(
        out,
        title="Distributional diffusion in the plane",
        source="a mixture of two normals",
        words=[sentence],
        numbers={**by_steps, "MMD^2 of fresh points": found["mmd2_rbf_sigma1_floor"]},
        pictures={
            "Drawn points": "gen.png",
            "Points of the mixture": "ref.png",
            "Training": "training_dynamics.png",
        },
        facts=facts,
        config=asdict(options),
    )
    _print(found | {"facts": facts}, [sentence, f"report: {report}"], as_json)


def _run_images(
    given: dict[str, Any], file: str | None, as_json: bool, progress: bool | None
) -> None:
    import warnings
    from dataclasses import asdict

    from aetia.cli.messages import echo_warnings
    from aetia.generation.diffusion.experiments.images import run_image_experiment
    from aetia.generation.diffusion.experiments.options import image_experiment
    from aetia.report import check_writable, write_diffusion_run

    options = image_experiment(given, file)
    out = check_writable(options.out)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        found = run_image_experiment(
            options, progress=progress, say=lambda line: typer.echo(line, err=True)
        )
    messages = echo_warnings(caught)
    facts, evaluation = found["facts"], found["evaluation"]
    words = _about_images(options, evaluation)
    names = {
        "Samples": "samples.png",
        "Training, by step": "train_dynamics.png",
        "Training, by epoch": "epoch_dynamics.png",
        "Evaluations": "eval_dynamics.png",
    }
    report = write_diffusion_run(
        out,
        title="Distributional diffusion of images",
        source=facts["data"],
        words=words,
        numbers={k: v for k, v in evaluation.items() if isinstance(v, (int, float))},
        pictures={caption: name for caption, name in names.items() if (out / name).is_file()},
        facts=facts,
        config=asdict(options),
        warnings=messages,
    )
    _print(found, [*words, f"report: {report}"], as_json)


def _about_images(options: Any, evaluation: dict[str, Any]) -> list[str]:
    if not evaluation:
        return ["New images were not compared with real ones: pass --eval-every."]
    words = [
        f"After epoch {evaluation['epoch']}: fd_pca64 {evaluation['fd_pca64']:.4g} (test images: "
        f"{evaluation['fd_pca64_floor']:.4g}), fd_randconv {evaluation['fd_randconv']:.4g} (test "
        f"images: {evaluation['fd_randconv_floor']:.4g}), drawn in {options.sample_steps} steps."
    ]
    if evaluation["fid"] is None:
        words.append(evaluation["fid_note"])
    else:
        words.append(f"FID {evaluation['fid']:.4g}, by the weights that were passed.")
    words.append(
        f"mmd has a bandwidth of {options.mmd_sigma:g} on pixels, where distances grow with the "
        "number of pixels and such a kernel sees little; mmd2_median does not have this problem."
    )
    return words


def _print(found: dict[str, Any], words: list[str], as_json: bool) -> None:
    import json
    import sys

    from aetia.files import plain_json

    if as_json:
        typer.echo(json.dumps(plain_json(found)))
    else:
        for line in words:
            typer.echo(line)
    sys.stdout.flush()
