"""The exact posterior over DAGs of up to 25 variables: enumeration, or sums over orders."""

from aetia.discovery.exact.config import ExactConfig
from aetia.discovery.exact.estimator import ExactPosterior

__all__ = ["ExactConfig", "ExactPosterior"]
