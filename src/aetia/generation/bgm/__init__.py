"""BGM: Bayesian generative modelling of tables and images (Liu & Wong, 2026)."""

from aetia.generation.bgm.config import BGMConfig, ImageBGMConfig
from aetia.generation.bgm.estimator import BGM
from aetia.generation.bgm.image_estimator import MNISTBGM, ImageBGM

__all__ = ["BGM", "MNISTBGM", "BGMConfig", "ImageBGM", "ImageBGMConfig"]
