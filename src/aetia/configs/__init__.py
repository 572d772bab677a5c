"""Experiment files: Hydra groups data, model, trainer, inference, logger."""
