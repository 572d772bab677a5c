"""Experiments from configuration files: pre-train, infer, evaluate."""

from aetia.benchmark.experiment import run_experiment
from aetia.benchmark.experiment_config import ExperimentConfig, read_experiment

__all__ = ["ExperimentConfig", "read_experiment", "run_experiment"]
