"""The interface of the package bayesgm (Liu & Wong), on top of aetia's own classes.

``bayesgm`` becomes ``aetia.compat.bayesgm`` in imports; docs/bayesgm-compat.md lists what differs
on purpose. New code is better off with :mod:`aetia.effects` and :mod:`aetia.generation`.
"""

from aetia.compat.bayesgm.config_files import load_config
from aetia.compat.bayesgm.models import (
    BGM,
    MNISTBGM,
    CausalBGM,
    FullMCMCCausalBGM,
    IdentifiableCausalBGM,
)
from aetia.version import __version__

__all__ = [
    "BGM",
    "MNISTBGM",
    "CausalBGM",
    "FullMCMCCausalBGM",
    "IdentifiableCausalBGM",
    "__version__",
    "load_config",
]
