"""Streams of tasks: the same for any number of workers, resumable, disjoint between splits."""

from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pytest
import torch

from aetia.errors import InputError
from aetia.scm import (
    EdgeCoins,
    Family,
    FixedTasks,
    Interventions,
    Linear,
    TaskFamily,
    Tasks,
    TaskSize,
    TaskStream,
    overlap,
)

FAMILY = Family(d=6, n=30, interventions=Interventions(), noise=["gaussian", "laplace"])
MIXED = Family(d=(4, 7), n=(20, 40))


def stream(family=FAMILY, **options):
    return TaskStream(**{"family": family, "seed": 1, "batch_size": 4} | options)


def first(batches, count):
    out = list(islice(batches, count))
    batches.close()
    return out


def assert_same(got, expected):
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        for name in ("values", "intervened", "graphs", "index"):
            assert torch.equal(getattr(a, name), getattr(b, name)), name


def hashes(graphs):
    return {np.asarray(g, dtype=np.int8).tobytes() for g in graphs}


# -- numbering ----------------------------------------------------------------------------


def test_batches_are_ranges_of_task_numbers():
    batches = first(stream().batches(), 3)
    assert [b.index.tolist() for b in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert_same(batches, first(stream().batches(), 3))
    assert not torch.equal(batches[0].values, first(stream(seed=2).batches(), 1)[0].values)


@pytest.mark.parametrize("family", [FAMILY, MIXED], ids=["one-size", "mixed"])
@pytest.mark.parametrize("replay", [1, 3])
def test_workers_do_not_change_the_batches(family, replay):
    here = first(stream(family, replay=replay).batches(1), 4)
    assert_same(first(stream(family, replay=replay).batches(1, n_workers=2), 4), here)


@pytest.mark.parametrize("world_size", [2, 4])
@pytest.mark.parametrize("family", [FAMILY, MIXED], ids=["one-size", "mixed"])
@pytest.mark.parametrize("replay", [1, 2])
def test_processes_share_the_tasks_of_each_batch(world_size, family, replay):
    """Process r takes the numbers r modulo their count; together they have the same batches."""
    whole = first(stream(family, replay=replay).batches(), 4)
    parts = [
        first(stream(family, rank=r, world_size=world_size, replay=replay).batches(), 4)
        for r in range(world_size)
    ]
    for r in range(world_size):
        assert all((p.index % world_size == r).all() for p in parts[r])
    for k, expected in enumerate(whole):
        joined = Tasks.join([parts[r][k] for r in range(world_size)])
        order = joined.index.argsort()
        assert torch.equal(joined.index[order], expected.index)
        assert torch.equal(joined.graphs[order], expected.graphs)
        assert torch.equal(joined.intervened[order], expected.intervened)
        torch.testing.assert_close(joined.values[order], expected.values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("replay", [1, 3])
@pytest.mark.parametrize("start", [1, 2, 4, 5])
def test_a_stream_resumes_at_any_batch(start, replay):
    options = {"replay": replay}
    uninterrupted = first(stream(**options).batches(), start + 3)
    assert_same(first(stream(**options).batches(start), 3), uninterrupted[start:])


def test_a_task_is_the_same_in_a_batch_of_another_size():
    small = Tasks.join(first(stream(batch_size=2).batches(), 4))
    large = Tasks.join(first(stream(batch_size=8).batches(), 1))
    assert torch.equal(small.index, large.index)
    assert torch.equal(small.graphs, large.graphs)
    torch.testing.assert_close(small.values, large.values, rtol=1e-4, atol=1e-5)


def test_one_batch_has_one_size_and_batches_differ():
    batches = first(stream(MIXED).batches(), 12)
    assert {b.values.shape[2] for b in batches} == {4, 7}
    assert len({b.values.shape[1] for b in batches}) > 3


# -- replay -------------------------------------------------------------------------------


def test_replay_gives_fresh_rows_of_the_same_tasks():
    turns = first(stream(replay=3).batches(), 6)
    pool = FAMILY.simulate([stream().task_seed(g) for g in range(4)], TaskSize(6, 90))
    for turn in turns[:3]:
        assert turn.values.shape == (4, 30, 6)
        assert torch.equal(turn.graphs, turns[0].graphs)
        assert turn.index.tolist() == [0, 1, 2, 3]
    assert turns[3].index.tolist() == [4, 5, 6, 7]
    for b in range(4):
        rows = [
            (t.values[b][:, None] == pool.values[b][None]).all(-1).int().argmax(1)
            for t in turns[:3]
        ]
        for turn, at in zip(turns, rows, strict=False):
            assert torch.equal(turn.values[b], pool.values[b, at])
            assert torch.equal(turn.intervened[b], pool.intervened[b, at])
            assert len(set(at.tolist())) == 30  # without repetition
        assert len({tuple(sorted(at.tolist())) for at in rows}) == 3


def test_tasks_of_a_batch_choose_rows_independently():
    family = Family(d=2, n=20, graphs=EdgeCoins(edges=0), mechanisms=Linear())
    (turn, *_) = first(stream(family, replay=2).batches(), 1)
    pool = family.simulate([stream(family).task_seed(g) for g in range(4)], TaskSize(2, 40))
    rows = [
        tuple((turn.values[b][:, None] == pool.values[b][None]).all(-1).int().argmax(1).tolist())
        for b in range(4)
    ]
    assert len(set(rows)) == 4


def test_the_pool_of_a_replayed_batch_can_be_stated():
    (turn,) = first(stream(replay=2, n_pool=30).batches(), 1)
    pool = FAMILY.simulate([stream().task_seed(g) for g in range(4)], TaskSize(6, 30))
    assert torch.equal(turn.values.sort(1).values, pool.values.sort(1).values)


# -- splits -------------------------------------------------------------------------------


def test_splits_roots_families_and_numbers_share_no_seed():
    streams = [
        stream(family, split=split, seed=seed)
        for split in ("train", "val", "test")
        for seed in (0, 1, 42, 1000)
        for family in (FAMILY, MIXED)
    ]
    numbers = [*range(60), *range(1000, 1025), *range(2000, 2025)]
    states = {s.task_seed(g).generate_state(4).tobytes() for s in streams for g in numbers}
    assert len(states) == len(streams) * len(numbers)


FEW = Family(d=5, n=10, graphs=EdgeCoins(edges=2, exact=True))  # 180 different graphs


def test_reserved_graphs_are_drawn_again_and_numbers_do_not_shift():
    tests = FixedTasks(family=FEW, numbers=range(40))
    reserved = frozenset(tests.fingerprints())
    held_out = hashes(t.graphs[0] for t in tests.tasks())
    assert 20 < len(held_out) == len(reserved) <= 40
    free = Tasks.join(first(stream(FEW, batch_size=80).batches(), 2))
    kept = Tasks.join(first(stream(FEW, batch_size=80, reserved=reserved).batches(), 2))
    hit = torch.tensor([bool(hashes([g]) & held_out) for g in free.graphs])
    assert hit.sum() > 15  # about one in five: the reservation bites
    assert not hashes(kept.graphs) & held_out
    assert kept.n_rejected >= hit.sum()
    assert torch.equal(kept.index, free.index)
    assert torch.equal(kept.graphs[~hit], free.graphs[~hit])
    torch.testing.assert_close(kept.values[~hit], free.values[~hit], rtol=1e-4, atol=1e-5)
    workers = first(stream(FEW, batch_size=80, reserved=reserved).batches(n_workers=2), 1)
    assert torch.equal(workers[0].graphs, kept.graphs[:80])


def test_replayed_batches_keep_the_reservation_too():
    tests = FixedTasks(family=FEW, numbers=range(40))
    reserved, held_out = frozenset(tests.fingerprints()), hashes(map(FEW.graph, tests.seeds()))
    turns = first(stream(FEW, batch_size=60, reserved=reserved, replay=2).batches(), 2)
    assert not hashes(Tasks.join(turns).graphs) & held_out


def test_up_to_four_variables_mechanisms_tell_tasks_apart():
    """There are three graphs on two variables: reserving graphs would leave nothing."""
    family = Family(d=2, n=10, graphs=EdgeCoins(probability=0.5))
    tests = FixedTasks(family=family, numbers=range(30))
    reserved = frozenset(tests.fingerprints())
    assert len(reserved) == 30
    train = first(stream(family, batch_size=50, reserved=reserved).batches(), 1)[0]
    assert train.n_rejected == 0
    own = FixedTasks(family=family, numbers=[0, 2], split="train", seed=1)
    avoided = stream(family, batch_size=50, reserved=frozenset(own.fingerprints()))
    again = first(avoided.batches(), 1)[0]
    same = (again.values == train.values).flatten(1).all(1)
    assert same.tolist() == [g not in (0, 2) for g in range(50)]
    assert again.n_rejected == 2


def test_a_reservation_of_every_graph_is_an_error():
    family = Family(name="tiny", d=5, n=10, graphs=EdgeCoins(edges=0))
    reserved = frozenset(FixedTasks(family=family, numbers=[0]).fingerprints())
    with pytest.raises(InputError, match=r"'tiny' gave no usable task.*reserved"):
        first(stream(family, reserved=reserved).batches(), 1)


def test_overlap_counts_what_two_sets_share():
    val, test = (FixedTasks(family=FEW, numbers=range(30), split=s) for s in ("val", "test"))
    graphs = [hashes(t.graphs[0] for t in s.tasks()) for s in (val, test)]
    shared = overlap(val.fingerprints(), test.fingerprints())
    assert shared == len(graphs[0] & graphs[1]) > 0
    assert overlap([b"a", b"b", b"b"], [b"b", b"c"]) == 1


# -- fixed sets ---------------------------------------------------------------------------


def test_a_fixed_set_is_read_from_its_cache(tmp_path):
    family = Counted(FAMILY)
    fixed = FixedTasks(family=family, numbers=[1000, 1003], split="val", cache=tmp_path / "sets")
    made = fixed.tasks()
    assert [t.index.tolist() for t in made] == [[1000], [1003]]
    assert len(list((tmp_path / "sets").iterdir())) == 1
    family.simulated.clear()
    read = replace(fixed).tasks()
    assert not family.simulated
    assert_same(read, made)
    assert_same(replace(fixed, cache=None).tasks(), made)


def test_tasks_of_a_fixed_set_do_not_depend_on_their_company():
    alone = FixedTasks(family=MIXED, numbers=[7]).tasks()
    assert_same(FixedTasks(family=MIXED, numbers=[3, 7, 8]).tasks()[1:2], alone)
    sizes = {tuple(t.values.shape) for t in FixedTasks(family=MIXED, numbers=range(20)).tasks()}
    assert {s[2] for s in sizes} == {4, 7}


def test_the_number_of_rejected_draws_survives_the_cache(tmp_path):
    fixed = FixedTasks(family=OftenRejected(), numbers=range(3), cache=tmp_path)
    assert [t.n_rejected for t in fixed.tasks()] == [2, 2, 2]
    assert [t.n_rejected for t in fixed.tasks()] == [2, 2, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"numbers": [1, 2]},
        {"numbers": [2, 1, 0]},
        {"seed": 5},
        {"split": "val"},
        {"family": Family(d=6, n=31, interventions=Interventions())},
        {"family": Family(d=6, n=30, interventions=Interventions(high=4.0))},
    ],
    ids=str,
)
def test_another_content_has_another_key(change, tmp_path):
    fixed = FixedTasks(
        family=Family(d=6, n=30, interventions=Interventions()), numbers=[0, 1, 2], cache=tmp_path
    )
    other = replace(fixed, **change)
    assert other.key != fixed.key
    fixed.tasks()
    other.tasks()
    assert len(list(tmp_path.iterdir())) == 2


