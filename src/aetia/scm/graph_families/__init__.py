"""Families of random DAGs for simulation, by their expected number of edges.

Undirected constructions are directed along a uniformly random order, and every sampler ends with
a uniformly random relabelling, so that the index of a variable says nothing. These are samplers;
the graph distributions of :mod:`aetia.graphs` are priors with a log-probability.
"""

from aetia.scm.graph_families.blocks import Blocks
from aetia.scm.graph_families.edge_coins import EdgeCoins
from aetia.scm.graph_families.geometric import Geometric
from aetia.scm.graph_families.graph_mixture import GRAPH_FAMILIES, GraphMixture
from aetia.scm.graph_families.network_modules import NetworkModules
from aetia.scm.graph_families.preferential_attachment import PreferentialAttachment
from aetia.scm.graph_families.protocol import GraphFamily
from aetia.scm.graph_families.small_world import SmallWorld

__all__ = [
    "GRAPH_FAMILIES",
    "Blocks",
    "EdgeCoins",
    "Geometric",
    "GraphFamily",
    "GraphMixture",
    "NetworkModules",
    "PreferentialAttachment",
    "SmallWorld",
]
