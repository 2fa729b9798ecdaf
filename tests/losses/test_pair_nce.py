from __future__ import annotations

import math

import pytest
import torch

from facetwise.losses import pair_info_nce, relevance_truth


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("typed", [False, True])
def test_it_is_the_equation_pair_by_pair(typed):
    n, T = 9, 0.3
    g = seeded()
    scores = torch.randn(n, n, generator=g, dtype=torch.double)
    labels = torch.randint(3, (n,), generator=g)
    types = torch.randint(-1, 2, (n,), generator=g)
    yes = (labels[:, None] == labels) & ~torch.eye(n, dtype=torch.bool)
    no = labels[:, None] != labels
    terms = []
    for a in range(n):
        for b in range(n):
            if not yes[a, b] or (typed and types[b] < 0):
                continue
            others = [
                math.exp(scores[a, k] / T)
                for k in range(n)
                if no[a, k] and (not typed or types[k] == types[b])
            ]
            if others:
                own = math.exp(scores[a, b] / T)
                terms.append(-math.log(own / (own + sum(others))))
    loss = pair_info_nce(scores, yes, no, types=types if typed else None, temperature=T)
    assert loss.item() == pytest.approx(sum(terms) / len(terms))


def test_without_negatives_there_is_nothing_to_minimise():
    scores = torch.randn(4, 4, generator=seeded(), requires_grad=True)
    yes = ~torch.eye(4, dtype=torch.bool)
    loss = pair_info_nce(scores, yes, torch.zeros(4, 4, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(scores.grad, torch.zeros(4, 4))


def test_scores_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(B, B\)"):
        pair_info_nce(torch.zeros(3, 3), torch.zeros(2, 2).bool(), torch.zeros(3, 3).bool())


def test_relevance_learns_what_truly_differs_pair_by_pair():
    g = seeded()
    w = torch.softmax(torch.randn(20, 5, generator=g, dtype=torch.double), 1)
    targets = torch.randint(2, (20, 3), generator=g).float()
    mask = torch.randint(2, (20, 3), generator=g).float()
    y = torch.randint(-1, 2, (20,), generator=g).float()
    terms = []
    for p in range(20):
        differ = [m for m in range(3) if mask[p, m] == 1 and targets[p, m] == 0]
        if y[p] == 0 and differ:
            terms.append(-sum(math.log(w[p, m]) for m in differ) / len(differ))
    loss = relevance_truth(w, targets, mask, y)
    assert loss.item() == pytest.approx(sum(terms) / len(terms))


def test_similar_pairs_say_nothing_of_relevance():
    w = torch.softmax(torch.randn(6, 3, generator=seeded()), 1).requires_grad_()
    loss = relevance_truth(w, torch.zeros(6, 3), torch.ones(6, 3), torch.ones(6))
    loss.backward()
    assert loss.item() == 0
    assert w.grad.abs().sum() == 0


def test_targets_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="targets and mask"):
        relevance_truth(torch.ones(2, 2), torch.ones(3, 2), torch.ones(3, 2), torch.ones(3))
