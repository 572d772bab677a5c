"""The neural back end of RC-GNN: gated networks behind an evidence lower bound."""

from aetia.discovery.rcgnn.neural.as_published import PublishedOptions, fit_as_published
from aetia.discovery.rcgnn.neural.fit import NEURAL_SIGNALS, NeuralFit, fit_neural
from aetia.discovery.rcgnn.neural.options import NeuralOptions
from aetia.discovery.rcgnn.neural.resamples import fit_resamples

__all__ = [
    "NEURAL_SIGNALS",
    "NeuralFit",
    "NeuralOptions",
    "PublishedOptions",
    "fit_as_published",
    "fit_neural",
    "fit_resamples",
]
