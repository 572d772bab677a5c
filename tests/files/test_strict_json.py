"""JSON that every reader accepts."""

import json
import math
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetia.errors import ResultFileError
from aetia.files import dump_json, plain_json, read_json, write_json

numbers = st.floats() | st.integers() | st.booleans() | st.none() | st.text()
nested = st.recursive(
    numbers,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


@given(nested)
def test_no_reader_meets_nan_or_infinity_and_plain_values_come_back(value):
    text = dump_json(value)
    assert json.loads(text, parse_constant=refuse) == plain_json(value)
    assert plain_json(plain_json(value)) == plain_json(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.nan, np.float32("inf")])
def test_what_is_not_finite_becomes_null_at_any_depth(value):
    assert dump_json({"a": [value, (1.5, value)]}) == '{"a": [null, [1.5, null]]}'


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.1), 0.1),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([0.5, np.nan]), [0.5, None]),
        (np.array(7), 7),
        ((1, (2,)), [1, [2]]),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        ({1: "x", None: "y"}, {"1": "x", "None": "y"}),
        (Path("a") / "b", str(Path("a") / "b")),
        (2**100, 2**100),
        (True, True),
    ],
)
def test_values_become_what_json_can_hold(value, plain):
    found = plain_json(value)
    assert found == plain
    assert type(found) is type(plain)
    assert json.loads(dump_json(value)) == plain


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_bit_by_bit(value):
    assert json.loads(dump_json([value]))[0].hex() == value.hex()


def test_files_are_for_people_and_text_stays_readable(tmp_path):
    path = write_json(tmp_path / "f.json", {"b": "Stra\N{LATIN SMALL LETTER SHARP S}e", "a": [1]})
    text = path.read_text(encoding="utf-8")
    assert "Stra\N{LATIN SMALL LETTER SHARP S}e" in text
    assert text.endswith("}\n")
    assert text.count("\n") > 3
    assert list(read_json(path)) == ["b", "a"]
    assert list(read_json(write_json(path, {"b": 1, "a": 2}, sort_keys=True))) == ["a", "b"]


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe", b""])
def test_missing_and_damaged_files_are_named(tmp_path, content):
    path = tmp_path / "f.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ResultFileError, match=r"f\.json.* is missing or damaged"):
        read_json(path)
