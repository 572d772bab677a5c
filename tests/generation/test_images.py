"""ImageBGM on the digits that ship with scikit-learn."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from aetia.data import load_digits, pixel_mask
from aetia.errors import InputError
from aetia.generation import MNISTBGM, ImageBGM
from aetia.generation.bgm.networks import ImageDecoder
from aetia.generation.bgm.random_images import RandomImageDecoder
from aetia.nets import seeded

SMALL = {
    "image_shape": (8, 8, 1),
    "n_latents": 6,
    "n_steps": 200,
    "batch_size": 64,
    "width": 8,
    "learning_rate": 1e-2,
    "n_warmup": 10,
    "n_leapfrog": 4,
    "n_starts": 30,
    "n_evidence": 50,
    "random_state": 0,
    "progress": False,
}


@pytest.fixture(scope="module")
def digits():
    return load_digits().pixels


@pytest.fixture(scope="module")
def fitted(digits):
    holes = np.where(np.random.default_rng(0).uniform(size=digits.shape) < 0.1, np.nan, digits)
    return ImageBGM(**SMALL).fit(holes[:1000])


def test_hidden_pixels_are_better_than_the_mean_image(fitted, digits):
    truth = digits[1000:1060]
    holes = truth.copy()
    hidden = pixel_mask("holes", (8, 8), hole_size=4)
    holes[:, hidden] = np.nan
    draws = fitted.impute(holes, 12)
    assert draws.shape == (12, *truth.shape)
    np.testing.assert_array_equal(draws.mean[:, ~hidden], truth[:, ~hidden])
    assert ((draws.cells >= 0) & (draws.cells <= 1)).all()
    error = np.sqrt(np.mean((draws.mean - truth)[:, hidden] ** 2))
    plain = np.sqrt(np.mean((digits[:1000].mean(0) - truth)[:, hidden] ** 2))
    assert error < 0.95 * plain
    assert fitted.predict_interval(holes[:3], n_draws=8).shape == (3, 8, 8, 1, 2)


def test_new_images_and_scores(fitted, digits):
    drawn = fitted.sample(50)
    assert drawn.shape == (1, 50, 8, 8, 1)
    assert np.abs(drawn.values[0].mean(0) - digits.mean(0)).mean() < 0.1
    noise = np.random.default_rng(0).permuted(digits[:40].reshape(40, -1), axis=1)
    assert fitted.score_samples(digits[:40]).mean() > fitted.score_samples(noise).mean() + 10
    assert fitted.transform(digits[:3, :, :, 0]).shape == (3, 6)


def test_saved_models_give_the_same_seeded_draws(fitted, digits, tmp_path):
    fitted.save(tmp_path)
    holes = digits[:4].copy()
    holes[:, 4:] = np.nan
    loaded = ImageBGM.load(tmp_path)
    np.testing.assert_array_equal(loaded.impute(holes, 4).cells, fitted.impute(holes, 4).cells)


def test_pixels_can_be_drawn_as_on_and_off(fitted, digits, tmp_path):
    model = ImageBGM(**SMALL | {"n_steps": 2}, pixels="binary").fit(digits[:50])
    assert set(np.unique(model.sample(5).values)) == {0.0, 1.0}


@pytest.mark.parametrize("latents", ["sample", "map"])
def test_other_ways_with_the_latents_and_the_adversarial_start(digits, latents):
    options = SMALL | {"n_steps": 4, "n_egm_steps": 3, "gradient_penalty": 1.0}
    model = ImageBGM(**options, latents=latents).fit(digits[:60])
    assert {r["stage"] for r in model.history_} == {"egm", "likelihood"}


def random_decoder():
    with seeded(torch.Generator().manual_seed(0)):
        return RandomImageDecoder(3, (8, 8, 1), 4)


@torch.no_grad()
def test_weights_drawn_for_each_image_follow_the_law_of_those_drawn_for_all():
    """Moments of 400 and 2,000 draws; bounds are 4.5 standard errors (128 comparisons)."""
    decoder, generator = random_decoder(), torch.Generator().manual_seed(1)
    z = torch.randn(2, 3, generator=generator)
    together = decoder.drawn(2000, generator)(z.expand(2000, 2, 3))
    each = torch.stack([decoder(z, generator) for _ in range(400)])
    deviation = together.std(0)
    assert ((each.mean(0) - together.mean(0)).abs() / deviation).max() < 0.25
    assert (each.std(0) / deviation).log().abs().max() < 0.18

    def correlation(values):  # of a pixel of one image with that of the other
        return float(torch.corrcoef(values[:, :, 10].T)[0, 1])

    # Weights are uncorrelated, not independent: their sizes are shared. 0.2 is four errors.
    assert abs(correlation(each)) < 0.2
    assert correlation(together) > 0.5


def test_every_draw_of_the_weights_is_the_network_with_these_weights():
    decoder, z = random_decoder(), torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(2))
    decode = decoder.drawn(3, torch.Generator().manual_seed(4))
    torch.testing.assert_close(decode(z)[1], decode(z[[1, 1, 1]])[1])
    assert not torch.allclose(decode(z[[1, 1, 1]])[0], decode(z[[1, 1, 1]])[1])
    for raw in decoder.raw_stds:
        raw.data.fill_(-40.0)  # no deviation is left
    torch.testing.assert_close(decoder.drawn(3, torch.Generator())(z), decoder(z))
    torch.testing.assert_close(decoder(z, torch.Generator()), decoder(z))


def test_the_divergence_of_random_weights_is_that_of_normal_laws():
    decoder = random_decoder()
    total = torch.tensor(0.0)
    for name, raw, prior in zip(decoder.names, decoder.raw_stds, decoder.prior_stds, strict=True):
        posterior = Normal(decoder.net.get_parameter(name), torch.nn.functional.softplus(raw))
        total = total + kl_divergence(posterior, Normal(0.0, prior)).sum()
    torch.testing.assert_close(decoder.kl(), total)
    assert len(decoder.names) == 6  # all layers


def test_images_with_random_weights_are_drawn_and_saved(digits, tmp_path):
    options = SMALL | {"n_steps": 6, "kl_weight": 1e-3, "bayesian_generator": True}
    model = ImageBGM(**options).fit(digits[:60])
    assert all("weights" in row for row in model.history_ if "bound" in row)
    holes = digits[:3].copy()
    holes[:, 4:] = np.nan
    draws = model.impute(holes, 4)
    model.save(tmp_path)
    np.testing.assert_array_equal(ImageBGM.load(tmp_path).impute(holes, 4).cells, draws.cells)
    assert "rhat_max" not in draws.diagnostics  # a chain for each draw of the weights


def test_noisy_logits_can_be_made_small_in_the_start(digits):
    spread = {}
    for penalty in (0.0, 100.0):
        options = SMALL | {"n_steps": 1, "n_egm_steps": 10, "variance_penalty": penalty}
        model = ImageBGM(**options, egm_learning_rate=2e-2).fit(digits[:60])
        z = torch.zeros(1, SMALL["n_latents"])
        spread[penalty] = float(model.model_.networks.decoder.logit_variance(z).mean())
    assert spread[100.0] < 0.8 * spread[0.0]


def test_the_target_of_the_sampler_is_the_same_at_every_call():
    with seeded(torch.Generator().manual_seed(0)):
        decoder = ImageDecoder(3, (8, 8, 1), 4)
    z = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    together = decoder(z)
    assert together.shape == (2, 5, 64)
    torch.testing.assert_close(together, decoder(z), rtol=0, atol=0)
    torch.testing.assert_close(together[1], decoder(z[1]))


def test_channels_stay_the_last_axis():
    with seeded(torch.Generator().manual_seed(0)):
        decoder = ImageDecoder(3, (5, 6, 2), 4)
    flat = decoder(torch.zeros(1, 3))
    mean, variance = decoder.net(torch.zeros(1, 3))
    logits = mean / (1 + np.pi / 8 * variance).sqrt()
    torch.testing.assert_close(flat.reshape(5, 6, 2)[..., 1], logits[0, 1])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((20, 8, 8), 2.0), r"pixels must lie in \[0, 1\]"),
        (np.zeros((20, 7, 8)), r"shape \[n, 8, 8, 1\] were expected"),
        (np.zeros((5, 8, 8)), "at least 10"),
        ([["a"]], "array of numbers"),
    ],
)
def test_other_images_are_refused(images, message):
    with pytest.raises(InputError, match=message):
        ImageBGM(**SMALL).fit(images)


def test_the_originals_name_has_its_size():
    assert MNISTBGM().image_shape == (28, 28, 1)
    with pytest.raises(InputError, match="height, width, channels"):
        ImageBGM(image_shape=(8, 8)).fit(np.zeros((20, 8, 8)))
