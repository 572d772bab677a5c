"""Weighted terms of a loss, and what the record holds of them."""

import pytest
import torch

from aetia.errors import InputError
from aetia.training import train, weigh
from training.runs import module_of, options, phase, regression, tables, target

LAMBDAS = {"recon": 10.0, "sparse": 1e-2}


def terms_of(module, x):
    predicted = module(x)
    return {"recon": (predicted - target(x)).square().mean(), "sparse": predicted.abs().mean()}


def test_the_loss_is_the_sum_of_the_weighted_parts_and_raw_terms_are_what_they_were():
    w = torch.tensor([1.0, -2.0], requires_grad=True)
    terms = {"recon": w.square().sum(), "sparse": w.abs().sum()}
    loss, parts = weigh(terms, LAMBDAS)
    assert float(loss.detach()) == pytest.approx(10 * 5 + 0.01 * 3)
    summed = parts["recon"] + parts["sparse"]
    assert float(loss.detach()) == pytest.approx(float(summed.detach()))
    assert float(parts["raw/recon"]) == 5.0
    assert float(parts["raw/sparse"]) == 3.0
    assert {k: float(parts[f"lambda/{k}"]) for k in LAMBDAS} == LAMBDAS
    live = {k for k, v in parts.items() if v.requires_grad}
    assert live == {"recon", "sparse"}
    (whole,) = torch.autograd.grad(loss, w, retain_graph=True)
    (of_parts,) = torch.autograd.grad(summed, w)
    torch.testing.assert_close(whole, of_parts)
    torch.testing.assert_close(whole, 20 * w.detach() + 0.01 * w.detach().sign())


def test_the_record_holds_weighted_terms_raw_terms_and_weights():
    def loss(module, x, step, generator):
        lambdas = {**LAMBDAS, "sparse": 1e-2 * (step + 1)}
        return weigh(terms_of(module_of(module), x), lambdas)

    rows = train(
        regression(0.0),
        [phase(loss, objective="recon")],
        tables,
        config=options(log_every=1),
        seed=1,
    ).rows
    for k, row in enumerate(rows):
        assert row["lambda/sparse"] == pytest.approx(1e-2 * (k + 1))
        assert row["recon"] == pytest.approx(10 * row["raw/recon"], rel=1e-6)
        assert row["sparse"] == pytest.approx(row["lambda/sparse"] * row["raw/sparse"], rel=1e-6)
        assert row["loss"] == pytest.approx(row["recon"] + row["sparse"], rel=1e-6)
        shares = {k for k in row if k.startswith("gradient_share/")}
        assert shares == {"gradient_share/recon", "gradient_share/sparse"}
        assert sum(row[k] for k in shares) == pytest.approx(1.0)


@pytest.mark.parametrize("lambdas", [{"recon": 1.0}, {**LAMBDAS, "acyclic": 1.0}, {}])
def test_terms_and_weights_must_have_the_same_names(lambdas):
    terms = {"recon": torch.tensor(1.0), "sparse": torch.tensor(1.0)}
    with pytest.raises(InputError, match=r"sparse.*same names"):
        weigh(terms, lambdas)


def test_no_terms_are_refused():
    with pytest.raises(InputError, match="at least one"):
        weigh({}, {})
