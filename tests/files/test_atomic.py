"""Writes are all there or not at all."""

import os
import stat
import sys
from pathlib import Path

import pytest

from aetia.errors import InputError
from aetia.files import replacing_file, write_atomically


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def write_half(path, error):
    with replacing_file(path) as part:
        part.write_text("half of the n")
        raise error


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("content", ["text \N{GREEK SMALL LETTER ALPHA}\n", b"\x00\xff", "", b""])
def test_what_is_written_is_what_is_read_in_folders_that_are_made(tmp_path, content):
    path = write_atomically(tmp_path / "a" / "b" / "file", content)
    raw = content.encode() if isinstance(content, str) else content
    assert path.read_bytes() == raw
    assert names(path.parent) == ["file"]


def test_text_is_written_without_changing_its_line_ends(tmp_path):
    assert write_atomically(tmp_path / "f", "a\r\nb\n").read_bytes() == b"a\r\nb\n"


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = write_atomically(tmp_path / "file", "old")
    with pytest.raises(InputError if error is OSError else error):
        write_half(path, error("disk full"))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_end_is_said_and_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = write_atomically(tmp_path / "file", "old")

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fails)
    with pytest.raises(InputError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_text_that_is_no_unicode_leaves_the_old_file(tmp_path):
    path = write_atomically(tmp_path / "file", "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot write"), replacing_file(tmp_path / "file"):
        pass
    assert names(tmp_path) == []


def test_a_place_below_a_file_or_on_a_folder_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "file" / "x", tmp_path / "folder"):
        with pytest.raises(InputError, match=f"cannot write '{place}'"):
            write_atomically(place, "x")
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_new_files_have_the_permissions_that_the_process_gives(tmp_path, umask):
    before = os.umask(umask)
    try:
        path = write_atomically(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert mode(path) == 0o666 & ~umask


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_replaced_file_keeps_its_permissions(tmp_path):
    path = write_atomically(tmp_path / "file", "secret")
    path.chmod(0o600)
    write_atomically(path, "another")
    assert mode(path) == 0o600


def test_readers_that_have_the_old_file_open_see_all_of_it(tmp_path):
    path = write_atomically(tmp_path / "file", "old" * 1000)
    with Path(path).open() as reader:
        write_atomically(path, "new")
        assert reader.read() == "old" * 1000
    assert path.read_text() == "new"
