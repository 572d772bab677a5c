"""ImageDDDM on small images: draws, labels, guidance, files, and whether it learns."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

import aetia.generation.diffusion as room
from aetia.errors import CheckpointError, InputError, ResultFileError
from aetia.generation import ImageDDDM
from aetia.generation.diffusion import CosineSchedule, Energy, ImageDDDMConfig
from aetia.generation.diffusion.images.augmentation import mirrored, shifted
from aetia.generation.diffusion.images.batches import image_batches
from aetia.generation.diffusion.images.draws import draw_images
from aetia.generation.diffusion.images.scale import ImageScale

TINY = {
    "image_shape": (4, 4, 1),
    "width": 16,
    "depth": 2,
    "n_heads": 2,
    "n_shared": 1,
    "n_time_features": 8,
    "n_training_steps": 250,
    "batch_size": 32,
    "learning_rate": 5e-3,
    "random_state": 0,
    "progress": False,
}


def bars(n=200, seed=0):
    """The upper half is bright ("row") or the left one ("column"), more or less."""
    rng = np.random.default_rng(seed)
    is_row = rng.integers(0, 2, n) == 0
    light = rng.uniform(0.55, 0.9, (n, 1, 1))
    upper = np.repeat([[1.0], [1.0], [0.0], [0.0]], 4, 1)
    shape = np.where(is_row[:, None, None], upper, upper.T)
    return rng.uniform(0, 0.1, (n, 4, 4)) + light * shape, np.where(is_row, "row", "column")


@pytest.fixture(scope="module")
def fitted():
    return ImageDDDM(**TINY).fit(*bars())


def is_row(pixels):
    grey = pixels[..., 0]
    down = grey[:, :2].mean((1, 2)) - grey[:, 2:].mean((1, 2))
    across = grey[:, :, :2].mean((1, 2)) - grey[:, :, 2:].mean((1, 2))
    return down > across


def test_new_images_look_like_the_old_ones(fitted):
    drawn = fitted.sample(200, n_steps=4).values[0]
    assert drawn.shape == (200, 4, 4, 1)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    other = bars(seed=1)[0]
    untrained = ImageDDDM(**TINY | {"n_training_steps": 1}).fit(bars()[0])
    assert fitted.energy_scores(other).mean() < 0.9 * untrained.energy_scores(other).mean()


def test_labels_choose_what_is_drawn(fitted):
    """Each share of 200; at 0.8 against 0.5 a false alarm is far below one in a million."""
    rows = fitted.sample(200, label="row", n_steps=4).values[0]
    columns = fitted.sample(200, label="column", n_steps=4).values[0]
    assert is_row(rows).mean() > 0.8
    assert is_row(columns).mean() < 0.2
    mixed = fitted.sample(4, label=["row", "column", "row", "column"], n_steps=4)
    assert mixed.shape == (1, 4, 4, 4, 1)


def test_guidance_moves_draws_along_the_difference_of_the_two_laws(fitted):
    """In one step with the same noise, scale 2 lies as far beyond the label as 0 lies before."""
    network, config = fitted._fit_result.network, fitted._fit_result.config
    codes = torch.zeros(5, dtype=torch.long)

    def draw(guidance, labels=codes):
        g = torch.Generator().manual_seed(3)
        return draw_images(network, config, 5, labels, g, n_steps=1, guidance=guidance)

    torch.testing.assert_close(draw(0.0), draw(1.0, None))
    torch.testing.assert_close(draw(2.0) - draw(1.0), draw(1.0) - draw(0.0))
    assert (draw(2.0) - draw(1.0)).abs().max() > 1e-2


def test_guidance_is_refused_where_it_means_nothing(fitted):
    without = ImageDDDM(**TINY | {"n_training_steps": 2}).fit(bars()[0])
    with pytest.raises(InputError, match="fitted without labels"):
        without.sample(2, guidance=2.0)
    kept = ImageDDDM(**TINY | {"n_training_steps": 2, "class_dropout": 0.0}).fit(*bars())
    with pytest.raises(InputError, match="class_dropout=0"):
        kept.sample(2, label="row", guidance=2.0)
    with pytest.raises(InputError, match="needs a label"):
        fitted.sample(2, guidance=2.0)
    with pytest.raises(InputError, match=r"no label 'cross'; the fit had \['column', 'row'\]"):
        fitted.sample(2, label="cross")


def test_one_step_returns_what_the_network_says_about_noise(fitted):
    network = fitted._fit_result.network
    drawn = draw_images(
        network, fitted._fit_result.config, 6, None, torch.Generator().manual_seed(4), n_steps=1
    )
    g = torch.Generator().manual_seed(4)
    noise = torch.randn((6, 1, 4, 4), generator=g)
    xi = torch.randn((6, 1, 1, 4, 4), generator=g)
    torch.testing.assert_close(drawn, network(noise, torch.ones(6), xi)[:, 0])


def test_energy_scores_are_what_the_formula_says(fitted):
    images, labels = bars(3, seed=5)
    scores = fitted.energy_scores(images, n_draws=7, random_state=2)
    rng_draws = fitted._draw(7, None, None, 1.0, np.random.SeedSequence(2).spawn(1)[0])
    flat, x = rng_draws.reshape(7, -1), images.reshape(3, -1)
    pairs = [np.linalg.norm(a - b) for i, a in enumerate(flat) for b in flat[:i]]
    for score, image in zip(scores, x, strict=True):
        expected = np.mean([np.linalg.norm(a - image) for a in flat]) - np.mean(pairs) / 2
        assert score == pytest.approx(expected, rel=1e-5)
    right = fitted.energy_scores(*bars(40, seed=6)).mean()
    swapped = np.where(bars(40, seed=6)[1] == "row", "column", "row")
    assert right < fitted.energy_scores(bars(40, seed=6)[0], swapped).mean()
    assert fitted.score(images, labels) == pytest.approx(
        -fitted.energy_scores(images, labels).mean()
    )


def test_seeds_and_files_give_the_same_draws(fitted, tmp_path):
    short = TINY | {"n_training_steps": 12}
    one, again = (ImageDDDM(**short).fit(*bars()) for _ in range(2))
    np.testing.assert_array_equal(again.sample(3).values, one.sample(3).values)
    other = ImageDDDM(**short | {"random_state": 1}).fit(*bars())
    assert (other.sample(3).values != one.sample(3).values).any()
    assert (again.sample(3, random_state=9).values != fitted.sample(3).values).any()
    fitted.save(tmp_path)
    loaded = ImageDDDM.load(tmp_path)
    for options in ({}, {"label": "row", "guidance": 1.5}):
        np.testing.assert_array_equal(
            loaded.sample(3, **options).values, fitted.sample(3, **options).values
        )
    assert loaded.get_params()["width"] == 16


def test_damaged_and_missing_files_are_told_apart(fitted, tmp_path):
    with pytest.raises(ResultFileError, match="no saved ImageDDDM"):
        ImageDDDM.load(tmp_path)
    fitted.save(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(CheckpointError, match="damaged"):
        ImageDDDM.load(tmp_path)


def test_options_that_are_objects_survive_saving(tmp_path):
    options = {"n_training_steps": 2, "distance": Energy(1.5), "time_grid": (0.0, 0.5, 1.0)}
    ImageDDDM(**TINY | options).fit(bars()[0]).save(tmp_path)
    config = ImageDDDM.load(tmp_path)._fit_result.config
    assert config.score_options().the_distance() == Energy(1.5)
    assert config.time_grid == (0.0, 0.5, 1.0)


def test_colour_images_and_the_papers_variant_work():
    pixels = np.random.default_rng(0).uniform(size=(24, 8, 8, 3))
    small = {"width": 16, "depth": 2, "n_heads": 2, "population": 2, "batch_size": 8}
    model = ImageDDDM(
        (8, 8, 3), preset="paper", n_training_steps=3, flip=True, crop=2, progress=False,
        random_state=0, **small,
    ).fit(pixels)  # fmt: skip
    assert model.sample(2, n_steps=2).shape == (1, 2, 8, 8, 3)
    assert model._fit_result.network.skip is None
    assert model._fit_result.scale.spread == 0.5


def test_scikit_learn_can_clone_it_and_defaults_agree():
    model = ImageDDDM(**TINY)
    assert clone(model).get_params() == model.get_params()
    config, made = ImageDDDMConfig(), ImageDDDM().get_params()
    assert {f.name: getattr(config, f.name) for f in fields(config)} == {
        k: v for k, v in made.items() if k not in ("random_state", "device", "progress")
    }


def test_every_option_is_read():
    folder = Path(inspect.getfile(room)).parent
    source = "".join(p.read_text() for p in sorted((folder / "images").glob("*.py")))
    for field in fields(ImageDDDMConfig):
        pattern = (
            rf'config\.{field.name}\b|self\.{field.name}\b|value\("{field.name}"\)|"{field.name}"'
        )
        assert len(re.findall(pattern, source)) >= 2, (
            field.name
        )  # stored by the estimator, and read


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 1}, "no pairs to repel"),
        ({"image_shape": (8, 8)}, "height, width, channels"),
        ({"patch_size": 3}, "no whole patches of side 3"),
        ({"crop": 9}, "out of sight"),
        ({"class_dropout": 1.5}, "class_dropout must lie"),
        ({"schedule": CosineSchedule(), "n_steps": 0}, "n_steps must be larger than 0"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        ImageDDDM(**{"image_shape": (8, 8, 1)} | options).fit(np.zeros((20, 8, 8)))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((20, 5, 4)), None, r"shape \[n, 4, 4, 1\] were expected"),
        (np.full((20, 4, 4), 255.0), None, r"lie in \[0, 1\].*255"),
        (np.full((20, 4, 4), np.nan), None, "ImageBGM takes holes"),
        (np.zeros((3, 4, 4)), None, "at least 10"),
        (np.zeros((20, 4, 4)), [0, 1], "20 labels were expected"),
        ([["a"]], None, "array of numbers"),
    ],
)
def test_images_that_cannot_be_used_are_refused(images, labels, message):
    with pytest.raises(InputError, match=message):
        ImageDDDM(**TINY).fit(images, labels)


def test_pixels_survive_the_way_to_the_network_and_back():
    pixels = np.random.default_rng(0).uniform(size=(50, 3, 5, 2)).astype(np.float32)
    pixels[..., 1] /= 4
    scale = ImageScale.of(pixels, "standardise")
    z = scale.to_model(pixels)
    assert z.shape == (50, 2, 3, 5)
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    assert float(z.square().mean()) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(scale.to_pixels(z), pixels, atol=1e-6)
    assert ImageScale.of(pixels, "signed").to_model(np.zeros_like(pixels)).unique() == -1


def test_shifted_images_are_windows_of_the_reflected_ones():
    g = torch.Generator().manual_seed(0)
    images = torch.rand((40, 2, 4, 5), generator=g)
    moved = shifted(images, 2, g)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
    corners = set()
    for image, big in zip(moved, padded, strict=True):
        found = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if torch.equal(image, big[:, y : y + 4, x : x + 5])
        ]
        assert len(found) == 1
        corners.add(found[0])
    assert len(corners) > 10


def test_about_half_of_the_images_are_mirrored():
    """Binomial(400, 1/2): outside 4.5 standard deviations once in 150,000 seeds."""
    images = torch.rand((400, 1, 2, 3), generator=torch.Generator().manual_seed(0))
    out = mirrored(images, torch.Generator().manual_seed(1))
    flipped = (out == images.flip(-1)).all((1, 2, 3))
    assert (flipped | (out == images).all((1, 2, 3))).all()
    assert abs(int(flipped.sum()) - 200) < 45


@pytest.mark.parametrize("n_workers", [1, 3])
def test_threads_and_late_starts_do_not_change_batches(n_workers):
    images = torch.rand((20, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(20)
    plain = image_batches(images, labels, 6, 5, flip=True, crop=1)
    ahead = image_batches(images, labels, 6, 5, flip=True, crop=1, n_workers=n_workers)
    expected = [b for b, _ in zip(plain(0), range(9), strict=False)]
    for first in (0, 4):
        for a, b in zip(expected[first:], ahead(first), strict=False):
            assert torch.equal(a.images, b.images)
            assert torch.equal(a.labels, b.labels)
    assert len(expected[0]) == 6
