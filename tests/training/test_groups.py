"""Named groups of parameters: decay, rates, recorded norms, clipping."""

import math
from itertools import islice

import pytest
import torch
from torch import nn

from aetia.errors import InputError
from aetia.nets import seeded
from aetia.training import ParameterGroup, train
from training.runs import generator, options, phase, tables


class Scored(nn.Module):
    """Edge logits, a network, and a scale."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.full((3, 3), 2.0))
        self.net = nn.Linear(3, 1)
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        return self.scale * self.net(x @ self.logits)


def scored():
    with seeded(generator(3)):
        return Scored()


def structure(**changes):
    return lambda m: {"structure": ParameterGroup([m.logits], **changes)}


def pulls(structure, net, scale=0.0):
    """A loss whose gradient has given norms on the groups."""

    def loss(m, x, step, generator):
        at = lambda v: v(step) if callable(v) else v  # noqa: E731
        parts = {
            "structure": at(structure) * m.logits[0, 0],
            "net": at(net) * m.net.bias.sum() + 0.0 * m.net.weight.sum(),
            "scale": at(scale) * m.scale,
        }
        return sum(parts.values()), parts

    return loss


def run(module, one_phase, **changes):
    return train(module, [one_phase], tables, config=options(**{"n_steps": 4, **changes}), seed=1)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=1.0)


def test_structure_without_decay_stays_where_the_gradient_is_zero_and_the_rest_decays():
    module = scored()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    one = phase(pulls(0.0, 0.0), groups=structure(weight_decay=0.0))
    trained = run(module, one, weight_decay=0.1, warmup=0.0, schedule="constant")
    rates = [r["learning_rate"] for r in trained.rows]
    shrunk = (1 - rates[0] * 0.1) ** 4
    torch.testing.assert_close(module.logits.detach(), before["logits"], rtol=0, atol=0)
    torch.testing.assert_close(module.net.weight.detach(), before["net.weight"] * shrunk)
    torch.testing.assert_close(module.net.bias.detach(), before["net.bias"], rtol=0, atol=0)
    other = scored()
    run(other, phase(pulls(0.0, 0.0)), weight_decay=0.1, warmup=0.0, schedule="constant")
    torch.testing.assert_close(other.logits.detach(), before["logits"] * shrunk)


def test_a_stated_decay_is_of_every_member_vectors_too():
    module = scored()
    bias = module.net.bias.detach().clone()
    one = phase(
        pulls(0.0, 0.0),
        groups=lambda m: {"net": ParameterGroup(list(m.net.parameters()), weight_decay=0.5)},
    )
    run(module, one, weight_decay=0.0, warmup=0.0, schedule="constant")
    torch.testing.assert_close(module.net.bias.detach(), bias * (1 - 1e-2 * 0.5) ** 4)


def test_the_rate_of_a_group_is_a_factor():
    """Adam's steps have the length of the rate, whatever the gradient."""
    module = scored()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    one = phase(pulls(1.0, 1.0), groups=structure(learning_rate=3.0))
    run(module, one, weight_decay=0.0, warmup=0.0, schedule="constant", n_steps=1)
    moved = float((module.logits.detach() - before["logits"])[0, 0])
    assert moved == pytest.approx(-3e-2, rel=1e-3)
    assert float((module.net.bias.detach() - before["net.bias"])[0]) == pytest.approx(
        -1e-2, rel=1e-3
    )


def test_groups_without_options_train_the_same_weights():
    plain, grouped = scored(), scored()
    run(plain, phase(squared_error_of), clip_norm=None)
    run(grouped, phase(squared_error_of, groups=structure()), clip_norm=None)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(grouped.state_dict()[name], value, rtol=0, atol=0)


def squared_error_of(m, x, step, generator):
    error = (m(x) - x.sum(1, keepdim=True)).square().mean()
    return error, {"error": error}


def test_norms_are_recorded_by_group_with_means_and_maxima():
    one = phase(pulls(lambda s: 30.0 if s == 2 else 3.0, 4.0), groups=structure(), optimiser=sgd)
    (row,) = run(scored(), one, clip_norm=1.0).rows
    assert row["gradient_norm/structure"] == pytest.approx((3 * 3 + 30) / 4)
    assert row["gradient_norm_max/structure"] == pytest.approx(30)
    assert row["gradient_norm/rest"] == row["gradient_norm_max/rest"] == pytest.approx(4)
    assert row["gradient_norm"] == pytest.approx((3 * 5 + math.hypot(30, 4)) / 4)
    assert row["gradient_norm_max"] == pytest.approx(math.hypot(30, 4))
    assert row["clipped_share"] == 1.0


def test_maxima_start_again_with_each_row():
    one = phase(pulls(lambda s: 10.0 - s, 0.0), groups=structure(), optimiser=sgd)
    rows = run(scored(), one, n_steps=8).rows
    assert [r["gradient_norm_max"] for r in rows] == pytest.approx([10, 6])
    assert [r["gradient_norm_max/structure"] for r in rows] == pytest.approx([10, 6])


