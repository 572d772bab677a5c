"""Benchmark files: tiny copies of their layouts, and what happens to wrong ones."""

import numpy as np
import pytest

from aetia.data import read_acic2018, read_ihdp, read_twins
from aetia.errors import InputError


def test_ihdp(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 30))
    values[:, 0] = [0, 1, 0, 1, 1, 0]
    path = tmp_path / "ihdp_npci_1.csv"
    np.savetxt(path, values, delimiter=",")
    study = read_ihdp(path)
    np.testing.assert_allclose(study.outcome, values[:, 1])
    np.testing.assert_allclose(study.covariates, values[:, 5:])
    np.testing.assert_allclose(study.truth.unit_effects(), values[:, 4] - values[:, 3])
    np.testing.assert_allclose(study.truth.average_effect(), (values[:, 4] - values[:, 3]).mean())
    np.savetxt(path, values[:, :29], delimiter=",")
    with pytest.raises(InputError, match="has 29 columns; IHDP has 30"):
        read_ihdp(path)
    with pytest.raises(InputError, match="no such file"):
        read_ihdp(tmp_path / "other.csv")


def write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(",".join(map(str, r)) for r in rows)]) + "\n")


def test_acic_joins_by_unit(tmp_path):
    write(tmp_path / "x.csv", "sample_id,a,b", [(1, 10, 11), (2, 20, 21), (3, 30, 31)])
    write(tmp_path / "scaling/factuals/u.csv", "sample_id,z,y", [(3, 1, 7.5), (1, 0, 2.5)])
    write(
        tmp_path / "scaling/counterfactuals/u_cf.csv",
        "sample_id,y0,y1",
        [(1, 2.5, 4.0), (3, 7.0, 7.5)],
    )
    study = read_acic2018(tmp_path, "u")
    np.testing.assert_array_equal(study.covariates, [[30, 31], [10, 11]])
    np.testing.assert_array_equal(study.treatment, [1, 0])
    np.testing.assert_array_equal(study.outcome, [7.5, 2.5])
    np.testing.assert_allclose(study.truth.unit_effects(), [0.5, 1.5])
    write(tmp_path / "scaling/factuals/u.csv", "sample_id,z,y", [(9, 1, 7.5), (1, 0, 2.5)])
    with pytest.raises(InputError, match="1 units of setting 'u' are in no other file"):
        read_acic2018(tmp_path, "u")


def test_twins_keep_complete_light_pairs(tmp_path):
    write(
        tmp_path / "twin_pairs_X_3years_samesex.csv",
        "i,j,infant_id_0,infant_id_1,a,b",
        [(0, 0, 5, 6, 1, 2), (1, 1, 7, 8, "", 4), (2, 2, 9, 10, 5, 6), (3, 3, 1, 2, 7, 8)],
    )
    write(
        tmp_path / "twin_pairs_T_3years_samesex.csv",
        "i,dbirwt_0,dbirwt_1",
        [(0, 1000, 1500), (1, 1100, 1200), (2, 1800, 2100), (3, 900, 950)],
    )
    study = read_twins(tmp_path, random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(study.treatment, [1.0, 0.9, 1.5, 0.95])
    np.testing.assert_array_equal(study.covariates, [[1, 2], [7, 8], [1, 2], [7, 8]])
    rng = np.random.RandomState(0)
    noise, gamma = rng.normal(0, 0.25, 4), rng.normal(0, 0.025, 2)
    mean = -2 / (1 + np.exp(-3 * study.treatment)) + study.covariates @ gamma
    np.testing.assert_allclose(study.outcome, mean + noise)
    doses = np.array([0.5, 1.5])
    expected = -2 / (1 + np.exp(-3 * doses)) + (study.covariates @ gamma).mean()
    np.testing.assert_allclose(study.truth.dose_response(doses), expected)
