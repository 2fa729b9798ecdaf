import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.similarity import (
    ConditionalSimilarity,
    CosineSimilarity,
    PairScore,
    against_many,
    steer,
)


def random(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def a_module(d=6, m=4, seed=0, power=1.0, soft=0.0):
    g = torch.Generator().manual_seed(0)
    module = ConditionalSimilarity(d, m, init="xavier", generator=g, power=power, soft_minimum=soft)
    torch.nn.init.normal_(module.b2, generator=torch.Generator().manual_seed(seed))
    return module


@given(
    q=st.integers(1, 4),
    n=st.integers(1, 7),
    m=st.integers(1, 5),
    f=st.integers(1, 5),
    tile=st.integers(1, 9),
    power=st.sampled_from([1.0, 1.5, 2.0]),
    soft=st.sampled_from([0.0, 5.0]),
    seed=st.integers(0, 999),
)
def test_each_way_is_what_against_gives_for_it_alone(q, n, m, f, tile, power, soft, seed):
    module = a_module(m=m, seed=seed, power=power, soft=soft).double()
    query, gallery = random(q, 6, seed=seed).double(), random(n, 6, seed=seed + 1).double()
    factors = 5 * torch.rand(f, m, generator=torch.Generator().manual_seed(seed))
    together = module.against_many(query, gallery, factors, tile=tile)
    alone = torch.stack([module.against(query, gallery, factors=row) for row in factors])
    torch.testing.assert_close(together, alone)


def test_a_way_without_the_condition_that_holds_all_relevance_is_scored_by_the_rest():
    module = a_module(m=3)
    with torch.no_grad():
        module.b2.copy_(torch.tensor([500.0, 0.0, 1.0]))  # e^-500 is nothing in float32
    query, gallery = random(2, 6), random(3, 6, seed=2)
    factors = torch.tensor([[1.0, 1.0, 1.0], [0.0, 2.0, 1.0]])
    found = module.against_many(query, gallery, factors)[1]
    for i in range(2):
        for j in range(3):
            h1, h2 = query[i : i + 1].double(), gallery[j : j + 1].double()
            s, w = module.double()(h1, h2)[1:]
            slow = steer(PairScore((s * w).sum(-1), s, w), factors[1]).score
            assert found[i, j].item() == pytest.approx(slow.item(), abs=1e-5)
            module.float()


def test_what_are_no_ways_to_steer_is_refused():
    module, h = a_module(), random(2, 6)
    for factors in (torch.ones(4), torch.ones(0, 4), torch.ones(2, 3), torch.zeros(1, 4)):
        with pytest.raises(ValueError, match="factors"):
            module.against_many(h, h, factors)


def test_a_similarity_without_conditions_is_the_same_whatever_the_factor():
    h = random(3, 4)
    found = against_many(CosineSimilarity(), h, h, torch.tensor([[1.0], [9.0]]))
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], CosineSimilarity().against(h, h))
