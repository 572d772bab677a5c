"""What :mod:`aetia.compat` may use of the inside of BGM: these names and no others.

The import contract refuses any other way in, so everything else here may be reorganised freely.
Users have no need of this module; what is theirs is in ``aetia.generation.bgm``.
"""

from aetia.generation.bgm.building import Config, build_networks, likelihood_of
from aetia.generation.bgm.config import BGMConfig, ImageBGMConfig
from aetia.generation.bgm.egm import RECONSTRUCTION, Adversaries
from aetia.generation.bgm.fitting import ModelRows, RowLatents, point_phases
from aetia.generation.bgm.latent_posterior import RowPosterior
from aetia.generation.bgm.likelihood import ColumnLikelihood
from aetia.generation.bgm.model import FittedModel
from aetia.generation.bgm.networks import ImageCritic, TableCritic
from aetia.generation.bgm.table import ColumnScales, scales_of

__all__ = [
    "RECONSTRUCTION",
    "Adversaries",
    "BGMConfig",
    "ColumnLikelihood",
    "ColumnScales",
    "Config",
    "FittedModel",
    "ImageBGMConfig",
    "ImageCritic",
    "ModelRows",
    "RowLatents",
    "RowPosterior",
    "TableCritic",
    "build_networks",
    "likelihood_of",
    "point_phases",
    "scales_of",
]
