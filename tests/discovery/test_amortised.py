"""Pre-trained estimators: contracts, knowledge, weights as files, familiarity, units."""

import dataclasses
import hashlib
import itertools
import json
import os
import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save as to_bytes
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aetia.discovery import AVICI, BCNP, Pretrained
from aetia.discovery.amortised import Familiarity, build_network
from aetia.discovery.amortised.familiarity import FEATURES, table_features
from aetia.errors import (
    CheckpointError,
    DataWarning,
    FamiliarityWarning,
    InputError,
    ResultFileError,
)
from aetia.files import load_bundle, plain_json, save_bundle
from aetia.graphs import Knowledge, is_acyclic
from aetia.results import GraphPosterior
from aetia.scm import EdgeCoins, Family, Tasks, TaskSize
from aetia.training import TrainingConfig

FAMILY = Family(d=(2, 4), n=40, graphs=EdgeCoins(edges_per_node=0.5))
SHORT = TrainingConfig(
    n_steps=30, learning_rate=3e-3, validate_every=15, log_every=10, progress=False
)
NETWORKS = {
    "avici": {"dim": 16, "n_layers": 1, "n_heads": 2, "head_dim": None},
    "bcnp": {
        "dim": 16, "n_heads": 2, "ff_dim": 32, "n_layers": 2, "n_layers_decoder": 2,
        "permutation": "plackett-luce",
    },
}  # fmt: skip
CLASSES = {"avici": AVICI, "bcnp": BCNP}


def pretrain(method, **options):
    given = {
        "network": NETWORKS[method],
        "training": SHORT,
        "batch_size": 8,
        "validation_numbers": range(4),
        "device": "cpu",
    }
    return CLASSES[method].pretrain(**({"family": FAMILY} | given | options))


@pytest.fixture(scope="module", params=["avici", "bcnp"])
def method(request):
    return request.param


@pytest.fixture(scope="module")
def folder(method, tmp_path_factory):
    path = tmp_path_factory.mktemp(method)
    trained = pretrain(method, folder=path)
    return path, trained.weights


@pytest.fixture(scope="module")
def weights(folder):
    return folder[1]


@pytest.fixture
def estimator(method, weights):
    return CLASSES[method](weights=weights, n_draws=60, random_state=0, device="cpu")


def chain(n=40, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = 1.5 * a + rng.normal(size=n)
    c = -b + rng.normal(size=n)
    return pd.DataFrame({"a": a, "b": b, "c": c, "d": rng.normal(size=n)})


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FamiliarityWarning)
        yield


# -- the contract of an estimator ---------------------------------------------------------


def test_options_survive_clone_and_pickle(estimator):
    params = estimator.get_params()
    assert set(params) == {"weights", "n_draws", "random_state", "device"}
    other = clone(estimator)
    assert other.n_draws == 60
    assert not hasattr(other, "posterior_")
    fitted = estimator.fit(chain())
    back = pickle.loads(pickle.dumps(fitted))
    expected = fitted.posterior_.edge_probabilities()
    np.testing.assert_array_equal(back.posterior_.edge_probabilities(), expected)
    for again in (back, other):
        np.testing.assert_array_equal(again.fit(chain()).posterior_.edge_probabilities(), expected)


def test_fitting_changes_no_option_and_starts_again(estimator):
    before = estimator.get_params()
    first = estimator.fit(chain()).posterior_
    small = estimator.fit(chain()[["a", "b"]]).posterior_
    assert small.names == ("a", "b")
    assert estimator.n_features_in_ == 2
    assert estimator.feature_names_in_.tolist() == ["a", "b"]
    again = estimator.fit(chain()).posterior_
    np.testing.assert_array_equal(first.edge_probabilities(), again.edge_probabilities())
    np.testing.assert_array_equal(first.graphs, again.graphs)
    assert estimator.get_params() == before


def test_names_are_those_of_the_table(estimator):
    frame = chain()
    p = estimator.fit(frame).posterior_.to_frame()
    assert list(p.index) == list("abcd")
    polars = pl.DataFrame({c: frame[c].to_list() for c in frame})
    q = estimator.fit(polars).posterior_.to_frame()
    pd.testing.assert_frame_equal(p, q)
    assert estimator.fit(frame.to_numpy()).posterior_.names == ("x0", "x1", "x2", "x3")


