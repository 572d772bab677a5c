"""BGM for tables and for images of 28 x 28 pixels."""

from aetia.compat.bayesgm.models.bgm.base import BGM
from aetia.compat.bayesgm.models.bgm.mnist import MNISTBGM

__all__ = ["BGM", "MNISTBGM"]
