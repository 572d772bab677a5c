"""Experiments from configuration files: pre-train, infer, evaluate."""

from aetia.benchmark.experiment import run_experiment
from aetia.benchmark.experiment_config import ExperimentConfig, read_experiment
from aetia.benchmark.registry import EXPERIMENTS, Experiment, find_experiment
from aetia.benchmark.sensor_config import SensorData, SensorExperiment
from aetia.benchmark.sensor_experiment import label_free_pick, run_sensor_experiment

__all__ = [
    "EXPERIMENTS",
    "Experiment",
    "ExperimentConfig",
    "SensorData",
    "SensorExperiment",
    "find_experiment",
    "label_free_pick",
    "read_experiment",
    "run_experiment",
    "run_sensor_experiment",
]
