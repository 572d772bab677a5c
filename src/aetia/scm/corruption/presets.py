"""Named conditions of benchmarks, from clean to hardly any information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aetia.scm.corruption.options import Corruption, Failures, Missing, Nonlinear, Outliers

__all__ = ["PRESETS", "Preset", "RegimeKind"]

RegimeKind = Literal["intervention", "distribution", "mechanism"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A condition: what the causal model goes through, and what the measurement does.

    Attributes:
        corruption: Options of the measurement.
        n_regimes: Regimes that the simulator makes inside the causal model; ``corrupt`` ignores
            them.
        regime_kind: What distinguishes them.
        about: One line.
    """

    corruption: Corruption
    n_regimes: int = 1
    regime_kind: RegimeKind = "intervention"
    about: str


def _lost(kind: str, rate: float) -> Corruption:
    return Corruption(missing=Missing(kind=kind, rate=rate))  # pyright: ignore[reportArgumentType]


PRESETS: dict[str, Preset] = {
    "clean": Preset(corruption=Corruption(), about="nothing is corrupted"),
    **{
        f"noise_{s}": Preset(
            corruption=Corruption(noise=s), about=f"white noise of {s} standard deviations"
        )
        for s in (0.1, 0.3, 0.5)
    },
    **{
        f"mcar_{p}": Preset(
            corruption=_lost("mcar", p / 100), about=f"{p} % of cells lost by chance"
        )
        for p in (20, 30, 40)
    },
    **{
        f"mnar_self_{p}": Preset(
            corruption=_lost("mnar-self", p / 100),
            about=f"{p} % of cells lost, high values more often",
        )
        for p in (20, 40)
    },
    "mnar_threshold_20": Preset(
        corruption=_lost("mnar-threshold", 0.2), about="the highest 20 % of each sensor are lost"
    ),
    "mnar_structural_20": Preset(
        corruption=_lost("mnar-structural", 0.2),
        about="20 % of cells lost where the causes of a sensor say so",
    ),
    "bias_additive": Preset(
        corruption=Corruption(offset=0.5), about="an offset of up to 0.5 standard deviations"
    ),
    "bias_gain": Preset(corruption=Corruption(gain=(0.7, 1.3)), about="a gain from 0.7 to 1.3"),
    "regimes_3": Preset(
        corruption=Corruption(),
        n_regimes=3,
        about="3 regimes by interventions in the causal model; clean readings",
    ),
    "regimes_5": Preset(
        corruption=Corruption(),
        n_regimes=5,
        regime_kind="distribution",
        about="5 regimes by shifts of means and scales in the causal model; clean readings",
    ),
    "mild": Preset(
        corruption=Corruption(noise=0.1, missing=Missing(kind="mcar", rate=0.1)),
        about="noise 0.1, 10 % of cells lost by chance",
    ),
    "moderate": Preset(
        corruption=Corruption(
            offset=0.2,
            noise=0.2,
            heteroscedastic=True,
            missing=Missing(kind="mar", rate=0.2),
        ),
        n_regimes=2,
        about="noise 0.2 that grows with the value, offsets, 20 % lost by two other sensors",
    ),
    "severe": Preset(
        corruption=Corruption(
            gain=(0.7, 1.3),
            noise=0.3,
            heteroscedastic=True,
            outliers=Outliers(rate=0.05),
            drift=0.02,
            missing=Missing(kind="mnar-self", rate=0.3),
        ),
        n_regimes=3,
        about="noise 0.3 that grows with the value, gains, outliers, drift, 30 % lost by value",
    ),
    "extreme": Preset(
        corruption=Corruption(
            nonlinear=Nonlinear(degree=3, size=0.2),
            noise=0.5,
            heteroscedastic=True,
            outliers=Outliers(rate=0.1, size=10.0),
            drift=0.05,
            missing=Missing(kind="mnar-structural", rate=0.4),
        ),
        n_regimes=5,
        about="noise 0.5 that grows with the value, curves, many outliers, 40 % lost by causes",
    ),
    "compound_mnar_bias": Preset(
        corruption=Corruption(gain=(0.8, 1.2), missing=Missing(kind="mnar-structural", rate=0.25)),
        about="gains from 0.8 to 1.2, 25 % lost by causes",
    ),
    "compound_mnar_noise_bias": Preset(
        corruption=Corruption(offset=0.3, noise=0.2, missing=Missing(kind="mnar-self", rate=0.2)),
        about="noise 0.2, offsets of up to 0.3, 20 % lost by value",
    ),
    "compound_full": Preset(
        corruption=Corruption(
            gain=(0.85, 1.15),
            noise=0.3,
            heteroscedastic=True,
            outliers=Outliers(rate=0.03),
            drift=0.01,
            missing=Missing(kind="mnar-structural", rate=0.25),
        ),
        n_regimes=3,
        about="noise 0.3 that grows with the value, gains, outliers, drift, 25 % lost by causes",
    ),
    "sensor_failure": Preset(
        corruption=Corruption(
            gain=(0.9, 1.1),
            noise=0.1,
            heteroscedastic=True,
            missing=Missing(kind="mnar-threshold", rate=0.25),
        ),
        n_regimes=2,
        about="saturating sensors: the highest 25 % are lost; noise 0.1, gains from 0.9 to 1.1",
    ),
    "stuck_10": Preset(
        corruption=Corruption(stuck=Failures(rate=0.1)),
        about="sensors repeat their last reading 10 % of the time, unmarked",
    ),
    "dead_10": Preset(
        corruption=Corruption(dead=Failures(rate=0.1)),
        about="sensors give no reading 10 % of the time, in spells",
    ),
    **{
        f"drift_{r}": Preset(
            corruption=Corruption(drift=r), about=f"a slow drift with innovations of {r}"
        )
        for r in (0.05, 0.15)
    },
}
"""Presets by name; ``corrupt(recording, name)`` applies one."""
