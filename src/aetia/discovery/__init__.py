"""From data to a posterior over causal graphs."""

from aetia.discovery.dibs import DiBS, DiBSConfig, Schedule
from aetia.discovery.exact import ExactConfig, ExactPosterior

__all__ = ["METHODS", "DiBS", "DiBSConfig", "ExactConfig", "ExactPosterior", "Schedule"]

METHODS: dict[str, tuple[type[DiBS] | type[ExactPosterior], type[DiBSConfig] | type[ExactConfig]]]
METHODS = {"dibs": (DiBS, DiBSConfig), "exact": (ExactPosterior, ExactConfig)}
"""Name, as in ``--method``, to estimator and its options."""
