"""Every option is read by code, and says in a full sentence what it does, in one wording."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from house.option_lines import OPTIONS, args_of, faults, is_read, texts_of, written

each = pytest.mark.parametrize("options", OPTIONS, ids=lambda o: o.config.__name__)


@each
def test_code_reads_every_option(options):
    assert [f for f in texts_of(options.config) if not is_read(options, f)] == []


def test_an_option_that_nothing_reads_is_found():
    dibs = next(o for o in OPTIONS if o.config.__name__ == "DiBSConfig")
    assert is_read(dibs, "n_latent")
    assert not is_read(dibs, "n_latents_that_nothing_reads")


@each
def test_every_option_says_in_a_sentence_what_it_does(options):
    bad = {f: found for f, text in texts_of(options.config).items() if (found := faults(text))}
    assert bad == {}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", "capital"),
        ("steps of the reverse chain, more are slower.", "capital"),
        ("Number of steps of the chain", "full stop"),
        ("Largest learning rate.", "five words"),
        ("Of the reverse chain of the sampler.", "preposition"),
    ],
)
def test_what_is_no_sentence_is_named(line, fault):
    assert any(fault in found for found in faults(line))


@pytest.mark.parametrize(
    "options", [o for o in OPTIONS if o.estimator], ids=lambda o: o.config.__name__
)
def test_the_arguments_of_an_estimator_are_described_as_its_options(options):
    args, texts = args_of(options.estimator), texts_of(options.config)
    different = {f: args.get(f) for f, text in texts.items() if args.get(f) != text}
    assert different == {}, "run tests/house/option_lines.py"


def test_lines_are_written_into_the_arguments():
    source = '''
class Some(Base):
    """Some estimator.

    Args:
        n_steps: Steps.
        seed: Source of
            randomness.

    Attributes:
        mean_: Result.
    """
'''
    some = SimpleNamespace(__name__="Some")
    namespace: dict = {"Base": object}
    exec(source, namespace)
    some = namespace["Some"]
    long = (
        "Number of updates of the chain; more are slower and " + "closer to the target " * 4 + "."
    )
    assert args_of(some) == {"n_steps": "Steps.", "seed": "Source of randomness."}
    after = written(source, some, {"n_steps": " ".join(long.split())})
    exec(after, namespace)
    assert args_of(namespace["Some"])["n_steps"] == " ".join(long.split())
    assert args_of(namespace["Some"])["seed"] == "Source of randomness."
    assert max(len(line) for line in after.splitlines()) <= 100
    assert after.endswith('        mean_: Result.\n    """\n')


def test_lines_of_inherited_fields_are_read_too():
    @dataclass
    class First:
        a: int = 1
        """Some number that both have."""

    @dataclass
    class Second(First):
        b: int = 2

    assert texts_of(Second) == {"a": "Some number that both have.", "b": ""}
