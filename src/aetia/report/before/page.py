"""What all report pages share: the template environment, numbers as text, tables of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aetia.files import plain_json
from aetia.version import __version__

__all__ = ["as_yaml", "column_rows", "render_page", "show"]


def render_page(template: str, **content: Any) -> str:
    """Render one HTML page without external files or scripts.

    Args:
        template: File in ``templates/``, which extends ``page.html.j2``.
        **content: What it shows; everything is escaped.

    Returns:
        HTML.
    """
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(
        loader=PackageLoader("aetia.report.before"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(version=__version__, **content)


def show(value: Any) -> str:
    """Write a value for people.

    Args:
        value: A number, a text, anything.

    Returns:
        Four digits of a float, thousands separated, the rest as it is.
    """
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float):
        return "–" if value != value else f"{value:.4g}"
    if isinstance(value, int) and abs(value) < 10**9:
        return f"{value:,}"
    return str(value)


def column_rows(summary: Mapping[str, Sequence[Any]] | None) -> list[dict[str, str]]:
    """Turn lists by field into rows for a table.

    Args:
        summary: As from ``Dataset.summary``; every list as long as the first.

    Returns:
        One mapping from field to text for each entry.
    """
    if not summary:
        return []
    keys = list(summary)
    return [{k: show(summary[k][i]) for k in keys} for i in range(len(summary[keys[0]]))]


def as_yaml(config: Mapping[str, Any]) -> str:
    """Write a configuration as YAML.

    Args:
        config: Nested plain values.

    Returns:
        Text.
    """
    import yaml

    return yaml.safe_dump(plain_json(config), sort_keys=False, allow_unicode=True)
