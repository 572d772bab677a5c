"""A page: title, lead and sections in one HTML file without external files or scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from aetia.report.sections.blocks import Section
from aetia.report.sections.shared import (
    answer,
    data,
    diagnostics,
    method_name,
    run,
)
from aetia.version import __version__

if TYPE_CHECKING:
    from aetia.report.checks import Finding
    from aetia.report.context import RunContext
    from aetia.report.kinds.run_kind import RunKind

__all__ = ["Page", "html_of", "run_page"]


@dataclass(frozen=True, kw_only=True)
class Page:
    """What one HTML file shows.

    Attributes:
        title: Heading.
        lead: One line under it.
        sections: Its parts, from top to bottom.
        alert: Why not to rely on it; empty where nothing is known.
        footer: What the answer is conditional on.
        links: File beside the page to the text of a link to it.
    """

    title: str
    lead: str
    sections: Sequence[Section]
    alert: str = ""
    footer: str = ""
    links: Sequence[tuple[str, str]] = ()


def html_of(page: Page) -> str:
    """Render a page.

    Args:
        page: What it shows; everything is escaped.

    Returns:
        HTML.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("aetia.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = _breakable
    environment.tests["block"] = lambda block, name: type(block).__name__ == name
    return environment.get_template("page.html.j2").render(page=page, version=__version__)


def _breakable(text: Any) -> Markup:
    """Let a long name break at its underscores."""
    return Markup(str(escape(text)).replace("_", "_<wbr>"))


def run_page(
    kind: RunKind[Any],
    answers: Any,
    context: RunContext,
    found: Sequence[Finding],
    *,
    links: Iterable[str] = (),
) -> str:
    """Make the page of a run: answer, first figure, what can be trusted, everything else.

    Args:
        kind: Kind of its answers.
        answers: What it found.
        context: What stands around them.
        found: What the checks found.
        links: Health pages beside it.

    Returns:
        HTML.
    """
    facts = kind.facts(answers)
    own = kind.page(answers, context)
    added = {section.id: section.blocks for section in own if section.id in ("answer", "run")}
    others = [section for section in own if section.id not in added]
    table = data(context)
    page = Page(
        title=context.title,
        lead=method_name(facts) + (f" on {context.source}." if context.source else "."),
        sections=[
            answer(kind.words(answers), added.get("answer", ())),
            *others[:1],
            *diagnostics(found, context.warnings),
            *others[1:],
            *([] if table is None else [table]),
            run(facts, added.get("run", ())),
        ],
        alert=kind.alert(answers),
        footer=kind.footer,
        links=[(name, "Training health") for name in links],
    )
    return html_of(page)
