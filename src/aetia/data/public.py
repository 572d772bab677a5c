"""Public data sets: some ship inside dependencies, the others are read from a path or fetched."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aetia.data.dataset import Dataset
from aetia.data.tables import as_dataset
from aetia.data.truth import Labelled, Truth
from aetia.errors import InputError, MissingDependencyError
from aetia.files import write_atomically
from aetia.options import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PUBLIC_DATA", "PublicData", "cache_folder", "load_public"]

_CDT = (
    "https://raw.githubusercontent.com/FenTechSolutions/CausalDiscoveryToolbox/"
    "4aa0d0df0d9cb252c2dbdd247b2a9c810e5dfeeb/cdt/data/resources/cyto_full_data.csv"
)

_SACHS_NAMES = {
    "praf": "Raf",
    "pmek": "Mek",
    "plcg": "Plcg",
    "PIP2": "PIP2",
    "PIP3": "PIP3",
    "p44/42": "Erk",
    "pakts473": "Akt",
    "PKA": "PKA",
    "PKC": "PKC",
    "P38": "P38",
    "pjnk": "Jnk",
}

SACHS_CONSENSUS = (
    "Raf-Mek Plcg-PIP3 Plcg-PIP2 PIP3-PIP2 Mek-Erk PKA-Raf PKA-Mek PKA-Erk PKA-Akt PKA-Jnk "
    "PKA-P38 PKC-Raf PKC-Mek PKC-PKA PKC-Jnk PKC-P38 Erk-Akt"
)
"""The 17-edge consensus graph that most papers score."""


@dataclass(frozen=True, kw_only=True)
class PublicData:
    """One entry of the registry.

    Attributes:
        description: One line for people.
        rows: Number of rows.
        columns: Number of columns.
        extra: Extra of aetia that brings the data, or None.
        url: Address the file is fetched from, or None when it ships with a dependency.
        sha256: Checksum that the file must have.
        read: Makes the table from the file's path, or from nothing.
    """

    description: str
    rows: int
    columns: int
    read: Callable[[Path | None], Dataset | Labelled]
    extra: str | None = None
    url: str | None = None
    sha256: str | None = None

    @property
    def is_offline(self) -> bool:
        """Whether the table ships inside an installed dependency."""
        return self.url is None


def load_public(
    name: str, *, path: str | Path | None = None, offline: bool | None = None
) -> Dataset | Labelled:
    """Load a public data set by name.

    Args:
        name: One of ``PUBLIC_DATA``.
        path: A copy of the file on disk; its checksum is verified.
        offline: Never use the network. None takes the environment variable ``AETIA_OFFLINE``.

    Returns:
        The table, with its reference graph where there is one.

    Raises:
        InputError: If the name is unknown, the file is not at hand, or its checksum is wrong.
    """
    if name not in PUBLIC_DATA:
        raise InputError(
            f"no public data set {name!r}.{nearest(name, list(PUBLIC_DATA))} "
            f"Known: {', '.join(PUBLIC_DATA)}."
        )
    entry = PUBLIC_DATA[name]
    if entry.is_offline:
        return entry.read(None)
    if offline is None:
        offline = os.environ.get("AETIA_OFFLINE", "") not in ("", "0")
    file = Path(path) if path is not None else cache_folder() / f"{name}.csv"
    if not file.exists():
        if path is not None:
            raise InputError(f"no such file: {str(file)!r}.")
        if offline:
            raise InputError(
                f"data set {name!r} is not in the cache ({file}) and the network is switched off. "
                f"Fetch {entry.url} elsewhere and pass path=FILE, or unset AETIA_OFFLINE."
            )
        _fetch(name, str(entry.url), str(entry.sha256), file)
    _verify(name, file, str(entry.sha256))
    return entry.read(file)


def cache_folder() -> Path:
    """Find the folder for fetched files.

    Returns:
        ``$AETIA_CACHE``, or ``aetia`` in the user's cache folder.
    """
    if os.environ.get("AETIA_CACHE"):
        return Path(os.environ["AETIA_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aetia"


def _fetch(name: str, url: str, sha256: str, file: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            content = response.read()
    except (urllib.error.URLError, OSError) as error:
        raise InputError(
            f"cannot fetch data set {name!r} from {url} ({error}). Fetch it elsewhere and pass "
            "path=FILE."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise InputError(
            f"what {url} returned is not data set {name!r}: its SHA-256 is {found}, expected "
            f"{sha256}. Nothing was stored."
        )
    write_atomically(file, content)


def _verify(name: str, file: Path, sha256: str) -> None:
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != sha256:
        raise InputError(
            f"{str(file)!r} is not the expected copy of data set {name!r}: its SHA-256 is {found}, "
            f"expected {sha256}. Delete it, or pass path= of the right file."
        )


def _diabetes(_: Path | None) -> Dataset:
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False)["frame"]  # pyright: ignore
    renamed = {
        "bp": "blood_pressure",
        "s1": "cholesterol",
        "s2": "ldl",
        "s3": "hdl",
        "s4": "chol_hdl_ratio",
        "s5": "log_triglycerides",
        "s6": "glucose",
        "target": "progression",
    }
    return as_dataset(frame.rename(columns=renamed), source="diabetes (Efron et al., 2004)")


def _from_sklearn(loader: str, source: str) -> Callable[[Path | None], Dataset]:
    def read(_: Path | None) -> Dataset:
        from sklearn import datasets

        frame = getattr(datasets, loader)(as_frame=True).frame
        frame.columns = [str(c).replace(" ", "_") for c in frame.columns]
        return as_dataset(frame, source=source)

    return read


def _from_statsmodels(module: str, source: str) -> Callable[[Path | None], Dataset]:
    def read(_: Path | None) -> Dataset:
        return as_dataset(_statsmodels_frame(module), source=source)

    return read


def _statsmodels_frame(module: str) -> pd.DataFrame:
    try:
        import statsmodels.datasets as datasets
    except ImportError as error:
        raise MissingDependencyError(
            f"data set {module!r} ships with statsmodels: pip install 'aetia[data]'."
        ) from error
    return getattr(datasets, module).load_pandas().data


def _macro(_: Path | None) -> Dataset:
    """Make a time series of rates: the published levels grow, and levels have no fixed mean."""
    import pandas as pd

    levels = _statsmodels_frame("macrodata")
    frame = pd.DataFrame({"year": levels["year"] + (levels["quarter"] - 1) / 4})
    grows = {
        "realgdp": "gdp",
        "realcons": "consumption",
        "realinv": "investment",
        "realgovt": "government",
        "realdpi": "income",
        "m1": "money",
    }
    for column, name in grows.items():
        frame[name] = 400 * np.diff(np.log(levels[column]), prepend=np.nan)
    stay = {"infl": "inflation", "tbilrate": "bill_rate", "unemp": "unemployment"}
    for column, name in stay.items():
        frame[name] = levels[column]
    return as_dataset(
        frame.iloc[1:], source="US macroeconomy, quarters of 1959-2009 (FRED; growth in % a year)"
    )


def _sachs(file: Path | None) -> Labelled:
    import pandas as pd

    assert file is not None
    frame = pd.read_csv(file).rename(columns=_SACHS_NAMES)
    data = as_dataset(
        frame, source="Sachs et al. (2005), 7,466 cells, observational and interventional pooled"
    )
    graph = np.zeros((data.d, data.d), dtype=bool)
    for edge in SACHS_CONSENSUS.split():
        a, b = edge.split("-")
        graph[data.names.index(a), data.names.index(b)] = True
    return Labelled(data, Truth(graph=graph, names=data.names))


PUBLIC_DATA: dict[str, PublicData] = {
    "diabetes": PublicData(
        description="442 diabetes patients: age, sex, body mass, blood serum, progression",
        rows=442,
        columns=11,
        read=_diabetes,
    ),
    "wine": PublicData(
        description="178 Italian wines: chemical analysis and cultivar",
        rows=178,
        columns=14,
        read=_from_sklearn("load_wine", "wine (Forina et al., 1988)"),
    ),
    "breast-cancer": PublicData(
        description="569 breast tumours: cell nucleus measurements and diagnosis",
        rows=569,
        columns=31,
        read=_from_sklearn("load_breast_cancer", "breast cancer Wisconsin (Wolberg, 1995)"),
    ),
    "randhie": PublicData(
        description="RAND health insurance experiment: doctor visits, insurance plan, health",
        rows=20_190,
        columns=10,
        extra="data",
        read=_from_statsmodels("randhie", "RAND health insurance experiment (Deb & Trivedi, 2002)"),
    ),
    "fair": PublicData(
        description="6,366 marriages: affairs, age, children, religiousness, education",
        rows=6_366,
        columns=9,
        extra="data",
        read=_from_statsmodels("fair", "Fair (1978)"),
    ),
    "macro": PublicData(
        description="202 quarters of the US economy, a time series (--time year): growth, prices",
        rows=202,
        columns=10,
        extra="data",
        read=_macro,
    ),
    "sachs": PublicData(
        description="7,466 cells, 11 phosphoproteins, with the 17-edge consensus graph",
        rows=7_466,
        columns=11,
        url=_CDT,
        sha256="fc331dcd0bc1d8765986b88cd1d23dd5a3f52e4ffc299fdf96de9d522ddf01aa",
        read=_sachs,
    ),
}
"""Name to public data set."""
