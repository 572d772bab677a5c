"""What every verb does in the same way: options, files of options, JSON, verdicts, folders."""

from __future__ import annotations

import contextlib
import json
import re
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import typer
import yaml

from aetia.cli import options as shared
from aetia.cli.app import app
from aetia.cli.main import main
from aetia.cli.method_options import read_method
from aetia.cli.option_texts import known_options, methods_by_verb
from aetia.cli.request import Request
from aetia.cli.verbs.diffusion import flags_of
from aetia.generation.diffusion.experiments import toy_experiment
from aetia.likelihoods import LIKELIHOODS
from aetia.options import nearest, options_dict
from aetia.results import GraphPosterior

pytestmark = pytest.mark.usefixtures("no_pictures_in_module")

FEW = {
    "exact": [],
    "order-mcmc": ["max_seconds=20", "n_chains=2", "tolerance=0.3"],
    "dibs": ["n_steps=30", "n_particles=4", "n_likelihood_graphs=4", "n_acyclicity_graphs=2"],
    "avici": [],
    "bcnp": [],
    "rcgnn": ["n_resamples=2"],
    "causalbgm": ["n_egm_steps=20", "n_draws=20", "n_replicates=1"],
    "identifiable": ["n_egm_steps=20", "n_draws=20", "n_replicates=1", "auxiliary=random"],
    "full-mcmc": [
        *("n_egm_steps=20", "n_draws=20", "n_sweeps=6", "n_warmup=3", "n_kept=6", "n_leapfrog=2"),
        *("n_folds=1", "n_replicates=2"),
    ],
    "bgm": ["n_steps=20", "n_warmup=10", "n_starts=20"],
    "dddm": ["n_training_steps=10", "hidden_units=[16,16]"],
}
"""Settings with which a method says nothing, quickly."""

METHODS = {name: entry for known in methods_by_verb().values() for name, entry in known.items()}
STUDY = ["--treatment", "drug", "--outcome", "health"]


def run(*words) -> int:
    return main([str(w) for w in words])


def few(method: str) -> list[str]:
    return ["--method", method, *(w for s in FEW[method] for w in ("--set", s)), "--quiet"]


