r"""Which likelihood a table of numbers is scored by: chosen by evidence, guarded by a test.

The additive likelihoods find directions where their assumption of additive noise holds, and
wrong ones where it does not, although their evidence is then high too. So the test of constant
variance (:mod:`aetia.likelihoods.variance_test`) comes first; a table that fails it is scored by
the block score, which takes no direction from residuals. Otherwise the largest evidence wins:

- ``bge`` and ``additive``: :math:`\log Z - \sum_j n_j J_j`, with :math:`J_j` the divergence of
  column j from a Gaussian, which puts them on the density of normal scores;
- ``normal-scores`` and ``rank-basis``: :math:`\log Z`.

A family must lead narrower ones clearly. A divergence below 30 nats for a column is within what
its estimate errs and does not count. When one of the latter two wins, the test on normal scores
must be passed as well. Log Z is relative to the empty graph. Averaging with splines costs log 2
for each variable with parents, so that a table in which all effects are linear goes to ``bge``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods.column_bases import normal_scores
from aetia.likelihoods.negentropy import negentropy
from aetia.likelihoods.row_groups import rows_of_variables
from aetia.likelihoods.variance_test import variance_limit

__all__ = [
    "FAMILIES",
    "LikelihoodChoice",
    "choose_by_evidence",
    "noise_is_additive",
    "non_gaussian_nats",
]

FAMILIES = ("bge", "additive", "normal-scores", "rank-basis")
"""Likelihoods whose evidence is compared; of equals, the first wins."""

NON_GAUSSIAN_ABOVE = 30.0
"""Divergence of a column in nats, over all its rows, from which it counts."""
FEW_ROWS = 500
"""Below this number of rows the block score has two columns a variable instead of three."""

CLEARLY_AHEAD = 2.0
"""Nats a column by which a wider family must lead a narrower one: where its assumption holds it
leads by far more, and a few nats are gained by wrong models too, above all on few rows."""
_STEPS = {"bge": 0, "additive": 1, "normal-scores": 1, "rank-basis": 2}
"""How far a family goes beyond linear effects."""

_ON_TABLE = ("bge", "additive")
"""Families on the scale of the table."""

_WORDS = {
    "bge": "effects are linear",
    "additive": "effects add up on the scale of the table",
    "normal-scores": "effects add up after each column is made normal by its ranks",
    "rank-basis": "effects are rough functions of the ranks",
}


@dataclass(frozen=True, kw_only=True)
class LikelihoodChoice:
    """A likelihood and why it was chosen.

    Attributes:
        name: Registered name of the likelihood.
        options: Options of it that differ from its defaults.
        reason: One or two sentences for people.
        numbers: What was compared, in nats: ``log_evidence_<family>`` on one density,
            ``variance_evidence_<scale>``, and ``non_gaussian``, the divergences that count.
    """

    name: str
    reason: str
    options: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)


def noise_is_additive(variance_evidence: float, d: int = 15) -> bool:
    """Say whether a table passes the test, so that evidences need to be compared at all.

    Args:
        variance_evidence: V of the additive likelihood, in nats.
        d: Number of variables; from 15 on the limit is the same.

    Returns:
        False above the limit, 20 nats for large tables.
    """
    return not variance_evidence > variance_limit(d)


def non_gaussian_nats(data: Dataset) -> Float[Tensor, " d"]:
    """Compute the evidence of each column for normal scores, against its own scale.

    Args:
        data: A complete table.

    Returns:
        Divergence of the column from a Gaussian less that of its normal scores, times the rows in
        which it was not set by intervention. A column with two values has none: its normal scores
        are the same up to units.
    """
    out = torch.zeros(data.d, dtype=torch.float64)
    for rows, nodes in rows_of_variables(data.values.shape, data.intervened):
        values = torch.from_numpy(data.values[rows][:, nodes])
        gain = negentropy(values) - negentropy(normal_scores(values))
        out[nodes] = len(rows) * gain.clamp_min(0.0)
    return out


def choose_by_evidence(
    log_evidence: Mapping[str, float],
    variance_evidence: Mapping[str, float],
    divergences: Float[Tensor, " d"],
    n: int,
) -> LikelihoodChoice:
    """Choose the likelihood of a table.

    Args:
        log_evidence: Log Z over all graphs of each family, its scores relative to the empty parent
            sets, under one structure prior. Families that are missing are not considered; none is
            needed when the noise is not additive on the scale of the table.
        variance_evidence: V in nats on the scale of the table (``"additive"``) and, if known, on
            ``"normal-scores"``.
        divergences: Divergence of each column from a Gaussian, in nats over all rows
            (:func:`non_gaussian_nats`).
        n: Number of rows.

    Returns:
        The choice.

    Raises:
        InputError: If there is nothing to choose from.
    """
    far_from_normal = divergences[divergences > NON_GAUSSIAN_ABOVE]
    evidence = {name: float(log_evidence[name]) for name in FAMILIES if name in log_evidence}
    for name in evidence.keys() & set(_ON_TABLE):
        evidence[name] -= float(far_from_normal.sum())
    numbers = {f"log_evidence_{name}": value for name, value in evidence.items()}
    numbers |= {f"variance_evidence_{name}": float(v) for name, v in variance_evidence.items()}
    numbers["non_gaussian"] = float(far_from_normal.sum())
    on_table = float(variance_evidence["additive"])
    limit = variance_limit(len(divergences))
    if on_table > limit:
        return _block(on_table, limit, len(far_from_normal), n, numbers)
    if not evidence:
        raise InputError(
            f"choose_by_evidence: no evidence given for any of {', '.join(FAMILIES)}; "
            f"got {', '.join(log_evidence) or 'none'}."
        )
    margin = CLEARLY_AHEAD * len(divergences)
    ranked = sorted(evidence, key=lambda name: margin * _STEPS[name] - evidence[name])
    best = ranked[0]
    after = float(variance_evidence.get("normal-scores", 0.0))
    if best not in _ON_TABLE and after > limit:
        return _block(after, limit, 0, n, numbers)
    reason = f"By evidence {_WORDS[best]}"
    if len(ranked) > 1:
        lead = evidence[best] - evidence[ranked[1]]
        reason += (
            f", {lead:.0f} nats ahead of '{ranked[1]}'"
            if lead >= 0
            else f": '{ranked[1]}' leads by {-lead:.0f} nats only, and {margin:.0f} are asked for"
        )
    reason += f"; noise is additive (evidence of {on_table:.0f} nats against it)."
    return LikelihoodChoice(name=best, reason=reason, numbers=numbers)


def _block(
    variance_evidence: float,
    limit: float,
    n_far_from_normal: int,
    n: int,
    numbers: dict[str, float],
) -> LikelihoodChoice:
    reason = (
        "The noise is not additive: directions come from conditional independence only "
        f"(evidence of {variance_evidence:.0f} nats that noise varies with the causes; "
        f"the limit is {limit:.0f})."
    )
    if n_far_from_normal:
        columns = "1 column is" if n_far_from_normal == 1 else f"{n_far_from_normal} columns are"
        reason += (
            f" {columns} far from normal: if a logarithm is the natural scale, take it and run "
            "again; the noise may be additive there."
        )
    options = {"n_columns": 3 if n >= FEW_ROWS else 2}
    return LikelihoodChoice(name="block", options=options, reason=reason, numbers=numbers)
