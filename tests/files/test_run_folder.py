"""One rule for the folder of a run, and how a new run takes the place of an old one."""

import os
import stat
import sys

import pytest

from aetia.errors import InputError
from aetia.files import check_writable, replacing_run, write_json


def tree(folder):
    """All files below a folder with their content."""
    return {
        str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def replace_run(place, error=None):
    """Write a new run, in whose block something may fail."""
    with replacing_run(place) as new:
        write_run(new, "new", "edges.csv", "ate.csv")
        if error is not None:
            raise error


def write_run(folder, text, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    write_json(folder / "summary.json", {"files": [*names, "summary.json"], "text": text})


@pytest.fixture
def place(tmp_path):
    """A run with a note of the user's own beside it."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_run(folder, "old", "edges.csv", "report.html", "model/weights", "old/only")
    (folder / "notes.txt").write_text("mine")
    (folder / "my").mkdir()
    (folder / "my" / "plot").write_text("mine")
    return folder


MINE = {"notes.txt": "mine", "my/plot": "mine"}


# -- may it be written ----------------------------------------------------------------------


def test_an_empty_or_missing_folder_is_made_and_left_empty(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "a" / "b", tmp_path / "empty"):
        assert check_writable(folder) == folder
        assert list(folder.iterdir()) == []


def test_a_folder_with_a_run_needs_force(place):
    with pytest.raises(InputError, match=r"holds a run \(edges\.csv.*--force"):
        check_writable(place)
    before = tree(place)
    assert check_writable(place, force=True) == place
    assert tree(place) == before


def test_a_folder_with_anything_else_needs_force_too(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match=r"is not empty \(x\)"):
        check_writable(tmp_path)


def test_a_file_and_a_place_below_one_are_refused(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_writable(tmp_path / "x", force=True)
    with pytest.raises(InputError, match="cannot write to"):
        check_writable(tmp_path / "x" / "y", force=True)


def test_what_a_killed_run_left_does_not_count(tmp_path):
    (tmp_path / ".writing-0123").mkdir()
    assert check_writable(tmp_path) == tmp_path


# -- putting it in place --------------------------------------------------------------------


@pytest.mark.parametrize("made", [True, False])
def test_a_first_run_is_there_when_the_block_ends_and_not_before(tmp_path, made):
    place = tmp_path / "a" / "run"
    if made:
        check_writable(place)
    with replacing_run(place) as new:
        write_run(new, "new", "edges.csv", "model/weights")
        assert not (place / "summary.json").exists()
    assert set(tree(tmp_path / "a")) == {"run/edges.csv", "run/model/weights", "run/summary.json"}
    assert sorted(p.name for p in place.iterdir()) == ["edges.csv", "model", "summary.json"]


def test_nothing_of_the_old_run_is_left_and_files_of_the_user_stay(place):
    with replacing_run(place) as new:
        write_run(new, "new", "edges.csv", "ate.csv", "model/other")
    found = tree(place)
    found.pop("summary.json")
    assert found == {"edges.csv": "new", "ate.csv": "new", "model/other": "new"} | MINE
    assert not any(p.name.startswith(".") for p in place.iterdir())
    assert not (place / "old").exists()


def test_runs_of_earlier_versions_that_list_nothing_are_replaced_by_name(place):
    write_json(place / "summary.json", {"kind": "graph"})
    with replacing_run(place, of_old_runs=("edges.csv", "old", "absent")) as new:
        write_run(new, "new", "ate.csv")
    assert set(tree(place)) == {"ate.csv", "summary.json", "report.html", "model/weights", *MINE}


@pytest.mark.parametrize("summary", ["{", "[1]", '{"files": 3}', '{"files": ["../x", "/a", ""]}'])
def test_a_damaged_or_forged_summary_deletes_nothing_else(place, tmp_path, summary):
    (tmp_path / "x").write_text("outside")
    (place / "summary.json").write_text(summary)
    with replacing_run(place) as new:
        write_run(new, "new", "edges.csv")
    assert tree(place).items() >= MINE.items()
    assert (tmp_path / "x").read_text() == "outside"
    assert (place / "edges.csv").read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_a_failure_inside_leaves_the_old_run_untouched(place, error):
    before = tree(place)
    with pytest.raises(error):
        replace_run(place, error("no"))
    assert tree(place) == before
    assert not any(p.name.startswith(".") for p in place.iterdir())


def test_a_failure_inside_a_first_run_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="no"):
        replace_run(tmp_path / "run", ValueError("no"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", range(8))
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_of_any_move_leaves_the_old_run_untouched(place, monkeypatch, failing, error):
    before, rename, calls = tree(place), os.rename, []

    def fails_once(source, target):
        calls.append(source)
        if len(calls) == failing + 1:
            raise error("no")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails_once)
    with pytest.raises(InputError if error is OSError else error):
        replace_run(place)
    assert tree(place) == before
    assert not any(p.name.startswith(".") for p in place.iterdir())


def test_a_folder_with_a_summary_holds_a_whole_run_at_every_moment(place, monkeypatch):
    rename, seen = os.rename, []

    def watched(source, target):
        rename(source, target)
        if (place / "summary.json").exists():
            seen.append({text for name, text in tree(place).items() if name.count(".writing") == 0})

    with replacing_run(place) as new:
        write_run(new, "new", "edges.csv", "ate.csv")
        monkeypatch.setattr(os, "rename", watched)
    assert len(seen) == 1  # the last move brings the summary
    assert not any("old" in text for text in seen[0])


def test_the_working_directory_can_be_the_place(place, monkeypatch):
    monkeypatch.chdir(place)
    with replacing_run(".") as new:
        write_run(new, "new", "ate.csv")
    assert set(tree(place)) == {"ate.csv", "summary.json", *MINE}
    assert os.path.samefile(".", place)


@pytest.mark.skipif(sys.platform == "win32", reason="links of POSIX")
def test_a_link_stays_a_link(place, tmp_path):
    (tmp_path / "link").symlink_to(place)
    with replacing_run(tmp_path / "link") as new:
        write_run(new, "new", "ate.csv")
    assert (tmp_path / "link").is_symlink()
    assert set(tree(place)) == {"ate.csv", "summary.json", *MINE}


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_folders_have_the_permissions_that_the_process_gives_and_the_place_keeps_its_own(place):
    place.chmod(0o750)
    before = os.umask(0o027)
    try:
        with replacing_run(place) as new:
            write_run(new, "new", "model/weights")
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.stat().st_mode) == 0o750
    assert stat.S_IMODE((place / "model").stat().st_mode) == 0o750


def test_what_killed_runs_left_is_swept(place):
    (place / ".writing-0123").mkdir()
    (place / ".writing-0123" / "edges.csv").write_text("half")
    with replacing_run(place) as new:
        write_run(new, "new", "ate.csv")
    assert set(tree(place)) == {"ate.csv", "summary.json", *MINE}


def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="cannot write to"), replacing_run(tmp_path / "x" / "y"):
        pass