def strictly(text: str):
    """Read JSON as every reader does: NaN is none."""

    def refuse(word):
        raise AssertionError(f"a bare {word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Numbers, arms, and a column of each kind that one wants to leave out."""
    rng = np.random.default_rng(0)
    age, drug = rng.normal(size=80), rng.integers(0, 2, 80)
    frame = pd.DataFrame(
        {
            "age": age,
            "drug": drug,
            "health": age + drug + rng.normal(size=80),
            "note": rng.normal(size=80),
            "ward": rng.normal(size=80),
        }
    )
    path = tmp_path_factory.mktemp("same") / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def holes(table):
    frame = pd.read_csv(table)
    frame.loc[::9, "age"] = np.nan
    path = table.with_name("holes.csv")
    frame.to_csv(path, index=False)
    return path


def asking(verb: str, table, holes) -> list:
    """Ask a verb for something small, with its usual method."""
    return {
        "discover": ["discover", table, *few("exact")],
        "recordings": ["discover", table, *few("rcgnn")],
        "effect": ["effect", table, *STUDY, *few("causalbgm")],
        "impute": ["impute", holes, "--n-draws", 5, "--check-share", 0, *few("bgm")],
        "generate": ["generate", table, "--rows", 20, *few("bgm")],
        "corrupt": ["corrupt", table, "--preset", "mild"],
        "simulate": ["simulate", "-d", 3, "-n", 30, "--edges-per-node", 0.5],
        "toy": [
            *("diffusion", "toy", "--epochs", 2, "--batch", 8, "--m", 2, "--steps", 1),
            *("--eval-samples", 20, "--quiet"),
        ],
    }[verb]


FITTING = ("discover", "recordings", "effect", "impute", "generate")
VERBS = (*FITTING, "corrupt", "simulate", "toy")


class Ran(NamedTuple):
    """One run of a verb with --json."""

    out: Path
    printed: dict
    n_reads: int
    """How often the user's table was read."""
    n_loads: int
    """How often the user's file of options was read."""


@pytest.fixture(scope="module")
def ran(table, holes, tmp_path_factory):
    """Run each verb once, when it is first asked for."""
    done: dict[str, Ran] = {}
    read, load = pd.read_csv, yaml.safe_load

    def of(verb: str) -> Ran:
        if verb in done:
            return done[verb]
        folder, seen = tmp_path_factory.mktemp(verb), []
        words = [*asking(verb, table, holes), "--seed", 3, "--json", "--out", folder / "run"]
        if verb in FITTING:
            (folder / "options.yaml").write_text("# mine\n")
            words += ["--config", folder / "options.yaml"]
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(StringIO()) as said:
            patch.setattr(pd, "read_csv", lambda f, *a, **k: seen.append(f) or read(f, *a, **k))
            patch.setattr(yaml, "safe_load", lambda text: seen.append(text) or load(text))
            assert run(*words) == 0
        n_reads = sum(str(f) in (str(table), str(holes)) for f in seen)
        printed = strictly(said.getvalue())
        done[verb] = Ran(folder / "run", printed, n_reads, seen.count("# mine\n"))
        return done[verb]

    return of


# -- files of options ---------------------------------------------------------------------


def from_file(file, method=None, default="none"):
    return read_method(Request(method=method, config=file, settings=None), METHODS, default)


@pytest.mark.parametrize("name", METHODS)
def test_all_options_of_a_method_come_back_from_a_file(name, tmp_path):
    config = METHODS[name][1]()
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"method": name, **options_dict(config)}))
    method = from_file(file)
    assert method.name == name
    assert method.config(**method.options) == config


@pytest.mark.parametrize("name", METHODS)
def test_the_config_of_a_run_is_accepted_by_the_verb_that_wrote_it(name, table, tmp_path, ran):
    verb, *more = {
        "discover": ["discover"],
        "effect": ["effect", *STUDY],
        "impute, generate": ["generate", "--rows", 20],
    }[next(v for v, known in methods_by_verb().items() if name in known)]
    usual = {"exact": "discover", "rcgnn": "recordings", "causalbgm": "effect", "bgm": "generate"}
    if name in usual:
        out = ran(usual[name]).out
    else:
        out = tmp_path / "run"
        assert run(verb, table, *more, *few(name), "--seed", 1, "--out", out) == 0
    written = yaml.safe_load((out / "config.yaml").read_text())
    assert written["method"] == name
    method = from_file(out / "config.yaml")
    assert method.name == name
    for setting in FEW[name]:
        option, _, value = setting.partition("=")
        assert np.array_equal(method.options[option], yaml.safe_load(value))
    assert strictly((out / "summary.json").read_text())["facts"]["method"] == name
    if name in ("avici", "bcnp"):  # pre-trained ones work out of the box
        posterior = GraphPosterior.load(out / "posterior")
        assert posterior.diagnostics["weights"] == f"{name}-base"


def test_a_file_decides_the_method_unless_another_one_is_asked_for(table, tmp_path, capsys):
    file = tmp_path / "options.yaml"
    file.write_text("method: full-mcmc\nn_sweeps: 70\n")
    assert from_file(file, default="causalbgm").name == "full-mcmc"
    assert from_file(file, "auto").name == "full-mcmc"
    assert run("effect", table, *STUDY, "--config", file, "--method", "causalbgm") == 2
    assert "holds options of 'full-mcmc', but --method is 'causalbgm'" in capsys.readouterr().err
    file.write_text("n_sweeps: 70\n")
    assert from_file(file, default="full-mcmc").name == "full-mcmc"


