"""Row-wise Adam against one torch Adam for every row."""

import torch

from aetia.training import RowwiseAdam


def test_every_row_has_an_adam_of_its_own():
    g = torch.Generator().manual_seed(0)
    start = torch.randn(6, 3, dtype=torch.float64, generator=g)
    table = torch.nn.Parameter(start.clone())
    ours = RowwiseAdam([table], lr=0.05, betas=(0.8, 0.95), eps=1e-7)
    rows = [torch.nn.Parameter(r.clone()) for r in start]
    theirs = [torch.optim.Adam([r], lr=0.05, betas=(0.8, 0.95), eps=1e-7) for r in rows]
    for _ in range(20):
        batch = torch.randperm(6, generator=g)[:2]
        gradient = torch.zeros_like(start)
        gradient[batch] = torch.randn(2, 3, dtype=torch.float64, generator=g)
        table.grad = gradient
        ours.step()
        for i in batch:
            rows[i].grad = gradient[i].clone()
            theirs[i].step()
    torch.testing.assert_close(table.detach(), torch.stack([r.detach() for r in rows]))


def test_rows_outside_the_batch_do_not_move():
    table = torch.nn.Parameter(torch.zeros(3, 2))
    optimiser = RowwiseAdam([table], lr=0.1)
    for i in (0, 1):
        table.grad = torch.zeros(3, 2)
        table.grad[i] = 1.0
        optimiser.step()
    torch.testing.assert_close(table.detach(), torch.tensor([[-0.1] * 2, [-0.1] * 2, [0.0] * 2]))
    table.grad = torch.zeros(3, 2)
    before = table.detach().clone()
    optimiser.step()
    assert torch.equal(table.detach(), before)


def test_sparse_gradients_move_rows_as_dense_ones_do():
    g = torch.Generator().manual_seed(0)
    dense, sparse = (torch.nn.Parameter(torch.ones(5, 3)) for _ in range(2))
    one, other = RowwiseAdam([dense], lr=0.1), RowwiseAdam([sparse], lr=0.1)
    for _ in range(6):
        rows = torch.randint(5, (4,), generator=g)  # with repetitions, which add up
        values = torch.randn(4, 3, generator=g)
        dense.grad = torch.zeros(5, 3).index_add_(0, rows, values)
        sparse.grad = torch.sparse_coo_tensor(rows[None], values, (5, 3), check_invariants=True)
        one.step()
        other.step()
    torch.testing.assert_close(sparse.detach(), dense.detach())


def test_the_history_is_saved_and_comes_back():
    def run(n, state=None, table=None):
        table = table if table is not None else torch.nn.Parameter(torch.ones(4, 2))
        optimiser = RowwiseAdam([table], lr=0.1)
        if state is not None:
            optimiser.load_state_dict(state)
        for k in range(n):
            table.grad = torch.zeros(4, 2)
            table.grad[k % 3] = k + 1.0 if state is None else k + 4.0
            optimiser.step()
        return table, optimiser.state_dict()

    table, state = run(3)
    resumed, _ = run(3, state, table)
    whole, _ = run(6)
    torch.testing.assert_close(resumed.detach(), whole.detach())
