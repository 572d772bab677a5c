"""Benchmark studies with known effects, read from files that users have at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import expit

from aetia.data.study import EffectTruth, Study
from aetia.errors import InputError
from aetia.randomness import RandomState, seed_sequence

__all__ = ["read_acic2018", "read_ihdp", "read_twins"]


def read_ihdp(path: str | Path) -> Study:
    """Read one realisation of IHDP (Hill, 2011), as distributed with CEVAE.

    Args:
        path: CSV without a header: treatment, factual and counterfactual outcome, the two mean
            outcomes, 25 covariates.

    Returns:
        747 units; unit effects are differences of the mean outcomes.

    Raises:
        InputError: If the file is missing or has another shape.
    """
    path = _existing(path)
    values = np.loadtxt(path, delimiter=",", ndmin=2)
    if values.shape[1] != 30:
        raise InputError(
            f"{str(path)!r} has {values.shape[1]} columns; IHDP has 30: treatment, y_factual, "
            "y_cfactual, mu0, mu1 and 25 covariates."
        )
    truth = _of_arms(values[:, 3], values[:, 4], f"IHDP ({path.name})")
    return Study(values[:, 0], values[:, 1], values[:, 5:], truth)


def read_acic2018(folder: str | Path, ufid: str) -> Study:
    """Read one setting of the challenge of ACIC 2018 (Shimoni et al., 2018).

    Args:
        folder: Folder with ``x.csv``, ``scaling/factuals`` and ``scaling/counterfactuals``.
        ufid: Name of the setting.

    Returns:
        The units of the setting, in the order of its file; 177 covariates.

    Raises:
        InputError: If a file is missing, or units are not in ``x.csv``.
    """
    import pandas as pd

    folder = Path(folder)
    covariates = pd.read_csv(_existing(folder / "x.csv"), index_col="sample_id")
    factual = pd.read_csv(
        _existing(folder / "scaling" / "factuals" / f"{ufid}.csv"), index_col="sample_id"
    )
    arms = pd.read_csv(
        _existing(folder / "scaling" / "counterfactuals" / f"{ufid}_cf.csv"), index_col="sample_id"
    )
    lost = factual.index.difference(covariates.index).union(factual.index.difference(arms.index))
    if len(lost):
        raise InputError(
            f"{len(lost)} units of setting {ufid!r} are in no other file, the first is {lost[0]!r}."
        )
    arms = arms.loc[factual.index]
    return Study(
        factual["z"].to_numpy(float),
        factual["y"].to_numpy(float),
        covariates.loc[factual.index].to_numpy(float),
        _of_arms(arms["y0"].to_numpy(float), arms["y1"].to_numpy(float), f"ACIC 2018 ({ufid})"),
    )


def read_twins(folder: str | Path, *, random_state: RandomState = 0) -> Study:
    r"""Read the twins of Almond, Chay & Lee (2005) with a simulated outcome (CausalEGM).

    Treatment is the weight at birth in kg, of pairs whose heavier twin weighs less than 2 kg;

    .. math:: y = -2 \sigma(3 t) + v' \gamma + \epsilon, \quad \gamma \sim N(0, 0.025^2), \quad
              \epsilon \sim N(0, 0.25^2)

    Args:
        folder: Folder with ``twin_pairs_X_3years_samesex.csv`` and the same with T.
        random_state: Source of the outcome; a ``RandomState`` gives the original sampler's numbers.

    Returns:
        Both twins of every complete pair: first all lighter ones.

    Raises:
        InputError: If a file is missing.
    """
    import pandas as pd

    folder = Path(folder)
    pairs = pd.read_csv(_existing(folder / "twin_pairs_X_3years_samesex.csv"))
    pairs = pairs.iloc[:, 2:].drop(columns=["infant_id_0", "infant_id_1"])
    weights = pd.read_csv(_existing(folder / "twin_pairs_T_3years_samesex.csv")).iloc[:, 1:]
    keep = pairs.notna().all(axis=1) & (weights["dbirwt_1"] < 2000)
    v = np.tile(pairs[keep].to_numpy(float), (2, 1))
    t = weights[keep].iloc[:, :2].to_numpy(float).T.ravel() / 1000
    if isinstance(random_state, np.random.RandomState):
        rng: np.random.Generator | np.random.RandomState = random_state
    else:
        rng = np.random.default_rng(seed_sequence(random_state))
    noise = rng.normal(0.0, 0.25, len(v))
    own = v @ rng.normal(0.0, 0.025, v.shape[1])

    def curve(doses: np.ndarray) -> np.ndarray:
        return -2 * expit(3 * doses)

    truth = EffectTruth(
        unit_means=lambda doses: own[:, None] + curve(doses),
        population_means=lambda doses: own.mean() + curve(doses),
        name="twins",
    )
    return Study(t, curve(t) + own + noise, v, truth)


def _of_arms(untreated: np.ndarray, treated: np.ndarray, name: str) -> EffectTruth:
    def unit_means(doses: np.ndarray) -> np.ndarray:
        return untreated[:, None] + doses * (treated - untreated)[:, None]

    return EffectTruth(
        unit_means=unit_means, population_means=lambda doses: unit_means(doses).mean(0), name=name
    )


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no such file: {str(path)!r}.")
    return path
