"""Tables in: datasets and time series with names, checks at the boundary, public data sets."""

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
from aetia.data.seasonal import SeasonalProfile
from aetia.data.stretches import Chain
from aetia.data.study import EffectTruth, Study
from aetia.data.study_readers import read_acic2018, read_ihdp, read_twins
from aetia.data.tables import as_dataset, read_frame, text_columns
from aetia.data.truth import Labelled, Truth
from aetia.data.window_scaling import WindowScaling
from aetia.data.window_split import WindowSplit, split_windows
from aetia.data.window_table import Placed, as_windows, place_rows
from aetia.data.windows import Windows

__all__ = [
    "CIFAR10_NAMES",
    "LARGEST_STANDARDISED",
    "PIXEL_MASKS",
    "PUBLIC_DATA",
    "Chain",
    "Dataset",
    "EffectTruth",
    "Encoding",
    "Images",
    "Kind",
    "Labelled",
    "Placed",
    "PublicData",
    "Rows",
    "Scaled",
    "Scaling",
    "SeasonalProfile",
    "Study",
    "Truth",
    "WindowScaling",
    "WindowSplit",
    "Windows",
    "as_dataset",
    "as_windows",
    "cache_folder",
    "load_cifar10",
    "load_digits",
    "load_mnist",
    "load_public",
    "pixel_mask",
    "place_rows",
    "read_acic2018",
    "read_frame",
    "read_ihdp",
    "read_rows",
    "read_twins",
    "scale_columns",
    "split_windows",
    "standardise_rows",
    "text_columns",
]
