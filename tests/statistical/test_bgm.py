"""BGM where values hide themselves: whether it is less biased than without a mechanism."""

import numpy as np
import pytest

from aetia.generation import BGM

pytestmark = pytest.mark.statistical

SMALL = {
    "n_latents": 1,
    "generator_units": (16,),
    "encoder_units": (16,),
    "n_importance": 5,
    "n_warmup": 30,
    "n_starts": 50,
    "random_state": 0,
    "progress": False,
}


def test_a_mechanism_that_depends_on_the_value_is_learned():
    """Large values of the second column are hidden: MAR is biased, MNAR less so."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 1)) + 0.7 * rng.normal(size=(800, 3))
    holes = x.copy()
    hidden = rng.uniform(size=800) < 1 / (1 + np.exp(-3 * x[:, 1]))
    holes[hidden, 1] = np.nan
    error = {}
    for mechanism in ("mar", "mnar"):
        options = SMALL | {"n_steps": 250, "batch_size": 200, "n_leapfrog": 4}
        model = BGM(**options, missingness=mechanism).fit(holes)
        found = model.impute(holes[hidden][:100], 20)
        error[mechanism] = found.mean[:, 1] - x[hidden][:100, 1]
    assert error["mar"].mean() < -0.2
    assert abs(error["mnar"].mean()) < 0.6 * abs(error["mar"].mean())
    assert np.square(error["mnar"]).mean() < np.square(error["mar"]).mean()