def test_one_seed_gives_the_same_draws_and_another_does_not(estimator):
    def draws(seed):
        return estimator.set_params(random_state=seed).fit(chain()).posterior_

    assert np.array_equal(draws(3).graphs, draws(3).graphs)
    assert not np.array_equal(draws(3).graphs, draws(4).graphs)
    generators = [draws(np.random.default_rng(5)).graphs for _ in range(2)]
    assert np.array_equal(*generators)
    fresh = draws(None)
    assert np.array_equal(draws(fresh.facts.seed).graphs, fresh.graphs)
    np.testing.assert_array_equal(draws(3).edge_probabilities(), draws(4).edge_probabilities())


def test_the_posterior_is_complete(estimator, weights):
    p = estimator.fit(chain()).posterior_
    assert p.graphs.shape == (60, 4, 4)
    assert is_acyclic(torch.from_numpy(p.graphs)).all()
    assert p.weights.sum() == pytest.approx(1)
    facts = p.diagnostics
    assert p.facts == estimator.facts_
    assert CLASSES[p.facts.method] is type(estimator)
    assert facts["weights_key"] == weights.key
    assert facts["n_rows"] == 40
    assert 0 <= facts["share_cyclic"] <= 1
    assert facts["familiarity"] > 0
    scores = p.compare(np.eye(4, k=1, dtype=bool))
    assert 0 <= scores["auroc"] <= 1


def test_a_fit_does_not_print_every_weight_for_its_record(estimator, monkeypatch):
    """Writing numbers out took four fifths of the time of a fit."""

    def never(self, **options):
        raise AssertionError("a tensor was written out as text")

    monkeypatch.setattr(torch.Tensor, "__repr__", never)
    estimator.fit(chain())
    assert estimator.posterior_.facts.config["n_draws"] == 60


def test_a_posterior_comes_back_from_its_file(estimator, tmp_path):
    p = estimator.fit(chain(), knowledge={"required": ["a -> b"]}).posterior_
    p.save(tmp_path / "p.aetia")
    back = GraphPosterior.load(tmp_path / "p.aetia")
    np.testing.assert_array_equal(back.graphs, p.graphs)
    np.testing.assert_array_equal(back.edge_probabilities(), p.edge_probabilities())
    assert back.names == p.names
    one, two = (q.effect("a", "b", n_draws=200) for q in (p, back))
    assert one.draws.tobytes() == two.draws.tobytes()


def test_effects_are_those_of_the_required_edge(estimator):
    """b = 1.5 a + e: with a -> b required and c, d left out, the effect is the regression."""
    frame = chain(400)[["a", "b"]]
    effect = estimator.fit(frame, knowledge={"required": ["a -> b"]}).posterior_.effect("a", "b")
    slope = np.cov(frame.T)[0, 1] / frame["a"].var()
    assert effect.mean == pytest.approx(slope, abs=0.1)


def test_it_works_at_the_end_of_a_pipeline_and_ignores_a_target(estimator):
    x = chain().to_numpy()
    pipeline = make_pipeline(StandardScaler(), clone(estimator)).fit(x, np.arange(40))
    p = pipeline[-1].posterior_.edge_probabilities()
    np.testing.assert_allclose(p, estimator.fit(x).posterior_.edge_probabilities(), atol=1e-5)


@pytest.mark.parametrize("d", [1, 2, 7])
def test_any_number_of_columns_will_do(estimator, d):
    x = np.random.default_rng(0).normal(size=(25, d))
    p = estimator.fit(x).posterior_
    assert p.graphs.shape == (60, d, d)
    assert np.isfinite(p.edge_probabilities()).all()


# -- interventions, units, order ----------------------------------------------------------


def test_interventions_change_the_answer(estimator):
    frame, mask = chain(), np.zeros((40, 4), dtype=bool)
    mask[20:, 1] = True
    plain = estimator.fit(frame).posterior_.edge_probabilities()
    unset = estimator.fit(frame, intervened=np.zeros_like(mask)).posterior_.edge_probabilities()
    marked = estimator.fit(frame, intervened=mask).posterior_.edge_probabilities()
    np.testing.assert_array_equal(plain, unset)
    assert np.abs(plain - marked).max() > 1e-3
    by_name = estimator.fit(frame, intervened=pd.DataFrame(mask, columns=list("abcd"))).posterior_
    np.testing.assert_array_equal(by_name.edge_probabilities(), marked)


def test_units_and_the_order_of_rows_change_nothing(estimator):
    frame = chain()
    p = estimator.fit(frame).posterior_.edge_probabilities()
    other = frame * [1000.0, 1e-3, 7.0, 1.0] + [5.0, -2.0, 300.0, 0.0]
    rows = frame.sample(frac=1.0, random_state=1)
    for table in (other, rows):
        q = estimator.fit(table).posterior_.edge_probabilities()
        np.testing.assert_allclose(q, p, atol=1e-4)


