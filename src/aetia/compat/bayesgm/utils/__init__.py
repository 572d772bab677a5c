"""Functions of ``bayesgm.utils``, under their names."""

from aetia.compat.bayesgm.utils.dose_response import get_ADRF
from aetia.compat.bayesgm.utils.files import parse_file, parse_file_triplet, save_data
from aetia.compat.bayesgm.utils.latent_dimensions import (
    estimate_latent_dims,
    get_SDR_dim,
    slice_y,
)
from aetia.compat.bayesgm.utils.pixel_masks import mnist_mask_indices

__all__ = [
    "estimate_latent_dims",
    "get_ADRF",
    "get_SDR_dim",
    "mnist_mask_indices",
    "parse_file",
    "parse_file_triplet",
    "save_data",
    "slice_y",
]
