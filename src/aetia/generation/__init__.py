"""Generative models: a table in, Draws out."""

from aetia.generation.bgm import BGM, MNISTBGM, ImageBGM

__all__ = ["BGM", "MNISTBGM", "ImageBGM"]