@given(order=st.permutations(list("abcd")))
@settings(max_examples=4)
def test_the_order_of_the_columns_changes_nothing(both, order):
    for some in both:
        p = some.fit(chain()).posterior_.to_frame()
        q = some.fit(chain()[order]).posterior_.to_frame()
        np.testing.assert_allclose(q.loc[list("abcd"), list("abcd")], p, atol=1e-5)


@pytest.fixture(scope="module")
def both():
    """Networks that are not trained: as good for contracts, and at once."""
    out = []
    for name, cls in CLASSES.items():
        config = cls.network_config(**NETWORKS[name])
        network = build_network(cls.network_class, config, 1)
        card = Pretrained(
            method=name,
            network=dataclasses.asdict(config),
            weights=network.state_dict(),
            card={},
            name="random",
        )
        out.append(cls(weights=card, n_draws=30, random_state=0, device="cpu"))
    return out


# -- knowledge ----------------------------------------------------------------------------

NAMES = tuple("abcd")
PAIRS = list(itertools.permutations(NAMES, 2))


@settings(max_examples=25)
@given(
    required=st.lists(st.sampled_from(PAIRS), max_size=3, unique=True),
    forbidden=st.lists(st.sampled_from(PAIRS), max_size=4, unique=True),
    tiers=st.sampled_from([(), (("b",), ("a", "d"))]),
    roots=st.sampled_from([(), ("c",)]),
    sinks=st.sampled_from([(), ("d",)]),
)
def test_hard_statements_hold_in_every_draw(both, required, forbidden, tiers, roots, sinks):
    try:
        knowledge = Knowledge(
            required=required, forbidden=forbidden, tiers=tiers, roots=roots, sinks=sinks
        )
    except InputError:
        return  # a contradiction
    for some in both:
        posterior = some.fit(chain(), knowledge=knowledge).posterior_
        graphs, p = posterior.graphs, posterior.edge_probabilities()
        at = {pair: (NAMES.index(pair[0]), NAMES.index(pair[1])) for pair in PAIRS}
        for e in required:
            assert graphs[(slice(None), *at[e])].all()
            assert p[at[e]] == pytest.approx(1)
        for e in forbidden:
            assert not graphs[(slice(None), *at[e])].any()
            assert p[at[e]] == 0
        if tiers:
            assert not graphs[:, [0, 3], 1].any()
        if roots:
            assert not graphs[:, :, 2].any()
        if sinks:
            assert not graphs[:, 3].any()
        assert is_acyclic(torch.from_numpy(graphs)).all()


def test_beliefs_move_the_probabilities(estimator):
    p = [
        estimator.fit(chain(), knowledge={"beliefs": {"a -> b": belief}})
        .posterior_.to_frame()
        .loc["a", "b"]
        for belief in (0.02, 0.5, 0.98)
    ]
    none = estimator.fit(chain()).posterior_.to_frame().loc["a", "b"]
    assert p[0] < none < p[2]
    assert p[1] == pytest.approx(none)


# -- what is refused, and what is warned about --------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"regime": np.zeros(40, dtype=int)}, "regimes"),
        ({"knowledge": {"required": ["a -> z"]}}, "not a column"),
        ({"knowledge": {"requires": []}}, "Did you mean 'required'"),
    ],
)
def test_what_it_does_not_accept_is_named(estimator, change, message):
    with pytest.raises(InputError, match=message):
        estimator.fit(chain(), **change)


def test_missing_values_are_refused_with_column_and_count(estimator):
    x = chain()
    x.loc[[3, 5], "b"] = np.nan
    with pytest.raises(InputError, match=r"column 'b' has 2"):
        estimator.fit(x)


def test_a_failed_fit_leaves_no_old_answer(estimator):
    x = chain()
    estimator.fit(x)
    x.loc[0, "a"] = np.nan
    with pytest.raises(InputError):
        estimator.fit(x)
    assert not hasattr(estimator, "posterior_"), "the posterior of the earlier fit is still there"


@pytest.mark.parametrize("n_draws", [0, -3])
def test_a_number_of_draws_below_one_is_refused(estimator, n_draws):
    with pytest.raises(InputError, match="n_draws"):
        estimator.set_params(n_draws=n_draws).fit(chain())


