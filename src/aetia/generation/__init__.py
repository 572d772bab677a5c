"""Generative models: a table in, Draws out."""

from aetia.generation.bgm import BGM, MNISTBGM, BGMConfig, ImageBGM
from aetia.generation.diffusion import DDDM, DDDMConfig, ImageDDDM

__all__ = ["BGM", "DDDM", "METHODS", "MNISTBGM", "ImageBGM", "ImageDDDM"]

METHODS: dict[str, tuple[type, type]] = {"bgm": (BGM, BGMConfig), "dddm": (DDDM, DDDMConfig)}
"""Name to estimator and its options, for tables."""
