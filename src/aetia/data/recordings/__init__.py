"""Time series: recordings of sensors, from the user's table to what a method computes on.

The way of a recording, in the order of the files:

1. ``rows``: the table is read, row by row, with the recording, time and regime of each row;
   ``time_steps`` turns times into numbers of steps.
2. ``stretches``: rows are sorted and broken into **stretches**, which have one recording, one
   regime, and a row for every step (rows that were left out are rows without a reading).
3. ``recording``: the stretches with the names of everything are the :class:`Recordings`, and know
   where every row of the table went. ``placing`` has the functions that make them.
4. ``seasonal``: the profile of a period is subtracted from each recording.
5. Stretches are cut, by the user into **windows** (``windows``: one array, stretches or pieces of
   them padded to one length; they may overlap), or by a method into **blocks** of its own.
6. ``split``: windows or blocks are split into training, validation and test parts.
7. ``scaling``: readings are scaled by mean and spread of each sensor in the training part.
"""

from aetia.data.recordings.placing import as_windows, place_rows
from aetia.data.recordings.recording import Places, Recordings
from aetia.data.recordings.scaling import SensorScaling
from aetia.data.recordings.seasonal import SeasonalProfile
from aetia.data.recordings.split import WindowSplit, split_windows
from aetia.data.recordings.stretches import Chain, Stretch, covered
from aetia.data.recordings.windows import Windows

__all__ = [
    "Chain",
    "Places",
    "Recordings",
    "SeasonalProfile",
    "SensorScaling",
    "Stretch",
    "WindowSplit",
    "Windows",
    "as_windows",
    "covered",
    "place_rows",
    "split_windows",
]
