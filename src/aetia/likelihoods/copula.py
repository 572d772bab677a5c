"""The Gaussian copula: latent normal values behind columns of any kind, drawn with the graph."""

from __future__ import annotations

from dataclasses import dataclass

from aetia.options import check_positive

__all__ = ["GaussianCopula"]


@dataclass(frozen=True, kw_only=True)
class GaussianCopula:
    """Options of the Gaussian copula, for tables of any kinds of columns of up to 12 columns.

    It has no score tables: latent values are drawn together with the graph, in chains that mix
    badly (two chains differ by up to .98 in an edge), so that R-hat decides whether an answer can
    be used. ``"block"`` is the default for such tables.

    Attributes:
        alpha_mu: Rows that the prior mean of the latent values is worth.
    """

    alpha_mu: float = 0.1
    name = "copula"
    kinds = ("continuous", "binary", "count", "categorical")
    scaling = "none"

    def __post_init__(self) -> None:
        check_positive(self, "alpha_mu")
