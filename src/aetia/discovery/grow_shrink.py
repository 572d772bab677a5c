r"""Parents chosen by growing and shrinking under the BGe score, for many variables at once.

Growing adds the best parent of a variable as long as it is worth more than nothing; shrinking then
takes away the worst as long as the rest is worth more without it (Margaritis & Thrun, 1999). With
:math:`R_{ab|S}` the posterior scale given the chosen parents S, the score of u with l parents is

.. math:: c_l + (a_l + b_l) \log|R_{SS}| + b_l \log R_{uu|S},

and one more parent x changes it through :math:`R_{xx|S}` and :math:`R_{ux|S}` alone, which a
Cholesky factor gives for all x: O(d l) for a step.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.graphs import Constraints
from aetia.likelihoods.bge import BGeScore

__all__ = ["GrowShrink", "ParentChoices"]

_TOLERANCE = 1e-9
_MAX_CELLS = 4_000_000


class ParentChoices(NamedTuple):
    """What growing and shrinking chose in each of several runs."""

    parents: Bool[Tensor, "runs d"]
    """The choices after shrinking."""
    grown: Bool[Tensor, "runs d"]
    """All that were chosen on the way; without any other variable the run would be the same."""
    lead: Float[Tensor, "runs d"]
    """How far each variable was ahead of what was chosen, at most over the steps. A variable that
    was not allowed would have changed the run exactly where this is positive."""
    log_score: Float[Tensor, " runs"]
    """Log evidence, structure prior and beliefs of the choices."""


class GrowShrink:
    """The score of one table, arranged for growing and shrinking.

    Args:
        scores: BGe bound to the data.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge; required parents are never taken away, forbidden ones never added.
        max_parents: Largest number of parents.
    """

    def __init__(
        self,
        scores: BGeScore,
        count_terms: Float[Tensor, " d"],
        constraints: Constraints,
        max_parents: int,
    ) -> None:
        d = len(count_terms)
        constant, by_parents, by_family = scores.size_terms()
        constant = constant + count_terms.double()
        constant[:, max_parents + 1 :] = -torch.inf
        self.d = d
        self._scale = scores.posterior_scale
        self._least = float(scores.prior_scale)  # R exceeds t I, so that no complement is smaller
        self._constant = constant
        # One more entry says that d parents are impossible.
        self._step = (constant[:, 1:] - constant[:, :-1]).nan_to_num(nan=-torch.inf)
        self._step = torch.cat([self._step, torch.full_like(constant[:, :1], -torch.inf)], dim=1)
        self._family = torch.cat([by_family, by_family[:, -1:]], dim=1)
        self._determinant = (by_parents + by_family)[:, 0]  # the same for every l
        never = constraints.forbidden | torch.eye(d, dtype=torch.bool)
        self._odds = constraints.log_odds.double().masked_fill(never, -torch.inf).mT.contiguous()
        self._required = constraints.required.mT.contiguous()
        self._any_required = bool(constraints.required.any())

    def __call__(
        self, node: Int64[Tensor, " runs"], allowed: Bool[Tensor, "runs d"]
    ) -> ParentChoices:
        """Choose parents.

        Args:
            node: The variable of each run.
            allowed: Its possible parents, for example those before it in an order.

        Returns:
            The choices, a function of each run alone.
        """
        width = max(1, _MAX_CELLS // (8 * self.d))
        parts = [
            self._shrink(node[part], *self._grow(node[part], allowed[part]))
            for part in torch.arange(len(node)).split(width)
        ]
        if len(parts) == 1:
            return parts[0]
        return ParentChoices(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def _matrix(self, node: Tensor) -> Tensor:
        return torch.zeros_like(node) if len(self._scale) == 1 else node

    def _grow(self, node: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        """Add parents one by one, and see what others would have been worth."""
        n_runs, d = allowed.shape
        grown = torch.zeros(n_runs, d, dtype=torch.bool)
        lead = torch.full((n_runs, d), -torch.inf, dtype=torch.float64)
        runs, which = torch.arange(n_runs), self._matrix(node)
        odds = self._odds[node]
        barred = ~allowed
        forced = self._required[node] & allowed if self._any_required else None
        own = self._scale.diagonal(dim1=-2, dim2=-1)[which]  # R_xx|S
        cross = self._scale[which, node]  # R_ux|S
        rest = own.gather(1, node[:, None])  # R_uu|S
        factors = own.new_empty(8, n_runs, d)
        for l in range(d):
            step, family = self._step[which, l, None], self._family[which]
            explained = (rest - cross.square() / own).clamp_min(self._least)
            gains = self._determinant[which, None] * own.log()
            gains += family[:, l + 1, None] * explained.log()
            gains += odds + (step - family[:, l, None] * rest.log())
            choice = gains.masked_fill(barred, -torch.inf)
            if forced is not None:
                choice = choice.masked_fill(forced, torch.inf)
            best, added = choice.max(1)
            lead[runs] = torch.maximum(lead[runs], gains - best.clamp_min(0.0)[:, None])
            going = (best > 0).nonzero().flatten()
            if len(going) == 0:
                break
            if len(going) < len(runs):
                runs, which, added = runs[going], which[going], added[going]
                odds, barred = odds[going], barred[going]
                own, cross, explained = own[going], cross[going], explained[going]
                factors = factors[:, going]
                forced = None if forced is None else forced[going]
            at = added[:, None]
            grown[runs, added] = True
            odds = odds.scatter(1, at, -torch.inf)
            barred = barred.scatter(1, at, True)
            if forced is not None:
                forced = forced.scatter(1, at, False)
            if l == len(factors):
                factors = torch.cat([factors, torch.empty_like(factors)])
            row = self._scale[which, added]
            if l > 0:
                known = factors[:l]
                index = at.expand(l, -1, 1)
                row = row - (known * known.gather(2, index)).sum(0)
            pivot = own.gather(1, at)
            row = row / pivot.sqrt()
            factors[l] = row
            rest = explained.gather(1, at)
            cross = cross - row * (cross.gather(1, at) / pivot.sqrt())
            own = (own - row.square()).clamp_min(self._least)
        return grown, lead

    def _shrink(self, node: Tensor, grown: Tensor, lead: Tensor) -> ParentChoices:
        """Take parents away one by one, by the inverse of the scale of parents and child."""
        which = self._matrix(node)
        parents, sizes = grown.clone(), grown.sum(1)
        width = int(sizes.max()) if len(node) else 0
        # Members in the first columns, then places that stand for nothing, the child last.
        members = (~grown).to(torch.uint8).argsort(dim=1, stable=True)[:, :width]
        real = torch.arange(width) < sizes[:, None]
        family = torch.cat([members, node[:, None]], dim=1)
        filled = torch.cat([real, torch.ones_like(real[:, :1])], dim=1) if width else None
        block = self._scale[which[:, None, None], family[:, :, None], family[:, None, :]]
        if filled is not None:
            eye = torch.eye(width + 1, dtype=block.dtype)
            block = torch.where(filled[:, :, None] & filled[:, None, :], block, eye)
        factor = torch.linalg.cholesky(block)
        logs = 2.0 * factor.diagonal(dim1=-2, dim2=-1).log()
        log_score = (
            self._constant[which, sizes]
            + self._determinant[which] * logs[:, :-1].sum(1)
            + self._family[which, sizes] * logs[:, -1]
            + self._odds[node].masked_fill(~grown, 0.0).sum(1)
        )
        runs = (sizes > 1).nonzero().flatten()
        if len(runs) == 0:
            return ParentChoices(parents, grown, lead, log_score)
        node, which, sizes = node[runs], which[runs], sizes[runs]
        members, real = members[runs], real[runs]
        inverse = torch.cholesky_inverse(factor[runs])
        odds = self._odds[node].gather(1, members)
        if self._any_required:
            real = real & ~self._required[node].gather(1, members)
        while True:
            own = inverse.diagonal(dim1=-2, dim2=-1)
            child = own[:, -1:]
            others = own[:, :-1]
            apart = others - inverse[:, :-1, -1].square() / child  # inverse without the child
            gains = self._determinant[which, None] * apart.log()
            gains += self._family[which, sizes - 1, None] * (others / (apart * child)).log()
            gains += (self._family[which, sizes] * child[:, 0].log())[:, None] - odds
            gains -= self._step[which, sizes - 1, None]
            best, left = gains.masked_fill(~real, -torch.inf).max(1)
            going = (best > _TOLERANCE).nonzero().flatten()
            if len(going) == 0:
                return ParentChoices(parents, grown, lead, log_score)
            runs, which, sizes = runs[going], which[going], sizes[going] - 1
            members, odds, left = members[going], odds[going], left[going]
            log_score[runs] += best[going]
            at = left[:, None]
            parents[runs, members.gather(1, at)[:, 0]] = False
            real = real[going].scatter(1, at, False)
            inverse = inverse[going]
            column = inverse.gather(2, at[:, :, None].expand(-1, inverse.shape[1], 1))
            pivot = column.gather(1, at[:, :, None])
            inverse = inverse - column * column.mT / pivot
            # The place stands for nothing from now on.
            diagonal = inverse.diagonal(dim1=-2, dim2=-1)
            diagonal.scatter_(1, at, 1.0)