def test_the_same_content_has_the_same_key():
    by_name = Family(d=[6], n=30, mechanisms="linear", graphs={"name": "erdos-renyi"})
    fixed = FixedTasks(family=Family(d=6, n=30), numbers=[0, 1])
    assert replace(fixed, family=by_name).key == fixed.key
    assert replace(fixed, numbers=(0, 1)).key == fixed.key
    assert replace(fixed, numbers=range(2)).key == fixed.key


# -- a user's own -------------------------------------------------------------------------


class Counted:
    """A family that counts what it simulates: no base class, no registration."""

    def __init__(self, family):
        self.name, self.key, self._family = "counted", family.key, family
        self.simulated = []

    def size(self, seeds):
        return self._family.size(seeds)

    def simulate(self, seeds, size, *, reserved=frozenset(), device="cpu"):
        self.simulated.extend(seeds)
        return self._family.simulate(seeds, size, reserved=reserved, device=device)

    def fingerprints(self, seeds):
        return self._family.fingerprints(seeds)


class OftenRejected:
    """A simulator of the user's own, with two rejections for every call."""

    name = "own"
    key = "own, version 1"

    def size(self, seeds):
        return TaskSize(3, 5)

    def simulate(self, seeds, size, *, reserved=frozenset(), device="cpu"):
        rows = [np.random.default_rng(s).normal(size=(size.n, size.d)) for s in seeds]
        b = len(seeds)
        return Tasks(
            values=torch.from_numpy(np.stack(rows)).float(),
            intervened=torch.zeros(b, size.n, size.d, dtype=torch.bool),
            graphs=torch.zeros(b, size.d, size.d, dtype=torch.bool),
            index=torch.arange(b),
            n_rejected=2,
        )

    def fingerprints(self, seeds):
        return [s.generate_state(4).tobytes() for s in seeds]


