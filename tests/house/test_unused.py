"""Functions, classes and constants that a module offers are used by the package or by its users.

vulture (``make check``) takes every name in ``__all__`` for used; this test does not.
"""

import ast
from collections import Counter
from pathlib import Path

import pytest

import aetia

PACKAGE = Path(aetia.__file__).parent

FOR_USERS = {
    "CIFAR10_NAMES",
    "ChangedMechanisms",
    "d_separated",
    "load_images_model",
    "load_mnist",
    "load_toy",
    "markov_equivalent",
    "rank_p_value",
    "read_ihdp",
    "seed_record",
    "simulate_lorenz96",
    "sliced_wasserstein",
}
"""Offered by a room's ``__init__`` or named in the docs."""

PROTOCOLS = {"EffectDesign", "GraphFamily", "Likelihood"}
"""What a user's own class has to have; tests check that the package's own classes have it."""

FOR_BENCHMARKS = {
    "cosine_columns",
    "missing_cells",
    "mixture_table",
    "nonlinear_factors",
    "relocations",
    "swiss_roll",
}
"""Compared or timed in ``benchmarks/``."""

FOR_TESTS = {"hook_draw", "hook_log_probability"}
"""Inner steps of compiled loops, which Python can call only under a name of their own."""

FOR_DOCS = {"checks_page"}
"""Pages of the documentation that tests compare with what they are made from."""

ALLOWED = FOR_DOCS | FOR_USERS | PROTOCOLS | FOR_BENCHMARKS | FOR_TESTS


def reads(tree: ast.AST) -> Counter[str]:
    """Count names that are read, but for those inside a definition of the same name."""
    found: Counter[str] = Counter()

    def walk(node: ast.AST, inside: frozenset[str]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load):
                found[child.id] += child.id not in inside
            elif isinstance(child, ast.Attribute):
                found[child.attr] += 1
            named = isinstance(child, (ast.FunctionDef, ast.ClassDef))
            walk(child, inside | {child.name} if named else inside)

    walk(tree, frozenset())
    return found


def definitions(tree: ast.Module) -> list[str]:
    """List what a module defines at its top level, but for what a decorator registers."""
    names = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            marks = [ast.unparse(d) for d in node.decorator_list]
            if not any(mark.startswith(("app.", "check(")) for mark in marks):
                names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [t.id for t in node.targets if isinstance(t, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
    return [name for name in names if not name.startswith("__")]


@pytest.fixture(scope="module")
def unused() -> dict[str, str]:
    trees = {p: ast.parse(p.read_text(encoding="utf-8")) for p in sorted(PACKAGE.rglob("*.py"))}
    read = sum((reads(tree) for tree in trees.values()), Counter())
    return {
        name: str(path.relative_to(PACKAGE))
        for path, tree in trees.items()
        if "compat" not in path.relative_to(PACKAGE).parts  # another package's interface
        for name in definitions(tree)
        if not read[name] and name not in aetia.__all__
    }


def test_nothing_is_defined_that_nobody_uses(unused):
    assert {n: where for n, where in unused.items() if n not in ALLOWED} == {}


def test_the_list_of_exceptions_holds_no_name_that_is_used_or_gone(unused):
    assert ALLOWED - set(unused) == set()
