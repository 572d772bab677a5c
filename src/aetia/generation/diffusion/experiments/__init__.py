"""The two experiments of the command line: a mixture in the plane, and images."""

from aetia.generation.diffusion.experiments.images import load_images_model, run_image_experiment
from aetia.generation.diffusion.experiments.options import (
    ImageExperiment,
    ToyExperiment,
    image_experiment,
    toy_experiment,
)
from aetia.generation.diffusion.experiments.toy import load_toy, run_toy_experiment

__all__ = [
    "ImageExperiment",
    "ToyExperiment",
    "image_experiment",
    "load_images_model",
    "load_toy",
    "run_image_experiment",
    "run_toy_experiment",
    "toy_experiment",
]