def test_files_of_earlier_versions_name_the_class(tmp_path):
    (tmp_path / "c.yaml").write_text("method: exactposterior\nmin_ess: 100\n")
    assert from_file(tmp_path / "c.yaml", "exact").options == {"min_ess": 100}


def test_the_toy_takes_its_own_files(ran, tmp_path, capsys):
    out = ran("toy").out
    words = ["diffusion", "toy", "--config", out / "config.yaml", "--quiet"]
    assert run(*words, "--out", tmp_path / "again") == 0
    assert (tmp_path / "again" / "gen.png").read_bytes() == (out / "gen.png").read_bytes()
    options = toy_experiment({}, str(out / "config.json"))
    assert options == toy_experiment({}, str(out / "config.yaml"))


# -- options --------------------------------------------------------------------------------


def options_of(verb: str) -> dict[str, typer.core.TyperOption]:
    command = typer.main.get_command(app)
    for word in verb.split():
        command = command.commands[word]
    return {flag: p for p in command.params for flag in (*p.opts, *p.secondary_opts)}


def test_verbs_share_their_options():
    common = {"--out", "--seed", "--json", "--force"}
    fitting = {*common, "--mute", "--progress", "--no-progress", "--quiet"}
    asking = {*fitting, "--config", "--set", "--dry-run", "--method"}
    expected = {
        **{key: {*asking, "--exclude"} for key in ("discover", "effect", "impute", "generate")},
        "demo": fitting,
        "simulate": common,
        "corrupt": {*common, "--exclude", "--config", "--set", "--truth"},
        **{key: {*fitting, "--config"} for key in ("diffusion toy", "diffusion images")},
    }
    for verb, flags in expected.items():
        assert flags <= set(options_of(verb)), verb
    for flag in ("--exclude", "--force", "--json", "--mute", "--dry-run", "--progress"):
        texts = {v: options_of(v)[flag].help for v in expected if flag in options_of(v)}
        assert len({t for v, t in texts.items() if v != "corrupt"}) == 1, flag


@pytest.mark.parametrize("verb", ["discover", "recordings", "effect", "impute", "generate"])
def test_exclude_takes_several_columns_with_commas(verb, table, holes, tmp_path, capsys):
    words = [*asking(verb, table, holes), "--dry-run", "--json", "--out", tmp_path / "run"]
    assert run(*words, "--exclude", "note, ward") == 0
    facts = strictly(capsys.readouterr().out)
    used = facts.get("columns") or facts.get("sensors") or facts.get("covariates")
    assert not {"note", "ward"} & set(used)
    assert "age" in used
    assert run(*words, "--exclude", "note,wart") == 2
    assert "--exclude: no column 'wart'. Did you mean 'ward'?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["discover", "recordings", "corrupt"])
