"""From true values to readings: :func:`corrupt`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from aetia.data import Windows, covered
from aetia.errors import InputError
from aetia.options import nearest
from aetia.randomness import RandomState, seed_sequence
from aetia.scm.corruption.failures import failing, held
from aetia.scm.corruption.missingness import lost_cells, mar_drivers
from aetia.scm.corruption.options import Corruption, Failures
from aetia.scm.corruption.presets import PRESETS
from aetia.scm.corruption.sensor_errors import (
    curve_coefficients,
    curved,
    drift_path,
    noise,
    outliers,
)
from aetia.scm.corruption.streams import Streams

__all__ = ["Corrupted", "corrupt"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Corrupted:
    """A recording as its sensors saw it, and everything that is true about it.

    Attributes:
        data: The readings; NaN where lost.
        clean: True values; NaN where nothing was recorded to begin with.
        observed: True where a reading is left, as in ``data``.
        parameters: What was drawn. For each sensor, in the order of ``data.names``: ``mean`` and
            ``unit`` (standard deviation) of its true values, ``gain``, ``offset`` and
            ``curve`` [powers, d] in its own units, ``driver`` (of losses at random). For each
            cell: ``drift`` in the sensor's units, and masks ``outlier``, ``stuck``, ``missing``
            and ``dead``. Effects that were not asked for are not in it.
        corruption: The options.
        seed: Entropy of the random numbers.
    """

    data: Windows
    clean: Float[np.ndarray, "n time d"]
    observed: Bool[np.ndarray, "n time d"]
    parameters: dict[str, np.ndarray]
    corruption: Corruption
    seed: int


def corrupt(
    recording: Windows,
    corruption: Corruption | str,
    *,
    graph: Bool[np.ndarray, "d d"] | None = None,
    random_state: RandomState = None,
) -> Corrupted:
    """Corrupt a recording once, each reading a single time; cut it into windows afterwards.

    Response (gain, offset, curve), noise, outliers, drift, stuck sensors, losses and dead sensors
    follow in this order. Magnitudes are in units of the standard deviation of each sensor's true
    values, so the unit of a sensor does not matter. Drift and failures run over a recording
    without a break. A regime acts inside a causal model, which the simulator does: here the number
    of regimes of a preset has no effect.

    Args:
        recording: True values, not cut or cut without overlap.
        corruption: Options, or the name of a preset.
        graph: ``graph[i, j]`` for i -> j at lag 0 or 1, the summary graph. Losses of the kind
            ``mnar-structural`` follow the causes of a sensor, now and a step before; without a
            graph, or causes, its own value.
        random_state: Seed. A sensor's errors depend on the seed, its name and the effect only.

    Returns:
        The readings, with the true values and what was drawn.

    Raises:
        InputError: If windows overlap, or the graph does not fit.

    Example:
        >>> from aetia.data import as_windows
        >>> truth = as_windows(np.random.default_rng(0).normal(size=(200, 3)))
        >>> readings = corrupt(truth, "mcar_40", random_state=0)
        >>> readings.data.cut(20).values.shape
        (10, 20, 3)
    """
    options = _options(corruption)
    _check_no_overlap(recording)
    if graph is not None:
        graph = np.asarray(graph, dtype=bool)
        if graph.shape != (recording.d, recording.d):
            raise InputError(f"graph is {graph.shape}, the recording has {recording.d} sensors.")
        graph = graph & ~np.eye(recording.d, dtype=bool)
    seeds = seed_sequence(random_state)
    streams = Streams(seeds)
    names = recording.names
    clean = np.where(recording.observed, recording.values, np.nan)
    mean, unit = _moments(clean, names)
    z = (clean - mean) / unit
    errors, drawn = _errors(options, recording, z, streams)
    gain = drawn.get("gain", np.ones(recording.d))
    values = clean * gain + errors * unit
    parameters = {"mean": mean, "unit": unit} | drawn
    for name in ("offset", "curve", "drift"):
        if name in parameters:
            parameters[name] = parameters[name] * unit
    if options.stuck is not None:
        parameters["stuck"] = _spells("stuck", options.stuck, recording, streams)
        values = _hold(recording, values, parameters["stuck"])
    lost = np.zeros(clean.shape, dtype=bool)
    if options.missing is not None:
        readings = (values - mean) / unit
        lost = lost_cells(options.missing, z, readings, names, graph, streams)
        parameters["missing"] = lost
        if options.missing.kind == "mar":
            drivers = np.zeros(recording.d, dtype=bool)
            drivers[list(mar_drivers(names, streams))] = True
            parameters["driver"] = drivers
    if options.dead is not None:
        parameters["dead"] = _spells("dead", options.dead, recording, streams)
        lost = lost | parameters["dead"]
    observed = recording.observed & ~lost
    data = replace(recording, values=np.where(observed, values, np.nan), observed=observed)
    return Corrupted(
        data=data,
        clean=clean,
        observed=observed,
        parameters=parameters,
        corruption=options,
        seed=int(seeds.entropy),  # pyright: ignore[reportArgumentType]
    )


def _options(corruption: Corruption | str) -> Corruption:
    if isinstance(corruption, str):
        if corruption not in PRESETS:
            raise InputError(
                f"no preset {corruption!r}.{nearest(corruption, list(PRESETS))} "
                f"Presets: {', '.join(PRESETS)}."
            )
        return PRESETS[corruption].corruption
    return corruption


def _check_no_overlap(recording: Windows) -> None:
    ends = recording.start + covered(recording.observed)
    order = np.lexsort((recording.start, recording.series))
    for i, j in zip(order[:-1].tolist(), order[1:].tolist(), strict=True):
        if recording.series[i] == recording.series[j] and recording.start[j] < ends[i]:
            raise InputError(
                f"windows {i} and {j} of recording {recording.series_names[recording.series[i]]!r} "
                "overlap: their common readings would be corrupted twice, with different errors. "
                "Corrupt the recording, then .cut() it into windows."
            )


def _moments(clean: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    mean, unit = np.zeros(len(names)), np.ones(len(names))
    for j, name in enumerate(names):
        cells = clean[:, :, j][~np.isnan(clean[:, :, j])]
        if not len(cells):
            raise InputError(f"sensor {name!r} has no observed cell; drop it.")
        mean[j], unit[j] = cells.mean(), cells.std()
        if not unit[j] > 1e-12 * np.abs(cells).max():
            raise InputError(
                f"sensor {name!r} is constant ({cells[0]:g}): errors are in units of its spread, "
                "and it has none. Drop it."
            )
    return mean, unit


def _errors(
    options: Corruption, recording: Windows, z: np.ndarray, streams: Streams
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Sum the errors of all readings, in standard deviations, and list what was drawn."""
    errors = np.zeros_like(z)
    drawn: dict[str, list[np.ndarray | float]] = {}

    def keep(name: str, value: np.ndarray | float) -> None:
        drawn.setdefault(name, []).append(value)

    for j, name in enumerate(recording.names):
        if options.gain is not None:
            keep("gain", float(streams.of("gain", name).uniform(*options.gain)))
        if options.offset:
            offset = options.offset * float(streams.of("offset", name).uniform(-1.0, 1.0))
            keep("offset", offset)
            errors[:, :, j] += offset
        if options.nonlinear is not None:
            curve = curve_coefficients(options.nonlinear, streams.of("nonlinear", name))
            keep("curve", curve)
            errors[:, :, j] += curved(z[:, :, j], curve)
        if options.noise:
            errors[:, :, j] += noise(
                z[:, :, j],
                options.noise,
                streams.of("noise", name),
                heteroscedastic=options.heteroscedastic,
            )
        if options.outliers is not None:
            far, hit = outliers(z.shape[:2], options.outliers, streams.of("outliers", name))
            keep("outlier", hit)
            errors[:, :, j] += far
        if options.drift:
            drift = _over_time(
                recording,
                [
                    drift_path(n, options.drift, streams.of("drift", name, label))
                    for label, n in _spans(recording)
                ],
            )
            keep("drift", drift)
            errors[:, :, j] += drift
    return errors, {name: np.stack(list(map(np.asarray, v)), -1) for name, v in drawn.items()}


