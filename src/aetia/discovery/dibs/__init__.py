"""DiBS: differentiable Bayesian structure learning."""

from aetia.discovery.dibs.config import DiBSConfig
from aetia.discovery.dibs.estimator import DiBS
from aetia.discovery.dibs.schedules import Schedule

__all__ = ["DiBS", "DiBSConfig", "Schedule"]