def test_truth_has_one_form_with_or_without_lags(verb, table, holes, tmp_path, capsys):
    words = [*asking(verb, table, holes), "--truth", tmp_path / "t.csv", "--out", tmp_path / "run"]
    for text, message in {
        "from,to\n": "needs the columns source and target (and perhaps lag), found from, to",
        "source,target\nage,wart\n": "--truth: no column 'wart'. Did you mean 'ward'?",
        "source,target,lag\nage,ward,-1\n": "row 0 has the lag -1",
    }.items():
        (tmp_path / "t.csv").write_text(text)
        assert run(*words) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
    (tmp_path / "t.csv").write_text("source,target,lag\nage,age,1\nage,ward,0\n")
    assert run(*words, *([] if verb == "corrupt" else ["--dry-run"])) == 0


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["discover", "TABLE", "--method", "Exact"], "exact"),
        (["discover", "TABLE", "--method", "exact", "--likelihood", "BGE"], "bge"),
        (["effect", "TABLE", *STUDY, "--method", "CausalBGM"], "causalbgm"),
        (["generate", "TABLE", "--method", "DDDM"], "dddm"),
        (["impute", "HOLES", "--fill", "MEAN"], "mean"),
        (["impute", "HOLES", "--missingness", "MNAR"], "mnar"),
        (["corrupt", "TABLE", "--preset", "Moderate"], "moderate"),
        (["simulate", "--study", "Hahn"], "hahn"),
        (["config", "DiBS"], "dibs"),
        (["discover", "TABLE", "--mute", "AE04"], "AE004"),
        (["discover", "Diabetes"], "diabetes"),
    ],
)
def test_unknown_values_get_the_nearest_name_whatever_the_case(
    words, meant, table, holes, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert run(*({"TABLE": table, "HOLES": holes}.get(w, w) for w in words)) == 2
    assert f"Did you mean '{meant}'" in capsys.readouterr().err


def test_the_nearest_name_is_the_one_as_it_is_written():
    assert nearest("BETA", ["beta", "Beta"]) == " Did you mean 'beta'?"
    assert nearest("xyz", ["beta"]) == ""


def test_options_of_graphs_are_refused_for_studies(tmp_path, capsys):
    words = ["simulate", "--study", "hahn", "--noise-variance", 1, "--out", tmp_path / "s"]
    assert run(*words) == 2
    assert "--noise-variance is of simulated graphs" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["prior", "categorical"])
def test_options_that_time_series_have_no_use_for_are_refused(option, table, tmp_path, capsys):
    words = ["discover", table, *few("rcgnn"), f"--{option}", "age", "--out", tmp_path / "r"]
    assert run(*words) == 2
    assert f"--{option} 'age': rcgnn" in capsys.readouterr().err


# -- results --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_json_is_strict_on_stdout_and_in_files(verb, ran):
    done = ran(verb)  # what is printed was read strictly
    for file in done.out.rglob("*.json"):
        strictly(file.read_text())
    if verb in (*FITTING, "toy"):
        printed = done.printed
        assert printed["facts"]["seed"] == "3" or printed["facts"]["seed"] is None
        assert printed["facts"]["seconds"] > 0
        assert {"code", "title", "verdict", "text"} <= set(printed["checks"][0])
        assert set(printed["files"]) >= {"config", "summary", "report"}
        assert printed["warnings"] == strictly((done.out / "summary.json").read_text())["warnings"]


@pytest.mark.parametrize("verb", FITTING)
def test_table_and_options_are_read_once(verb, ran):
    assert (ran(verb).n_reads, ran(verb).n_loads) == (1, 1)


def test_a_table_without_any_path_has_no_sortability(tmp_path, capsys):
    for seed in range(20):
        words = ["simulate", "-d", 2, "-n", 20, "--edges-per-node", 0.1, "--seed", seed]
        assert run(*words, "--json", "--force", "--out", tmp_path) == 0
        facts = strictly(capsys.readouterr().out)
        if facts["edges"] == 0:
            break
    assert facts["varsortability"] is None


@pytest.mark.parametrize("verb", ["discover", "generate"])
def test_checks_that_are_not_good_are_printed_and_can_be_muted(
    verb, table, holes, ran, tmp_path, capsys
):
    checks = ran(verb).printed["checks"]
    doubtful = [[c["verdict"], c["code"]] for c in checks if c["verdict"] != "good"]
    words = [*asking(verb, table, holes), "--seed", 3]
    muted = doubtful[0][1] if doubtful else checks[0]["code"]
    assert run(*words, "--mute", f"{muted.lower()}, AE999", "--out", tmp_path / "no") == 2
    assert "--mute: no check has the code 'AE999'" in capsys.readouterr().err
    assert run(*words, "--mute", muted.lower(), "--out", tmp_path / "run") == 0
    lines = capsys.readouterr().out.splitlines()
    printed = [line.split()[:2] for line in lines if re.match(r"(look|bad) A[A-Z]\d+ ", line)]
    assert printed == [pair for pair in doubtful if pair[1] != muted]
    assert lines[-1] == f"report: {tmp_path / 'run' / 'report.html'}"
    assert muted not in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_with_a_run_needs_force(verb, table, holes, ran, capsys):
    out = ran(verb).out
    before = sorted(out.iterdir())
    assert run(*asking(verb, table, holes), "--out", out) == 2
    assert "--force to replace" in capsys.readouterr().err
    assert sorted(out.iterdir()) == before