def test_values_far_out_are_clipped_with_a_warning(estimator):
    x = chain(400)
    x.loc[7, "a"] = 1e4
    with pytest.warns(DataWarning, match=r"1 value\(s\) lie more than 10 standard deviations"):
        estimator.fit(x)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(chain(400))
    assert not any("standard deviations" in str(w.message) for w in caught)


def test_too_little_memory_is_an_error_with_an_estimate(estimator, monkeypatch):
    real = os.sysconf

    def small(name):
        return 1 if name == "SC_PHYS_PAGES" else real(name)

    monkeypatch.setattr(os, "sysconf", small)
    with pytest.raises(InputError, match=r"40 rows of 4 columns need about .* sample of at most"):
        estimator.fit(chain())


# -- familiarity --------------------------------------------------------------------------


def told(estimator, *args, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(*args, **options)
    found = [w for w in caught if issubclass(w.category, FamiliarityWarning)]
    return [str(w.message) for w in found]


def test_fresh_tasks_of_the_training_family_look_familiar(estimator):
    """The 99 % quantile of the distance: 4 or more of 40 have probability 7e-4."""
    tables = [FAMILY.task(70_000 + k).data for k in range(40)]
    estimator.set_params(n_draws=1)
    assert sum(bool(told(estimator, t)) for t in tables) <= 3


def test_tables_from_another_world_do_not(estimator):
    rng = np.random.default_rng(0)
    cauchy = rng.standard_cauchy(size=(40, 4))
    messages = told(estimator, cauchy)
    assert messages
    assert "does not look like the tasks" in messages[0]
    assert "kurtosis" in messages[0]
    long = told(estimator, chain(4000))
    assert "number of rows is 4,000 (training: 40 to 40)" in long[0]
    wide = told(estimator, rng.normal(size=(40, 12)))
    assert "number of columns" in wide[0]
    mask = np.zeros((40, 4), dtype=bool)
    mask[20:, 1] = True
    assert "intervened" in told(estimator, chain(), intervened=mask)[0]
    assert estimator.posterior_.diagnostics["familiarity"] > 1


def test_the_summaries_know_neither_units_nor_order():
    x = torch.from_numpy(chain().to_numpy(copy=True))[None]
    x = (x - x.mean(1)) / x.std(1, correction=0)
    mask = torch.zeros_like(x, dtype=torch.bool)
    mask[0, :10, 1] = True
    features = table_features(x, mask)
    assert features.shape == (1, len(FEATURES))
    rows, columns = torch.randperm(40, generator=torch.Generator().manual_seed(0)), [2, 0, 3, 1]
    torch.testing.assert_close(table_features(x[:, rows], mask[:, rows]), features)
    torch.testing.assert_close(table_features(x[..., columns], mask[..., columns]), features)
    correlation = np.abs(np.corrcoef(x[0].T))
    off = ~np.eye(4, dtype=bool)
    by_name = dict(zip(FEATURES, features[0].tolist(), strict=True))
    assert by_name["mean absolute correlation"] == pytest.approx(correlation[off].mean())
    assert by_name["share of intervened rows"] == pytest.approx(0.25)
    assert by_name["number of rows"] == pytest.approx(np.log(40))
    largest = np.linalg.eigvalsh(np.corrcoef(x[0].T))[-1]
    assert by_name["share of variance in the first component"] == pytest.approx(largest / 4)
    assert by_name["fewest distinct values of a column (20 for more)"] == 1.0


def test_familiarity_survives_plain_values():
    known = Familiarity.of(FAMILY, n_batches=16)
    back = Familiarity.from_dict(json.loads(json.dumps(known.to_dict())))
    features = known.mean + 0.3
    assert back.judge(features) == known.judge(features)
    assert known.distance(known.mean) == 0
    assert known.judge(known.mean) == (0.0, None)


# -- weights as files ---------------------------------------------------------------------


def test_weights_from_a_folder_give_identical_probabilities(method, folder):
    path, weights = folder
    cls = CLASSES[method]
    expected = cls.from_pretrained(weights).fit(chain()).posterior_.edge_probabilities()
    for some in (cls.from_pretrained(path / "weights"), cls(weights=str(path / "weights"))):
        np.testing.assert_array_equal(some.fit(chain()).posterior_.edge_probabilities(), expected)


def test_the_card_says_how_the_weights_came_about(weights, method):
    card = weights.card
    assert weights.method == method
    assert card["n_tasks"] == 30 * 8
    assert card["family"]["n"] == [40, 40]
    assert card["family_key"] == FAMILY.key
    assert {"loss", "auroc", "ece"} <= set(card["metrics"])
    assert "calibration error" in card["calibration_badge"]


def test_saving_and_loading_keeps_everything(weights, tmp_path):
    back = Pretrained.load(weights.save(tmp_path / "w"))
    assert back.key == weights.key
    assert dict(back.network) == json.loads(json.dumps(dict(weights.network)))
    assert all(torch.equal(back.weights[k], v) for k, v in weights.weights.items())
    again = Pretrained.load(back.save(tmp_path / "again"))
    assert again.key == weights.key
    leftovers = {p.name for p in (tmp_path / "w").iterdir()}
    assert leftovers == {"model.safetensors"}
    assert back.card == again.card


def test_weights_that_were_loaded_and_changed_can_be_saved(weights, tmp_path):
    """The card of the first file must not be taken for that of the second."""
    back = Pretrained.load(weights.save(tmp_path / "w"))
    halved = {k: v.half() for k, v in back.weights.items()}
    changed = dataclasses.replace(back, weights=halved)
    again = Pretrained.load(changed.save(tmp_path / "half"))
    assert again.key == changed.key != weights.key


def broken(folder, what):
    file = folder / "model.safetensors"
    _, _, tensors, plain = load_bundle(file, kind="Pretrained", schema=2)
    save = partial(save_bundle, file, kind="Pretrained", schema=2, tensors=tensors)
    if what == "truncated":
        file.write_bytes(file.read_bytes()[:-100])
    elif what == "tampered":
        raw = bytearray(file.read_bytes())
        raw[-5] ^= 1
        file.write_bytes(raw)
    elif what == "no weights":
        file.unlink()
    elif what == "no bundle":
        file.write_bytes(to_bytes(tensors))
    elif what == "without method":
        save(plain={k: v for k, v in plain.items() if k != "method"})
    elif what == "newer schema":
        save(plain=plain, schema=99)
    elif what == "another kind":
        save(plain=plain, kind="CausalBGM")
    elif what == "wrong method":
        other = {"avici": "bcnp", "bcnp": "avici"}[plain["method"]]
        save(plain=plain | {"method": other})
    elif what == "wrong width":
        save(plain=plain | {"network": plain["network"] | {"dim": 32}})
    elif what == "unknown option":
        save(plain=plain | {"network": plain["network"] | {"width": 3}})
    elif what == "no options":
        save(plain=plain | {"network": None})


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("truncated", CheckpointError, "damaged"),
        ("tampered", CheckpointError, "was changed"),
        ("no weights", InputError, "no weights"),
        ("no bundle", CheckpointError, "not written by aetia"),
        ("without method", CheckpointError, "method"),
        ("newer schema", ResultFileError, "newer version"),
        ("another kind", ResultFileError, "holds a CausalBGM"),
        ("wrong method", CheckpointError, "not of"),
        ("wrong width", CheckpointError, "do not fit"),
        ("unknown option", InputError, "width"),
        ("no options", (CheckpointError, InputError), "weights|network|options"),
    ],
)
def test_damaged_weights_are_refused_by_name(method, weights, tmp_path, what, error, message):
    path = weights.save(tmp_path / "w")
    broken(path, what)
    with pytest.raises(error, match=message):
        CLASSES[method](weights=path).fit(chain())


