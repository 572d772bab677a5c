"""Tensors and their description in one file that tells when it was changed."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save, save_file

from aetia.errors import CheckpointError, InputError, ResultFileError
from aetia.files import is_bundle, load_bundle, save_bundle

PLAIN = {
    "name": "N\N{LATIN SMALL LETTER O WITH DIAERESIS}",
    "rate": 0.1,
    "sizes": [1, 2],
    "n": None,
}
TENSORS = {"w": torch.arange(6, dtype=torch.float32).reshape(2, 3), "mask": torch.tensor([True])}


@pytest.fixture
def path(tmp_path):
    return save_bundle(
        tmp_path / "model.safetensors", kind="Model", schema=2, tensors=TENSORS, plain=PLAIN
    )


def rewritten(path, *, header=None, plain=None, tensors=None):
    """Write a bundle again with a part exchanged, under the checksum of the original."""
    with safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if header is not None:
        metadata["aetia"] = json.dumps(json.loads(metadata["aetia"]) | header)
    if plain is not None:
        metadata["plain"] = json.dumps(plain)
    path.write_bytes(save(kept if tensors is None else tensors, metadata=metadata))


@pytest.mark.parametrize(
    "dtype",
    [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
     torch.uint8, torch.bool],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (2, 3, 4)])
def test_tensors_of_any_type_and_shape_come_back_bit_by_bit(tmp_path, dtype, shape):
    tensor = torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    file = save_bundle(tmp_path / "b", kind="K", schema=1, tensors={"t": tensor}, plain={})
    back = load_bundle(file, kind="K", schema=1).tensors["t"]
    assert back.dtype == dtype
    assert torch.equal(back, tensor)


def test_nan_views_shared_memory_and_gradients_can_be_kept(tmp_path):
    base = torch.tensor([[1.0, float("nan")], [float("inf"), -0.0]], requires_grad=True)
    tensors = {"a": base, "b": base, "transposed": base.T, "row": base[0]}
    file = save_bundle(tmp_path / "b", kind="K", schema=1, tensors=tensors, plain={})
    back = load_bundle(file, kind="K", schema=1).tensors
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(back[name].numpy(), tensor.detach().numpy())
    assert torch.signbit(back["a"][1, 1])


def test_plain_values_come_back_and_may_be_all_there_is(path, tmp_path):
    assert load_bundle(path, kind="Model", schema=2).plain == PLAIN
    assert load_bundle(path, kind=None, schema=5)[:2] == ("Model", 2)
    empty = save_bundle(tmp_path / "e", kind="K", schema=1, tensors={}, plain={"a": float("nan")})
    assert load_bundle(empty, kind="K", schema=1).plain == {"a": None}


def test_a_bundle_is_one_file(path):
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]
    assert is_bundle(path)


@settings(max_examples=60)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(tmp_path_factory, at, bit):
    file = tmp_path_factory.mktemp("flip") / "b"
    save_bundle(file, kind="Model", schema=2, tensors=TENSORS, plain=PLAIN)
    raw = bytearray(file.read_bytes())
    raw[int(at * len(raw))] ^= 1 << bit
    file.write_bytes(raw)
    try:
        found = load_bundle(file, kind="Model", schema=2)
    except (CheckpointError, ResultFileError):
        return
    # What is left without a check: the version of aetia, and blanks of the header.
    assert found.plain == PLAIN
    assert all(torch.equal(found.tensors[k], v) for k, v in TENSORS.items())


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_files_are_refused(path, share):
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(CheckpointError, match=r"model\.safetensors.* is damaged"):
        load_bundle(path, kind="Model", schema=2)


@pytest.mark.parametrize(
    "change",
    [
        {"plain": PLAIN | {"rate": 0.2}},
        {"plain": {}},
        {"header": {"schema": 1}},
        {"header": {"sha256": "0" * 64}},
        {"tensors": TENSORS | {"w": TENSORS["w"] + 1}},
        {"tensors": {"w": TENSORS["w"]}},
        {"tensors": TENSORS | {"more": torch.zeros(1)}},
        {"tensors": TENSORS | {"w": TENSORS["w"].reshape(3, 2)}},
        {"tensors": TENSORS | {"w": TENSORS["w"].view(torch.int32)}},
        {"tensors": {"v": TENSORS["w"], "mask": TENSORS["mask"]}},
    ],
    ids=["plain", "no plain", "schema", "checksum", "values", "one less", "one more", "shape",
         "type", "name"],
)  # fmt: skip
def test_what_was_changed_after_it_was_written_is_refused(path, change):
    rewritten(path, **change)
    with pytest.raises(CheckpointError, match="was changed"):
        load_bundle(path, kind="Model", schema=2)


def test_a_kind_that_was_changed_is_refused(path):
    rewritten(path, header={"kind": "Other"})
    with pytest.raises(CheckpointError, match="was changed"):
        load_bundle(path, kind="Other", schema=2)


def test_another_kind_is_refused_and_says_what_reads_it(path):
    with pytest.raises(ResultFileError, match=r"holds a Model, expected a Table: use Model\.load"):
        load_bundle(path, kind="Table", schema=2)


def test_a_newer_schema_is_refused_with_advice(path):
    rewritten(path, header={"schema": 3, "version": "9.9"})
    with pytest.raises(ResultFileError, match=r"newer version of aetia \(9\.9\).*Upgrade"):
        load_bundle(path, kind="Model", schema=2)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x00" * 200])
def test_files_of_others_are_refused(path, content):
    path.write_bytes(content)
    assert not is_bundle(path)
    with pytest.raises(CheckpointError, match="not written by aetia"):
        load_bundle(path, kind="Model", schema=2)


@pytest.mark.parametrize("metadata", [None, {"aetia": "{}"}, {"aetia": "[]", "plain": "{}"}])
def test_safetensors_of_others_are_refused(path, metadata):
    save_file(TENSORS, path, metadata=metadata)
    with pytest.raises(CheckpointError, match="not written by aetia"):
        load_bundle(path, kind="Model", schema=2)


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert not is_bundle(tmp_path / "none")
    with pytest.raises(ResultFileError, match=r"no saved Model at .*none"):
        load_bundle(tmp_path / "none", kind="Model", schema=1)


def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_bundle(tmp_path / "file" / "b", kind="K", schema=1, tensors={}, plain={})


def test_nothing_in_a_bundle_is_executable(path):
    raw = path.read_bytes()
    assert b"torch" not in raw
    assert not raw.startswith((b"\x80", b"PK"))
