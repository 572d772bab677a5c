"""Readers of digits, and masks of pixels."""

import gzip
import sys

import numpy as np
import pytest

from aetia.data import load_digits, load_mnist, pixel_mask
from aetia.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)
LABELS = np.arange(5, dtype=np.uint8)


def idx(values: np.ndarray) -> bytes:
    head = (2048 + values.ndim).to_bytes(4, "big")
    return head + b"".join(s.to_bytes(4, "big") for s in values.shape) + values.tobytes()


def write(folder, gz):
    opener = gzip.open if gz else open
    for name, values in (("images-idx3", IMAGES), ("labels-idx1", LABELS)):
        with opener(folder / f"train-{name}-ubyte{'.gz' if gz else ''}", "wb") as file:
            file.write(idx(values))


@pytest.mark.parametrize("gz", [False, True])
def test_idx_files_are_read(tmp_path, gz):
    write(tmp_path, gz)
    found = load_mnist(tmp_path)
    np.testing.assert_array_equal(found.pixels[..., 0], IMAGES / 255.0)
    np.testing.assert_array_equal(found.labels, LABELS)


def test_npz_files_are_read(tmp_path):
    np.savez(tmp_path / "mnist.npz", x_test=IMAGES, y_test=LABELS)
    assert load_mnist(tmp_path / "mnist.npz", part="test").pixels.shape == (5, 28, 28, 1)
    with pytest.raises(InputError, match="not x_train, y_train"):
        load_mnist(tmp_path / "mnist.npz")


def test_damaged_files_are_named(tmp_path):
    write(tmp_path, gz=False)
    file = tmp_path / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match="truncated"):
        load_mnist(tmp_path)
    file.write_bytes(b"nothing of the sort")
    with pytest.raises(InputError, match="no IDX file"):
        load_mnist(tmp_path)
    file.unlink()
    with pytest.raises(InputError, match="no file 'train-images"):
        load_mnist(tmp_path)


def test_without_a_file_or_network_the_remedy_is_told(monkeypatch):
    with pytest.raises(InputError, match="Pass path=FOLDER"):
        load_mnist(offline=True)
    monkeypatch.setenv("AETIA_OFFLINE", "1")
    with pytest.raises(InputError, match="load_digits"):
        load_mnist()


def test_openml_is_asked_when_allowed(monkeypatch):
    class Found:
        data = np.zeros((70_000, 784), dtype=np.uint8)
        target = np.full(70_000, "3")

    Found.data[60_000:] = 255
    import sklearn.datasets

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda *a, **k: Found)
    assert "sklearn.datasets" in sys.modules
    found = load_mnist(part="test", offline=False)
    assert found.pixels.shape == (10_000, 28, 28, 1)
    assert (found.pixels == 1).all()
    assert (found.labels == 3).all()


def test_digits_ship_with_scikit_learn():
    digits = load_digits()
    assert digits.pixels.shape == (1797, 8, 8, 1)
    assert digits.pixels.max() == 1.0
    assert set(digits.labels) == set(range(10))


def test_stripes_have_the_orientation_that_they_say():
    rows = pixel_mask("edge_stripe", (6, 9), orientation="horizontal", width=2, position=1)
    columns = pixel_mask("edge_stripe", (6, 9), orientation="vertical", width=2, position=1)
    assert rows.sum() == 18
    assert rows[1:3].all()
    assert columns.sum() == 12
    assert columns[:, 1:3].all()


def test_halves_cover_an_image_together():
    for one, other in (("upper_half", "lower_half"), ("left_half", "right_half")):
        first, second = pixel_mask(one, (7, 5)), pixel_mask(other, (7, 5))
        assert (first ^ second).all()
    assert pixel_mask("upper_half", (7, 5))[:3].all()
    assert pixel_mask("left_half", (7, 5))[:, :2].all()


def test_holes_are_squares():
    one = pixel_mask("holes", center=(10, 20), hole_size=3)
    assert one.sum() == 9
    assert one[9:12, 19:22].all()
    rng = np.random.default_rng(0)
    many = pixel_mask("holes", n_holes=4, hole_size=3, rng=rng)
    assert 9 <= many.sum() <= 36


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "hole"}, "Did you mean 'holes'"),
        ({"kind": "holes", "n_holes": 2}, "pass rng"),
        ({"kind": "holes", "center": (0, 0)}, "does not fit"),
        ({"kind": "holes", "hole_size": 40}, "at least one hole that fits"),
        ({"kind": "edge_stripe", "position": 27}, "does not fit"),
        ({"kind": "edge_stripe", "orientation": "diagonal"}, "not one of horizontal"),
    ],
)
def test_masks_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        pixel_mask(**options)
