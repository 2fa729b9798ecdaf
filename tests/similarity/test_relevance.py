import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.similarity import relevance_entropy, relevance_mass


def test_collapsed_relevance_has_equal_entropies():
    pair, mean = relevance_entropy(torch.tensor([[0.7, 0.2, 0.1]]).expand(9, 3))
    assert pair == pytest.approx(mean)
    assert pair == pytest.approx(-sum(p * math.log(p) for p in (0.7, 0.2, 0.1)))


def test_relevance_that_depends_on_the_pair_has_more_entropy_in_the_mean():
    pair, mean = relevance_entropy(torch.eye(4))
    assert pair == 0
    assert mean == pytest.approx(math.log(4))


@given(p=st.integers(1, 20), m=st.integers(1, 9), seed=st.integers(0, 999))
def test_entropies_are_ordered_and_mass_adds_up(p, m, seed):
    logits = 3 * torch.randn(p, m, generator=torch.Generator().manual_seed(seed))
    w = logits.softmax(1)
    pair, mean = relevance_entropy(w)
    assert -1e-9 <= pair <= mean + 1e-9 <= math.log(m) + 2e-6
    assert relevance_mass(w) == pytest.approx(1, abs=1e-5)
    assert relevance_mass(w, 0, m // 2) + relevance_mass(w, m // 2) == pytest.approx(1, abs=1e-5)


def test_no_pairs_are_refused():
    with pytest.raises(ValueError, match=r"\(0, 3\)"):
        relevance_entropy(torch.ones(0, 3))
