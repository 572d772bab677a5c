"""Tables in: datasets with names, checks at the boundary, public data sets."""

from aetia.data.cifar import CIFAR10_NAMES, load_cifar10
from aetia.data.dataset import Dataset, Kind
from aetia.data.encoding import Encoding
from aetia.data.images import PIXEL_MASKS, Images, load_digits, load_mnist, pixel_mask
from aetia.data.public import PUBLIC_DATA, PublicData, cache_folder, load_public
from aetia.data.rows import Rows, read_rows
from aetia.data.scaling import (
    LARGEST_STANDARDISED,
    Scaled,
    Scaling,
    scale_columns,
    standardise_rows,
)
from aetia.data.study import EffectTruth, Study
from aetia.data.study_readers import read_acic2018, read_ihdp, read_twins
from aetia.data.tables import as_dataset, read_frame, text_columns
from aetia.data.truth import Labelled, Truth

__all__ = [
    "CIFAR10_NAMES",
    "LARGEST_STANDARDISED",
    "PIXEL_MASKS",
    "PUBLIC_DATA",
    "Dataset",
    "EffectTruth",
    "Encoding",
    "Images",
    "Kind",
    "Labelled",
    "PublicData",
    "Rows",
    "Scaled",
    "Scaling",
    "Study",
    "Truth",
    "as_dataset",
    "cache_folder",
    "load_cifar10",
    "load_digits",
    "load_mnist",
    "load_public",
    "pixel_mask",
    "read_acic2018",
    "read_frame",
    "read_ihdp",
    "read_rows",
    "read_twins",
    "scale_columns",
    "standardise_rows",
    "text_columns",
]
