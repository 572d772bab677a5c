"""The linear back end: graphs of clean states, from moments without the sensors' noise."""

from aetia.discovery.rcgnn.linear.run import fit_linear

__all__ = ["fit_linear"]
