"""Network blocks that methods share."""

from aetia.nets.axial import AxialBlock, AxialEncoder
from aetia.nets.convolutional import ImageDiscriminator, ImageEncoder, ImageGenerator
from aetia.nets.discriminator import Discriminator, gradient_penalty, tanh_score
from aetia.nets.dit import DiT
from aetia.nets.heads import (
    NormalHead,
    normal_log_prob,
    scalar_head,
)
from aetia.nets.perceptron import (
    Dense,
    Layers,
    Perceptron,
    flatten_layers,
    perceptron,
    unflatten_layers,
)
from aetia.nets.plackett_luce import (
    log_prob_of_orders,
    precedence_probabilities,
    sample_orders,
)
from aetia.nets.seeding import seeded
from aetia.nets.sinkhorn import gumbel_sinkhorn, log_sinkhorn
from aetia.nets.summary import CrossAttentionSummary
from aetia.nets.variational import VariationalPerceptron
from aetia.nets.wasserstein import wasserstein_loss

__all__ = [
    "AxialBlock",
    "AxialEncoder",
    "CrossAttentionSummary",
    "Dense",
    "DiT",
    "Discriminator",
    "ImageDiscriminator",
    "ImageEncoder",
    "ImageGenerator",
    "Layers",
    "NormalHead",
    "Perceptron",
    "VariationalPerceptron",
    "flatten_layers",
    "gradient_penalty",
    "gumbel_sinkhorn",
    "log_prob_of_orders",
    "log_sinkhorn",
    "normal_log_prob",
    "perceptron",
    "precedence_probabilities",
    "sample_orders",
    "scalar_head",
    "seeded",
    "tanh_score",
    "unflatten_layers",
    "wasserstein_loss",
]