@pytest.mark.parametrize("verb", ["discover", "corrupt", "simulate", "toy"])
def test_with_force_nothing_of_the_old_run_stays(verb, table, holes, tmp_path, capsys):
    out = tmp_path / "run"
    words = [*asking(verb, table, holes), "--seed", 0, "--out", out]
    assert run(*words, *(["--effect", "age -> health"] if verb == "discover" else [])) == 0
    first = {p.name for p in out.iterdir()}
    (out / "mine.txt").write_text("precious")
    assert run(*words, "--force") == 0
    gone = {"effect-0"} if verb == "discover" else set()
    assert {p.name for p in out.iterdir()} == (first - gone) | {"mine.txt"}
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_images_go_on_with_resume_and_begin_again_with_force(tmp_path, capsys):
    out = tmp_path / "run"
    small = ["--image-size", 8, "--patch-size", 4, "--embed-dim", 16, "--depth", 1, "--heads", 2]
    words = ["diffusion", "images", "--fake-data", 16, "--batch", 8, "--m", 2, *small]
    words += ["--time-embed", 8, "--sample-batch", 2, "--sample-steps", 1, "--quiet", "--out", out]
    assert run(*words, "--epochs", 2) == 0
    models = {"model_epoch001.pt", "model_epoch002.pt"}
    assert {p.name for p in out.glob("model_epoch*.pt")} == models
    assert run(*words, "--epochs", 2) == 2
    assert run(*words, "--epochs", 2, "--resume") == 0
    assert {p.name for p in out.glob("model_epoch*.pt")} == models
    assert run(*words, "--epochs", 1, "--force") == 0
    assert {p.name for p in out.glob("model_epoch*.pt")} == {"model_epoch001.pt"}
    bad = ["--data-dir", tmp_path / "nowhere", "--force", "--quiet", "--out", out]
    assert run("diffusion", "images", *bad) == 2
    assert (out / "report.html").is_file()  # a mistake costs nothing


def test_the_table_is_read_once_where_it_chooses_the_method(table, tmp_path, monkeypatch, capsys):
    from aetia.cli import discovering

    read, seen = discovering.read_frame, []
    monkeypatch.setattr(discovering, "read_frame", lambda f: seen.append(f) or read(f))
    assert run("discover", table, "--out", tmp_path / "run") == 0
    assert seen == [str(table)]
    assert "method: exact (5 columns" in capsys.readouterr().out


def test_a_study_is_encoded_once(table, tmp_path, monkeypatch, capsys):
    from aetia.data import Encoding

    of, seen = Encoding.of, []
    monkeypatch.setattr(Encoding, "of", lambda data: seen.append(data) or of(data))
    assert run(*asking("effect", table, table), "--out", tmp_path / "run") == 0
    assert len(seen) == 1


# -- dry runs, reports, options in words ---------------------------------------------------------


@pytest.mark.parametrize("n_columns", [4, 10])
def test_a_dry_run_of_exact_says_how_long_and_how_sure(n_columns, tmp_path, capsys):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, n_columns)))
    frame.to_csv(tmp_path / "t.csv", index=False)
    words = ["discover", tmp_path / "t.csv", "--method", "exact", "--dry-run"]
    assert run(*words) == 0
    how_sure = (
        "as it just took"
        if n_columns == 4
        else "judged by 8 of the columns; it may be a third or three times that"
    )
    assert how_sure in capsys.readouterr().out
    assert run(*words, "--json") == 0
    assert strictly(capsys.readouterr().out)["estimated_seconds"] > 0


