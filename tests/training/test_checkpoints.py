"""Checkpoint files: atomic, verified, never executed."""

import errno
import hashlib
import io
import os
import pickle

import pytest
import torch

from aetia.errors import AetiaError, CheckpointError, InputError
from aetia.training import load_checkpoint, save_checkpoint
from aetia.training.checkpoints import list_checkpoints, thin_checkpoints

CONTENT = {
    "step": 3,
    "weights": {"w": torch.arange(600.0), "flag": torch.tensor([True, False])},
    "nested": [None, "text", 1.5, (1, 2), {"a": False}],
}


@pytest.fixture
def file(tmp_path):
    save_checkpoint(tmp_path / "step-000000003.ckpt", CONTENT)
    return tmp_path / "step-000000003.ckpt"


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def test_what_was_written_is_read(file):
    assert same(load_checkpoint(file), CONTENT)


def test_folders_are_made_and_nothing_else_is_left_in_them(tmp_path):
    save_checkpoint(tmp_path / "a" / "b" / "best.ckpt", CONTENT)
    assert [f.name for f in (tmp_path / "a" / "b").iterdir()] == ["best.ckpt"]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_named(file, share):
    raw = file.read_bytes()
    file.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(CheckpointError, match=r"step-000000003\.ckpt"):
        load_checkpoint(file)


def test_any_flipped_bit_is_noticed(file):
    raw = file.read_bytes()
    for k in [*range(64), *range(64, len(raw), 101), len(raw) - 1]:
        changed = bytearray(raw)
        changed[k] ^= 1 << (k % 8)
        file.write_bytes(changed)
        with pytest.raises(CheckpointError, match=r"step-000000003\.ckpt"):
            load_checkpoint(file)


def test_appended_bytes_are_noticed(file):
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match=r"step-000000003\.ckpt"):
        load_checkpoint(file)


@pytest.mark.parametrize("what", ["torch", "text", "missing", "folder"])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, what):
    file = tmp_path / "step-000000001.ckpt"
    if what == "torch":
        torch.save({"step": 1}, file)
    elif what == "text":
        file.write_text("step,loss\n")
    elif what == "folder":
        file.mkdir()
    with pytest.raises(CheckpointError, match=r"step-000000001\.ckpt"):
        load_checkpoint(file)


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


@pytest.mark.parametrize("container", ["torch", "pickle"])
@pytest.mark.parametrize("signed", [True, False])
def test_a_payload_of_pickled_code_is_refused_and_not_executed(tmp_path, container, signed):
    """Also when whoever made the file also made its checksum."""
    content, trace = {"x": Payload(tmp_path / "executed")}, tmp_path / "executed"
    buffer = io.BytesIO()
    torch.save(content, buffer)
    payload = buffer.getvalue() if container == "torch" else pickle.dumps(content, protocol=2)
    save_checkpoint(tmp_path / "honest.ckpt", {})
    magic = (tmp_path / "honest.ckpt").read_bytes().split(b"\n")[0] + b"\n"
    head = magic + hashlib.sha256(payload).digest() if signed else b""
    file = tmp_path / "step-000000001.ckpt"
    file.write_bytes(head + payload)
    with pytest.raises(CheckpointError, match=r"step-000000001\.ckpt"):
        load_checkpoint(file)
    assert not trace.exists()


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_full_disk_is_a_clear_error_and_the_old_file_stays(file, function, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, function, full)
    with pytest.raises(InputError, match=r"step-000000003\.ckpt.*No space left"):
        save_checkpoint(file, {"step": 4})
    assert same(load_checkpoint(file), CONTENT)
    assert [f.name for f in file.parent.iterdir()] == [file.name]


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="taken"):
        save_checkpoint(tmp_path / "taken" / "a.ckpt", CONTENT)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(AetiaError, match="cannot write"):
        save_checkpoint(tmp_path / "a.ckpt", CONTENT)


def test_checkpoints_are_listed_by_step_with_the_newest_first(tmp_path):
    for step in (5, 1000, 20):
        save_checkpoint(tmp_path / f"step-{step:09d}.ckpt", {})
    for other in ("best.ckpt", ".writing-abc", "notes.txt"):
        (tmp_path / other).write_text("")
    assert [int(f.stem[5:]) for f in list_checkpoints(tmp_path)] == [1000, 20, 5]
    assert list_checkpoints(tmp_path / "missing") == []


def test_thinning_keeps_the_newest_the_best_and_what_is_not_ours(tmp_path):
    for step in (4, 8, 12, 16):
        save_checkpoint(tmp_path / f"step-{step:09d}.ckpt", {})
    for other in ("best.ckpt", ".writing-abc", "notes.txt"):
        (tmp_path / other).write_text("")
    thin_checkpoints(tmp_path, 2)
    left = {f.name for f in tmp_path.iterdir()}
    assert left == {"step-000000012.ckpt", "step-000000016.ckpt", "best.ckpt", "notes.txt"}
