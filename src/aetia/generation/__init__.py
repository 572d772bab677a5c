"""Generative models: a table in, Draws out."""

from aetia.generation.bgm import BGM, MNISTBGM, ImageBGM
from aetia.generation.diffusion import DDDM

__all__ = ["BGM", "DDDM", "MNISTBGM", "ImageBGM"]