def test_a_folder_without_a_run_has_no_report(tmp_path, capsys):
    assert run("report", tmp_path) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_names_in_the_help_are_those_of_the_registries():
    from aetia.benchmark import EXPERIMENTS
    from aetia.graphs.structure_priors import STRUCTURE_PRIORS
    from aetia.scm.effect_designs import EFFECT_DESIGNS

    by_verb = methods_by_verb()
    assert tuple(by_verb["discover"]) == shared.DISCOVERY_METHODS
    assert tuple(by_verb["effect"]) == shared.EFFECT_METHODS
    assert tuple(by_verb["impute, generate"]) == shared.TABLE_METHODS
    assert set(shared.LIKELIHOODS) == set(LIKELIHOODS)
    assert set(shared.PRIORS) == set(STRUCTURE_PRIORS)
    assert set(shared.STUDIES) == set(EFFECT_DESIGNS)
    assert set(shared.EXPERIMENTS) == set(known_options()) - set(METHODS)
    models = {n.removeprefix("experiment-") for n in shared.EXPERIMENTS if n.startswith("exp")}
    assert models == set(EXPERIMENTS)


@pytest.mark.parametrize("name", ["ToyExperiment", "ImageExperiment"])
def test_flags_are_the_fields_of_an_experiment(name):
    from dataclasses import fields

    from aetia.generation.diffusion import experiments

    assert list(flags_of(name)) == [f.name for f in fields(getattr(experiments, name))]


@pytest.mark.parametrize("name", shared.EXPERIMENTS + tuple(METHODS))
def test_all_options_are_printed_with_their_values(name, capsys):
    assert run("config", name) == 0
    text = capsys.readouterr().out
    printed = yaml.safe_load(text)
    assert set(options_dict(known_options()[name])) <= {*printed, "name"}
    assert text.startswith(f"# Options of {name}; aetia ")


@pytest.mark.parametrize("name", METHODS)
def test_the_printed_options_are_read_again(name, tmp_path, capsys):
    assert run("config", name) == 0
    file = tmp_path / "options.yaml"
    file.write_text(capsys.readouterr().out)
    method = from_file(file)
    assert (method.name, method.config(**method.options)) == (name, METHODS[name][1]())


def test_config_without_a_name_lists_all_of_them(capsys):
    assert run("config") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(known_options())


@pytest.mark.parametrize("words", [[], ["diffusion"]])
def test_no_verb_is_cut_off_in_the_help(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(*words, "--help") == 0
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_codes_in_the_help_are_codes_of_checks():
    from aetia.report import CHECKS

    named = re.findall(r"\bA[A-Z]\d{3}\b", shared.Mute.__metadata__[0].help)
    assert len(named) == 2
    assert set(named) <= set(CHECKS)


def test_the_help_of_experiments_has_our_words_and_the_configuration(capsys):
    assert run("experiment", "--help") == 0
    text = capsys.readouterr().out
    for word in ("--devices N", "train_competence", "aetia experiment is powered", "max_steps: 10"):
        assert word in text


def test_an_unknown_configuration_gets_the_nearest_name(capsys):
    assert run("experiment", "--config-name", "smok") == 2
    assert "no configuration 'smok'. Did you mean 'smoke'? Shipped:" in capsys.readouterr().err


def test_every_option_is_explained_in_full_sentences():
    command = typer.main.get_command(app)
    verbs = {**command.commands, **command.commands["diffusion"].commands}
    verbs.pop("experiment")  # Hydra's own words
    bad = {
        f"{verb} {parameter.name}": parameter.help
        for verb, entry in verbs.items()
        for parameter in entry.params
        if parameter.name != "help"
        and not re.fullmatch(r"(?!(Of|From|For|With|In) )\S+( \S+){3,}\.", parameter.help or "")
    }
    assert bad == {}
