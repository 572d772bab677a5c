"""CIFAR-10 in its official layout, and files that are not what they say."""

import io
import os
import pickle
import tarfile

import numpy as np
import pytest

from aetia.data import load_cifar10
from aetia.errors import InputError


def batch(n, seed):
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
    labels = rng.integers(0, 10, n).tolist()
    return {b"batch_label": b"a batch", b"labels": labels, b"data": data, b"filenames": [b"x"] * n}


def files(n=4):
    return {
        **{f"data_batch_{k}": batch(n, k) for k in range(1, 6)},
        "test_batch": batch(n, 9),
    }


def write_folder(root, content):
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, value in content.items():
        (folder / name).write_bytes(pickle.dumps(value, protocol=2))
    return folder


def write_archive(root, content, extra=()):
    path = root / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, value in content.items():
            raw = pickle.dumps(value, protocol=2)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
        for member in extra:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def test_archive_and_folder_give_the_same_images(tmp_path):
    content = files()
    write_archive(tmp_path / ".", content)
    archived = load_cifar10(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "cifar-10-python.tar.gz"]  # nothing unpacked
    folder = write_folder(tmp_path, content)
    for place in (tmp_path, folder):
        found = load_cifar10(place)
        np.testing.assert_array_equal(found.pixels, archived.pixels)
        np.testing.assert_array_equal(found.labels, archived.labels)
    assert archived.pixels.shape == (20, 32, 32, 3)
    assert load_cifar10(tmp_path, part="test").labels.tolist() == content["test_batch"][b"labels"]


def test_planes_of_colour_become_the_last_axis(tmp_path):
    content = files()
    write_folder(tmp_path, content)
    found = load_cifar10(tmp_path)
    row = content["data_batch_2"][b"data"][1]  # the sixth image
    for channel, y, x in [(0, 0, 0), (1, 3, 7), (2, 31, 30)]:
        byte = row[channel * 1024 + y * 32 + x]
        assert found.pixels[5, y, x, channel] == np.float32(byte) / 255


def test_what_was_looked_for_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cifar-10-batches-py.*cifar-10-python\.tar\.gz.*digits"):
        load_cifar10(tmp_path / "nowhere")


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class Getter:
    def __reduce__(self):
        return getattr, ("text", "upper")


@pytest.mark.parametrize("make", [write_folder, write_archive])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, make):
    trap = tmp_path / "owned"
    make(tmp_path, files() | {"data_batch_3": {b"data": Evil(trap), b"labels": []}})
    with pytest.raises(InputError, match=r"data_batch_3 asks to run \w+\.mkdir"):
        load_cifar10(tmp_path)
    assert not trap.exists()


def test_not_even_builtins_are_given_away(tmp_path):
    write_folder(tmp_path, files() | {"test_batch": {b"data": Getter(), b"labels": []}})
    with pytest.raises(InputError, match="asks to run"):
        load_cifar10(tmp_path, part="test")


def test_members_that_point_elsewhere_are_left_alone(tmp_path):
    outside = tarfile.TarInfo("../escaped")
    outside.size = 3
    link = tarfile.TarInfo("cifar-10-batches-py/test_batch")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    content = {k: v for k, v in files().items() if k != "test_batch"}
    home = tmp_path / "home"
    home.mkdir()
    write_archive(home, content, [outside, link])
    assert len(load_cifar10(home).labels) == 20
    assert not (tmp_path / "escaped").exists()
    with pytest.raises(InputError, match="has no cifar-10-batches-py/test_batch"):
        load_cifar10(home, part="test")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({b"labels": [1]}, "damaged or not a batch"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, "2, 3072.* and 1 labels"),
        ({b"data": np.zeros((1, 3072)), b"labels": [1]}, "float64"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [12]}, "up to 12"),
        ([1, 2], "damaged or not a batch"),
    ],
)
def test_other_contents_are_refused(tmp_path, value, message):
    write_folder(tmp_path, files() | {"test_batch": value})
    with pytest.raises(InputError, match=message):
        load_cifar10(tmp_path, part="test")


def test_cut_off_files_are_refused(tmp_path):
    archive = write_archive(tmp_path, files())
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.raises(InputError, match="damaged or cut off"):
        load_cifar10(tmp_path)
    archive.write_bytes(b"not a tar")
    with pytest.raises(InputError, match=r"damaged or cut off|no tar archive"):
        load_cifar10(archive)
    folder = write_folder(tmp_path, files())
    (folder / "test_batch").write_bytes((folder / "test_batch").read_bytes()[:100])
    with pytest.raises(InputError, match="damaged"):
        load_cifar10(tmp_path, part="test")
