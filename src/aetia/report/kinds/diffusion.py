"""An experiment with a diffusion model: pictures and numbers, files, page."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aetia.errors import ResultFileError
from aetia.report.context import RunContext
from aetia.report.kinds.run_kind import RunKind
from aetia.report.numbers import show
from aetia.report.sections.blocks import Facts, Figure, Section, Table
from aetia.results import RunFacts

__all__ = ["DIFFUSION", "DiffusionAnswers"]


@dataclass(frozen=True, eq=False, kw_only=True)
class DiffusionAnswers:
    """What came out of an experiment with a diffusion model.

    Attributes:
        words: Sentences that say what came out.
        numbers: Results by name.
        pictures: Caption to file, in the folder of the run.
        verdicts: Signal of the training to what its healthy range says, ``"ok"`` if it is fine.
        facts: What is known about the run: method, seed, time, steps, options.
        training: Plain facts about the training and the data.
        plain: All results in plain values.
    """

    words: Sequence[str]
    numbers: Mapping[str, Any]
    pictures: Mapping[str, Path]
    verdicts: Mapping[str, str] = field(default_factory=dict)
    facts: RunFacts = field(default_factory=RunFacts)
    training: Mapping[str, Any] = field(default_factory=dict)
    plain: Mapping[str, Any] = field(default_factory=dict)


_KEPT = ("words", "numbers", "verdicts", "training", "plain")


def _kept(answers: DiffusionAnswers) -> dict[str, Any]:
    pictures = {caption: file.name for caption, file in answers.pictures.items()}
    return {"pictures": pictures, **{name: getattr(answers, name) for name in _KEPT}}


def _write(answers: DiffusionAnswers, folder: Path) -> dict[str, Path]:
    files = {}
    for file in answers.pictures.values():
        files[file.stem] = folder / file.name
        if file.resolve() != files[file.stem].resolve():
            shutil.copyfile(file, files[file.stem])
    return files


def _read(folder: Path, summary: Mapping[str, Any]) -> DiffusionAnswers:
    return DiffusionAnswers(
        pictures={caption: folder / name for caption, name in summary["pictures"].items()},
        facts=RunFacts.from_dict(summary["facts"]),
        **{name: summary[name] for name in _KEPT},
    )


def _page(answers: DiffusionAnswers, context: RunContext) -> list[Section]:
    numbers = [{"quantity": k, "value": show(v)} for k, v in answers.numbers.items()]
    pictures = [
        Section(f"picture-{k}", caption, [Figure(_png(file), caption, "wide")])
        for k, (caption, file) in enumerate(answers.pictures.items())
    ]
    told = [(name, show(value)) for name, value in answers.training.items()]
    return [
        Section("answer", "", [Table(numbers)] if numbers else []),
        *pictures,
        Section("run", "", [Facts(told)]),
    ]


def _png(file: Path) -> str:
    try:
        return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()
    except OSError as error:
        raise ResultFileError(f"cannot read the picture {str(file)!r}: {error}") from error


DIFFUSION = RunKind[DiffusionAnswers](
    name="diffusion",
    facts=lambda answers: answers.facts,
    kept=_kept,
    write=_write,
    read=_read,
    words=lambda answers: list(answers.words),
    plain=lambda answers: answers.plain,
    page=_page,
    is_in_place=True,
)
