"""What pre-trained methods share: pre-training, weights with cards, familiarity, the estimator."""

from aetia.discovery.amortised.familiarity import Familiarity
from aetia.discovery.amortised.pretrained import Pretrained, shipped_weights
from aetia.discovery.amortised.pretraining import (
    PretrainingData,
    build_network,
    pretrain,
    pretrain_network,
)

__all__ = [
    "Familiarity",
    "Pretrained",
    "PretrainingData",
    "build_network",
    "pretrain",
    "pretrain_network",
    "shipped_weights",
]