@pytest.mark.parametrize("own", [Counted(FAMILY), OftenRejected()], ids=["counted", "own"])
def test_a_family_of_the_users_own_streams(own):
    assert isinstance(own, TaskFamily)
    assert isinstance(FAMILY, TaskFamily)
    whole = stream(own)
    assert_same(first(whole.batches(2), 2), first(whole.batches(), 4)[2:])
    turns = first(stream(own, replay=2).batches(), 2)
    assert torch.equal(turns[0].graphs, turns[1].graphs)
    assert not torch.equal(turns[0].values, turns[1].values)
    assert len(FixedTasks(family=own, numbers=[4]).tasks()) == 1


class PlainChain:
    """A graph family that is no dataclass, so its ``repr`` holds an address."""

    def sample(self, d, rng):
        return np.eye(d, k=1, dtype=bool)

    def expected_edges(self, d):
        return float(d - 1)


@dataclass(frozen=True)
class NamedChain(PlainChain):
    length: int = 3


def test_the_key_of_a_users_own_object_does_not_depend_on_where_it_lies_in_memory():
    """Or tasks would differ from one run to the next under the same seed."""
    objects = [NamedChain(), NamedChain()]
    assert Family(graphs=objects[0]).key == Family(graphs=objects[1]).key
    objects = [PlainChain(), PlainChain()]
    assert Family(graphs=objects[0]).key == Family(graphs=objects[1]).key


# -- refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 5, "world_size": 2}, "5 tasks per batch .* 2 processes"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": -4}, "batch_size"),
        ({"replay": 0}, "replay must be at least 1, got 0"),
        ({"rank": 2, "world_size": 2}, "rank"),
        ({"rank": -1}, "rank"),
        ({"world_size": 0}, "world_size"),
        ({"seed": -1}, "seed"),
        ({"replay": 2, "n_pool": 0}, "n_pool"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        stream(**options)


def test_a_pool_smaller_than_a_task_is_refused():
    with pytest.raises(InputError, match="n_pool"):
        first(stream(replay=2, n_pool=10).batches(), 1)