def as_first_schema(weights, folder):
    """Write weights as the first version did: a card in a file of its own, with the checksum."""
    folder.mkdir()
    raw = to_bytes({k: v.contiguous() for k, v in weights.weights.items()})
    (folder / "model.safetensors").write_bytes(raw)
    card = plain_json(weights.card) | {
        "schema": 1,
        "method": weights.method,
        "network": plain_json(weights.network),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "name": weights.name,
    }
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_weights_with_a_card_in_a_file_of_its_own_still_load(weights, tmp_path):
    folder = as_first_schema(weights, tmp_path / "old")
    old = Pretrained.load(folder)
    assert (old.key, old.name, old.method) == (weights.key, weights.name, weights.method)
    assert old.card == plain_json(weights.card)
    old.save(folder)  # the card of the old file must not describe the new one
    assert [p.name for p in folder.iterdir()] == ["model.safetensors"]
    assert Pretrained.load(folder).key == weights.key


@pytest.mark.parametrize(
    ("what", "message"),
    [("weights", "truncated"), ("{", "damaged"), ("[1]", "damaged"), ("{}", "schema")],
)
def test_old_weights_that_do_not_fit_their_card_are_refused(weights, tmp_path, what, message):
    folder = as_first_schema(weights, tmp_path / "old")
    if what == "weights":
        raw = bytearray((folder / "model.safetensors").read_bytes())
        raw[-5] ^= 1
        (folder / "model.safetensors").write_bytes(raw)
    else:
        (folder / "card.json").write_text(what)
    with pytest.raises(CheckpointError, match=message):
        Pretrained.load(folder)