@pytest.mark.parametrize(
    ("clip", "moved"), [("global", (3 / 5, 4 / 5)), ("per-group", (1.0, 1.0)), (None, (3.0, 4.0))]
)
def test_gradients_are_clipped_by_one_norm_or_by_the_norm_of_their_group(clip, moved):
    module = scored()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    one = phase(pulls(3.0, 4.0), groups=structure(), optimiser=sgd)
    changes = {"clip_norm": None} if clip is None else {"clip": clip, "clip_norm": 1.0}
    run(module, one, n_steps=1, **changes)
    got = (
        float((before["logits"] - module.logits.detach())[0, 0]),
        float((before["net.bias"] - module.net.bias.detach())[0]),
    )
    assert got == pytest.approx(moved, rel=1e-5)


def test_clipping_by_group_spares_the_small_group_and_records_each():
    one = phase(pulls(lambda s: 3.0 if s % 2 else 0.1, 0.5), groups=structure(), optimiser=sgd)
    (row,) = run(scored(), one, clip="per-group", clip_norm=1.0).rows
    assert row["clipped_share/structure"] == row["clipped_share"] == 0.5
    assert row["clipped_share/rest"] == 0.0
    (row,) = run(scored(), one, clip="global", clip_norm=1.0).rows
    assert "clipped_share/structure" not in row


def test_global_clipping_of_groups_is_that_of_torch():
    grouped, plain = scored(), scored()
    run(grouped, phase(squared_error_of, groups=structure(), optimiser=sgd), clip_norm=0.05)
    run(plain, phase(squared_error_of, optimiser=sgd), clip_norm=0.05)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(grouped.state_dict()[name], value, rtol=1e-6, atol=1e-7)


def test_groups_are_resumed_to_the_same_bits(tmp_path):
    def fit(folder, batches=tables):
        module = scored()
        one = phase(squared_error_of, groups=structure(weight_decay=0.0, learning_rate=5.0))
        config = options(clip="per-group", clip_norm=0.1)
        train(module, [one], batches, config=config, seed=1, folder=folder)
        return module.state_dict()

    with pytest.raises(InputError, match="ran out"):
        fit(tmp_path / "a", lambda k: islice(tables(k), 7 - k))
    got, expected = fit(tmp_path / "a"), fit(tmp_path / "b")
    assert all(torch.equal(got[k], expected[k]) for k in expected)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            lambda m: {"a": ParameterGroup([m.logits]), "b": ParameterGroup([m.logits])},
            "'a' and 'b'",
        ),
        (lambda m: {"a": ParameterGroup([nn.Parameter(torch.zeros(2))])}, "does not update"),
        (lambda m: {"rest": ParameterGroup([m.logits])}, "another name"),
    ],
)
def test_impossible_groups_are_named(groups, message):
    with pytest.raises(InputError, match=message):
        run(scored(), phase(pulls(1.0, 1.0), groups=groups))


def test_options_that_an_own_optimiser_would_ignore_are_refused():
    one = phase(pulls(1.0, 1.0), groups=structure(weight_decay=0.0), optimiser=sgd)
    with pytest.raises(InputError, match=r"\['structure'\] would be ignored"):
        run(scored(), one)


@pytest.mark.parametrize("bad", [{"learning_rate": 0.0}, {"weight_decay": -1.0}])
def test_impossible_options_of_a_group_are_named(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        ParameterGroup([], **bad)


# -- the objective ----------------------------------------------------------------------------


def test_the_gradient_of_the_objective_is_recorded_for_each_group():
    one = phase(pulls(3.0, 4.0, 5.0), groups=structure(), objective="net")
    (row,) = run(scored(), one).rows
    assert row["objective"] == "net"
    assert row["objective_gradient/structure"] == 0.0
    assert row["objective_gradient/rest"] == pytest.approx(4.0)
    assert "no gradient from the data" in row["verdicts"]["objective_gradient/structure"]
    one = phase(pulls(3.0, 4.0, 5.0), groups=structure(), objective="structure")
    (row,) = run(scored(), one).rows
    assert row["objective_gradient/structure"] == pytest.approx(3.0)
    assert row["verdicts"]["objective_gradient/structure"] == "ok"


def test_an_objective_without_any_gradient_counts_as_zero():
    def loss(m, x, step, generator):
        return m.logits.sum(), {"data": x.mean(), "sparse": m.logits.sum()}

    (row,) = run(scored(), phase(loss, groups=structure(), objective="data")).rows
    assert row["objective_gradient/structure"] == 0.0


def test_another_part_that_drowns_the_objective_is_called_out():
    def row(net):
        one = phase(pulls(1.0, net), groups=structure(), objective="structure")
        return run(scored(), one).rows[0]

    assert row(8.9)["verdicts"]["gradient_share/net"] == "ok"
    assert "lower its lambda" in row(9.1)["verdicts"]["gradient_share/net"]
    assert "gradient_share/structure" not in row(1e-3)["verdicts"]


def test_an_unknown_objective_is_named_with_the_parts():
    with pytest.raises(InputError, match=r"'recon'.*'error'"):
        run(scored(), phase(squared_error_of, objective="recon"))


def test_without_groups_the_objective_is_measured_on_all_parameters():
    (row,) = run(scored(), phase(pulls(3.0, 4.0), objective="net")).rows
    assert row["objective_gradient/all"] == pytest.approx(4.0)
