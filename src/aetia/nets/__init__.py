"""Network blocks that methods share."""

from aetia.nets.axial import AxialBlock, AxialEncoder
from aetia.nets.plackett_luce import (
    log_prob_of_orders,
    precedence_probabilities,
    sample_orders,
)
from aetia.nets.seeding import seeded
from aetia.nets.sinkhorn import gumbel_sinkhorn, log_sinkhorn
from aetia.nets.summary import CrossAttentionSummary

__all__ = [
    "AxialBlock",
    "AxialEncoder",
    "CrossAttentionSummary",
    "gumbel_sinkhorn",
    "log_prob_of_orders",
    "log_sinkhorn",
    "precedence_probabilities",
    "sample_orders",
    "seeded",
]
