"""Features and distances of images."""

import numpy as np
import pytest
import torch

from aetia.data import load_digits
from aetia.diagnostics.two_sample import frechet_distance
from aetia.errors import CheckpointError, DataWarning, InputError
from aetia.generation.diffusion.experiments.data import split_digits
from aetia.generation.diffusion.images.features import (
    Inception,
    PrincipalComponents,
    random_convolutions,
)
from aetia.generation.diffusion.images.quality import image_quality


class Pooled(torch.nn.Module):
    """Stands in for the Inception network: mean colour and one corner."""

    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        x = x.float()
        features = torch.cat([x.mean((2, 3)), x[:, :1, 0, 0]], 1)
        return features if return_features else features[:, :1]


@pytest.fixture(scope="module")
def digits():
    return split_digits()


@pytest.fixture
def inception(tmp_path):
    file = tmp_path / "network.pt"
    torch.jit.script(Pooled()).save(str(file))
    return file


def test_the_split_is_a_partition_of_the_digits(digits):
    train, test = digits
    assert (len(train), len(test)) == (1198, 599)
    everything = load_digits().pixels.astype(np.float32).reshape(1797, -1)
    both = np.concatenate([train, test]).reshape(1797, -1)
    assert sorted(map(tuple, both.tolist())) == sorted(map(tuple, everything.tolist()))


def test_principal_components_keep_all_that_varies(digits):
    train, test = digits
    pca = PrincipalComponents.of(train)
    assert pca.directions.shape[0] < 64  # corners of digits are always black
    np.testing.assert_allclose(
        pca.directions @ pca.directions.T, np.eye(len(pca.directions)), atol=1e-9
    )
    flat = train.reshape(len(train), -1) - train.reshape(len(train), -1).mean(0)
    np.testing.assert_allclose((pca(train) ** 2).sum(), (flat.astype(float) ** 2).sum(), rtol=1e-6)
    variance = pca(train).var(0)
    assert (np.diff(variance) <= 1e-9).all()
    few = PrincipalComponents.of(train, 3)
    np.testing.assert_allclose(few(test), pca(test)[:, :3])


def test_random_features_are_the_same_for_any_batch_and_tell_images_apart(digits):
    _, test = digits
    features = random_convolutions(test)
    assert features.shape == (599, 112)
    np.testing.assert_allclose(random_convolutions(test[300:304]), features[300:304], rtol=1e-5)
    assert float(features[0, 0]) == pytest.approx(random_convolutions(test)[0, 0])
    noise = np.random.default_rng(0).permuted(test.reshape(599, -1), axis=1).reshape(test.shape)
    gap = frechet_distance(random_convolutions(noise), features)
    half = frechet_distance(features[::2], features[1::2])
    assert gap > 5 * half


def test_real_images_are_at_the_floor_and_spoilt_ones_above_it(digits):
    train, test = digits
    real, other = test[:300], test[299:]
    same = image_quality(real, train, other)
    blurred = (test + np.roll(test, 1, 1) + np.roll(test, 1, 2)) / 3
    spoilt = image_quality(blurred[:300], train, other)
    for name in ("fd_pca64", "fd_randconv", "mmd2_median", "energy_distance"):
        assert spoilt[name] > 2 * max(spoilt[f"{name}_floor"], 1e-3), name
        assert spoilt[name] > 3 * same[name], name
    assert same["fd_pca64"] == pytest.approx(same["fd_pca64_floor"], rel=0.3)


def test_the_fid_is_never_replaced_by_something_else(digits, inception):
    train, test = digits
    without = image_quality(test, train, test)
    assert without["fid"] is None
    assert "--inception-weights" in without["fid_note"]
    given = image_quality(test, train, test, inception=Inception(inception))
    assert "fid_note" not in given
    assert len(given["fid_weights_sha256"]) == 64
    bytes_ = [np.rint(255 * x).repeat(3, -1) for x in (test, train)]
    features = [np.concatenate([b.mean((1, 2)), b[:, 0, 0, :1]], 1) for b in bytes_]
    assert given["fid"] == pytest.approx(frechet_distance(*features), rel=1e-4)


def test_other_files_are_no_networks(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Inception(tmp_path / "nowhere.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(CheckpointError, match="no TorchScript"):
        Inception(tmp_path / "text.pt")


def test_too_few_images_are_warned_about(digits):
    train, test = digits
    with pytest.warns(DataWarning, match="50 new images for"):
        image_quality(test[:50], train, test)
