"""Tables in: datasets and time series with names, checks at the boundary, public data sets.

``recordings/`` holds what is of time series alone.
"""

import warnings
from typing import Any

from aetia.data.cifar import CIFAR10_NAMES, load_cifar10
from aetia.data.dataset import Dataset, Kind
from aetia.data.encoding import Encoding
from aetia.data.images import PIXEL_MASKS, Images, load_digits, load_mnist, pixel_mask
from aetia.data.public import PUBLIC_DATA, PublicData, cache_folder, load_public
from aetia.data.recordings import (
    Chain,
    Places,
    Recordings,
    SeasonalProfile,
    SensorScaling,
    Stretch,
    Windows,
    WindowSplit,
    as_windows,
    covered,
    place_rows,
    split_windows,
)
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
    "Chain",
    "Dataset",
    "EffectTruth",
    "Encoding",
    "Images",
    "Kind",
    "Labelled",
    "Places",
    "PublicData",
    "Recordings",
    "Rows",
    "Scaled",
    "Scaling",
    "SeasonalProfile",
    "SensorScaling",
    "Stretch",
    "Study",
    "Truth",
    "WindowSplit",
    "Windows",
    "as_dataset",
    "as_windows",
    "cache_folder",
    "covered",
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

_RENAMED = {"Placed": "Recordings", "WindowScaling": "SensorScaling"}


def __getattr__(name: str) -> Any:
    """Answer to the earlier names for one release."""
    if name not in _RENAMED:
        raise AttributeError(f"module 'aetia.data' has no attribute {name!r}")
    warnings.warn(
        f"aetia.data.{name} is now aetia.data.{_RENAMED[name]}; the old name ends with the next "
        "release.",
        FutureWarning,
        stacklevel=2,
    )
    return globals()[_RENAMED[name]]