def _spans(recording: Windows) -> list[tuple[str, int]]:
    """Label and number of steps of every recording, in the order of their codes."""
    spans = np.zeros(len(recording.series_names), dtype=int)
    np.maximum.at(spans, recording.series, recording.start + recording.length)
    return list(zip(recording.series_names, spans.tolist(), strict=True))


def _over_time(recording: Windows, paths: list[np.ndarray]) -> np.ndarray:
    """Lay the paths of the recordings, by step, into the windows."""
    out = np.zeros((recording.n, recording.length), dtype=paths[0].dtype)
    for i in range(recording.n):
        start = int(recording.start[i])
        out[i] = paths[int(recording.series[i])][start : start + recording.length]
    return out


def _spells(
    effect: str, options: Failures, recording: Windows, streams: Streams
) -> Bool[np.ndarray, "n time d"]:
    spans = _spans(recording)
    columns = [
        _over_time(
            recording,
            [failing(n, options, streams.of(effect, name, label)) for label, n in spans],
        )
        for name in recording.names
    ]
    return np.stack(columns, -1) & recording.observed


def _hold(recording: Windows, values: np.ndarray, stuck: np.ndarray) -> np.ndarray:
    """Repeat readings through the spells of each sensor and recording."""
    out = values.copy()
    for series, (_, n_steps) in enumerate(_spans(recording)):
        mine = np.flatnonzero(recording.series == series)
        steps = recording.start[mine][:, None] + np.arange(recording.length)
        for j in range(recording.d):
            line, fails = np.full(n_steps, np.nan), np.zeros(n_steps, dtype=bool)
            seen = ~np.isnan(values[mine, :, j])
            line[steps[seen]] = values[mine, :, j][seen]
            fails[steps[seen]] = stuck[mine, :, j][seen]
            after = held(line, fails)
            block = values[mine, :, j].copy()
            block[seen] = after[steps[seen]]
            out[mine, :, j] = block
    return out