def test_weights_that_do_not_exist_are_refused(method, tmp_path):
    cls = CLASSES[method]
    for name in ("avici-bse", tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError, match="no weights"):
            cls(weights=name).fit(chain())


@pytest.mark.parametrize("value", [None, 3])
def test_weights_that_are_no_weights_are_an_input_error(method, value):
    with pytest.raises(InputError, match="weights"):
        CLASSES[method](weights=value).fit(chain())


def test_weights_of_one_method_are_refused_by_the_other(method, weights):
    other = BCNP if method == "avici" else AVICI
    with pytest.raises(CheckpointError, match=f"of '{method}', not of '{other.method}'"):
        other(weights=weights).fit(chain())


def test_a_folder_that_cannot_be_written_is_an_input_error(weights, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        weights.save(tmp_path / "file" / "w")


# -- pre-training -------------------------------------------------------------------------


class Switch:
    """A simulator of the user's own: y = 2 x or x = 2 y."""

    name = "switch"
    key = "switch-1"

    def size(self, seeds):
        return TaskSize(2, 15)

    def fingerprints(self, seeds):
        return []

    def simulate(self, seeds, size, *, reserved=frozenset(), device="cpu"):
        values, graphs = [], []
        for s in seeds:
            rng = np.random.default_rng(s)
            x = rng.normal(size=size.n)
            table = np.stack([x, 2 * x + rng.normal(size=size.n)], -1)
            forward = rng.random() < 0.5
            values.append(table if forward else table[:, ::-1])
            graphs.append(np.array([[0, forward], [not forward, 0]], dtype=bool))
        return Tasks(
            values=torch.from_numpy(np.stack(values)).float().to(device),
            intervened=torch.zeros(len(seeds), *size[::-1], dtype=torch.bool),
            graphs=torch.from_numpy(np.stack(graphs)),
            index=torch.arange(len(seeds)),
        )


class SwitchWithGraphs(Switch):
    """An attribute of a user's class may have any name."""

    graphs = "two"


QUICK = TrainingConfig(n_steps=3, validate_every=3, log_every=3, progress=False)


@pytest.mark.parametrize("family", [Switch(), SwitchWithGraphs()], ids=["plain", "with graphs"])
def test_a_simulator_of_the_users_own_can_be_trained_on(method, family, tmp_path):
    trained = pretrain(method, family=family, training=QUICK)
    assert trained.weights.card["family_key"] == "switch-1"
    back = CLASSES[method](weights=Pretrained.load(trained.weights.save(tmp_path / "w")))
    x = Switch().simulate([np.random.SeedSequence(9)], TaskSize(2, 15)).values[0].double()
    assert back.fit(x.numpy()).posterior_.graphs.shape[1:] == (2, 2)


def test_unknown_options_of_the_network_are_refused(method):
    with pytest.raises(InputError, match="no option 'dims'"):
        pretrain(method, network={"dims": 16})


def test_pre_training_is_reproducible_and_follows_its_seed(method):
    def key(**options):
        return pretrain(method, family=Switch(), training=QUICK, **options).weights.key

    first = key(seed=1)
    assert key(seed=1) == first
    assert key(seed=2) != first


def test_an_interrupted_run_goes_on_with_its_multiplier(tmp_path):
    """Six steps, or three and three more from the checkpoint: the same weights and dual."""
    constant = {
        "schedule": "constant", "warmup": 0.0, "validate_every": 0, "checkpoint_every": 1,
        "log_every": 3, "progress": False,
    }  # fmt: skip
    network = NETWORKS["avici"] | {"dual_step": 0.5, "dual_every": 2, "dual_warmup": 0}

    def run(n_steps, folder, **more):
        training = TrainingConfig(n_steps=n_steps, **constant)
        options = {"family": Switch(), "network": network, "training": training}
        return pretrain("avici", **options, folder=folder, **more).weights

    whole = run(6, tmp_path / "whole")
    run(3, tmp_path / "parts")
    parts = run(6, tmp_path / "parts", force=True)
    assert float(whole.weights["dual.multiplier"]) > 0
    for name, value in whole.weights.items():
        assert torch.equal(parts.weights[name], value), name
