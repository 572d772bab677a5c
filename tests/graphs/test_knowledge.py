"""Statements of a user: what they mean as matrices, how they read, when they contradict."""

import math

import pytest
import torch
import yaml

from aetia.errors import InputError
from aetia.graphs import Knowledge, all_dags

NAMES = ["rain", "sprinkler", "grass", "slip"]
EVERYTHING = {
    "required": ["rain -> grass"],
    "forbidden": [("rain", "sprinkler"), "grass->sprinkler"],
    "tiers": [["rain", "sprinkler"], ["grass"]],
    "roots": ["rain"],
    "sinks": ["slip"],
    "beliefs": {"sprinkler -> grass": 0.8, ("grass", "slip"): 0.25},
}


def says_yes(edges, statements):
    """Read the hard statements one by one, by name."""
    tier = {name: k for k, names in enumerate(statements.get("tiers", ())) for name in names}
    for a, b in edges:
        if (a, b) in statements.get("forbidden", ()):
            return False
        if b in statements.get("roots", ()) or a in statements.get("sinks", ()):
            return False
        if a in tier and b in tier and tier[a] > tier[b]:
            return False
    return all(edge in edges for edge in statements.get("required", ()))


@pytest.mark.parametrize(
    "statements",
    [
        {},
        {"required": [("a", "b")]},
        {"forbidden": [("a", "b"), ("c", "a")]},
        {"tiers": [["c"], ["a", "b"]]},
        {"tiers": [["c"], ["a"]]},
        {"roots": ["b"]},
        {"sinks": ["b", "c"]},
        {"required": [("c", "a")], "tiers": [["c"], ["a"]], "roots": ["c"], "sinks": ["b"]},
    ],
)
def test_the_constraints_allow_exactly_the_dags_that_the_statements_do(statements):
    names = ["b", "a", "c"]
    expected = [
        says_yes({(names[i], names[j]) for i, j in g.nonzero().tolist()}, statements)
        for g in all_dags(3)
    ]
    constraints = Knowledge(**statements).constraints(names)
    assert constraints.allows(all_dags(3)).tolist() == expected
    assert constraints.allows(all_dags(3).reshape(5, 5, 3, 3)).shape == (5, 5)
    assert not constraints.log_odds.any()


def test_a_belief_is_the_log_odds_of_its_edge_and_forbids_nothing():
    constraints = Knowledge(beliefs={"a -> b": 0.9, "b -> a": 0.5}).constraints(["b", "a"])
    assert float(constraints.log_odds[1, 0]) == pytest.approx(math.log(9), rel=1e-6)
    assert float(constraints.log_odds.abs().sum()) == pytest.approx(math.log(9), rel=1e-6)
    assert not constraints.required.any()
    off_diagonal = ~torch.eye(2, dtype=torch.bool)
    assert not (constraints.forbidden & off_diagonal).any()


def test_every_statement_survives_a_yaml_file(tmp_path):
    knowledge = Knowledge(**EVERYTHING)
    path = tmp_path / "knowledge.yaml"
    path.write_text(yaml.safe_dump(knowledge.to_dict()))
    again = Knowledge.from_yaml(path)
    assert again == knowledge
    assert again.to_dict() == knowledge.to_dict()
    first, second = knowledge.constraints(NAMES), again.constraints(NAMES)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert set(knowledge.variables()) == set(NAMES)


def test_a_column_whose_name_holds_an_arrow_survives_too():
    knowledge = Knowledge(required=[("a->b", "c")])
    assert Knowledge.from_dict(knowledge.to_dict()) == knowledge


def test_empty_knowledge_has_nothing_to_write():
    assert Knowledge().to_dict() == {}
    assert Knowledge.from_dict({}) == Knowledge()


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (
            {"required": ["a -> b"], "forbidden": ["a -> b"]},
            ["'a' -> 'b' is required", "forbidden"],
        ),
        ({"required": ["a -> b"], "tiers": [["b"], ["a"]]}, ["'a' -> 'b' is required", "tier"]),
        ({"required": ["a -> b"], "roots": ["b"]}, ["'a' -> 'b' is required", "roots"]),
        ({"required": ["a -> b"], "sinks": ["a"]}, ["'a' -> 'b' is required", "sinks"]),
        ({"required": ["a -> b", "b -> a"]}, ["'a' -> 'b'", "required", "'b'", "'a'"]),
        ({"required": ["a -> b", "b -> c", "c -> a"]}, ["required", "back to"]),
        ({"tiers": [["a"], ["b"], ["a"]]}, ["'a'", "tier 0", "tier 2"]),
        ({"beliefs": {"a -> b": 0.0}}, ["'a' -> 'b'", "got 0", "`forbidden`"]),
        ({"beliefs": {"a -> b": 1.0}}, ["'a' -> 'b'", "got 1", "`required`"]),
        ({"beliefs": {"a -> b": 0.7}, "required": ["a -> b"]}, ["belief 0.7", "required"]),
        ({"beliefs": {"a -> b": 0.7}, "forbidden": ["a -> b"]}, ["belief 0.7", "forbidden"]),
        ({"beliefs": {"a -> b": 0.7}, "tiers": [["b"], ["a"]]}, ["belief 0.7", "tier"]),
        ({"beliefs": {"a -> b": 0.7}, "roots": ["b"]}, ["belief 0.7", "roots"]),
        ({"required": ["a -> a"]}, ["'a'", "itself"]),
        ({"required": ["a b"]}, ["'a b'", "->"]),
        ({"roots": "a"}, ["roots", "list"]),
        ({"tiers": ["a", "b"]}, ["tiers", "list"]),
    ],
)
def test_a_contradiction_names_both_statements(statements, words):
    with pytest.raises(InputError) as error:
        Knowledge(**statements)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("entry", ["required", "forbidden", "beliefs", "roots", "sinks", "tiers"])
def test_an_unknown_column_is_named_with_the_nearest_one(entry):
    values = {
        "required": ["rain -> gras"],
        "forbidden": ["gras -> rain"],
        "beliefs": {"rain -> gras": 0.6},
        "roots": ["gras"],
        "sinks": ["gras"],
        "tiers": [["gras"]],
    }
    with pytest.raises(InputError, match=r"'gras'.*'grass'"):
        Knowledge(**{entry: values[entry]}).constraints(NAMES)


def test_an_unknown_key_or_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"require\b.*required"):
        Knowledge.from_dict({"require": ["a -> b"]})
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        Knowledge.from_yaml(tmp_path / "nowhere.yaml")
    (tmp_path / "bad.yaml").write_text("required: [a -> b")
    with pytest.raises(InputError, match=r"bad\.yaml"):
        Knowledge.from_yaml(tmp_path / "bad.yaml")
