"""Masked distances against plain loops."""

from __future__ import annotations

import math

import pytest
import torch

from facetwise.similarity import MixedMasks, TypeMasks, masked_score
from facetwise.similarity.typed import TYPE_SCALE

D, T, N = 6, 3, 11


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def embeddings(n=N):
    return torch.nn.functional.normalize(torch.randn(n, D, generator=generator(5)), dim=1)


def slow(x, y, mask):
    u = [max(0.0, m) * v for m, v in zip(mask, x, strict=True)]
    v = [max(0.0, m) * w for m, w in zip(mask, y, strict=True)]
    a, b = math.hypot(*u), math.hypot(*v)
    return 1 - math.dist([p / a for p in u], [p / b for p in v]) / 2


def typed(spread=1.0):
    masks = TypeMasks(D, T, generator(1))
    with torch.no_grad():
        masks.masks.add_(spread * torch.randn(masks.masks.shape, generator=generator(2)))
    return masks, torch.tensor([0, 1, 2, 2, 1, 0, -1, 1, -1, 2, 0])


def mixed(spread=1.0):
    masks = MixedMasks(D, 4, 8, generator(3))
    with torch.no_grad():
        masks.masks.add_(spread * torch.randn(masks.masks.shape, generator=generator(4)))
    return masks


def test_each_pair_of_types_has_its_space():
    masks, types = typed()
    e = embeddings()
    i, j = torch.triu_indices(N, N, 1)
    h = masks.joined(e, types)
    found = masks(h[i], h[j]).score.tolist()
    whole = masks.masks.detach()[masks.places]
    for score, a, b in zip(found, i.tolist(), j.tolist(), strict=True):
        kinds = [[k] if k >= 0 else range(T) for k in (int(types[a]), int(types[b]))]
        several = [whole[t, s] for t in kinds[0] for s in kinds[1]]
        mask = (sum(several) / len(several)).tolist()
        assert score == pytest.approx(slow(e[a].tolist(), e[b].tolist(), mask), abs=1e-5)


def test_the_space_of_shoes_with_hats_is_that_of_hats_with_shoes():
    masks, _ = typed()
    assert torch.equal(masks.places, masks.places.T)
    assert len(masks.masks) == T * (T + 1) // 2 == masks.places.max() + 1


def test_the_type_does_not_disturb_the_plain_cosine():
    masks, types = typed()
    e = embeddings()
    h = masks.joined(e, types)
    cosine = torch.nn.functional.cosine_similarity(h[:1], h)
    torch.testing.assert_close(cosine, (e[:1] @ e.T)[0], rtol=0, atol=1e-5)
    assert TYPE_SCALE < 0.01


def test_prototypes_of_one_type_are_of_that_type():
    masks, _ = typed()
    e = embeddings(4)
    h = masks.joined(e, torch.tensor([1, 1, 2, 2]))
    mean = h[:2].mean(0, keepdim=True)
    expected = masks.joined(e[:2].mean(0, keepdim=True), torch.tensor([1]))
    torch.testing.assert_close(masks(mean, h[3:]).score, masks(expected, h[3:]).score)


@pytest.mark.parametrize("kind", ["typed", "mixed"])
def test_all_pairs_at_once_and_listed_ones_are_the_pairs_one_by_one(kind):
    masks, types = typed() if kind == "typed" else (mixed(), None)
    h = masks.joined(embeddings(), types) if kind == "typed" else embeddings()
    each = torch.stack([masks(h[k : k + 1].expand(N, -1), h).score for k in range(N)])
    off = ~torch.eye(N, dtype=torch.bool)  # a thing with itself: a root near zero
    torch.testing.assert_close(masks.against(h, h)[off], each[off], rtol=0, atol=1e-5)
    torch.testing.assert_close(masks.against(h, h), each, rtol=0, atol=2e-3)
    r, c = torch.triu_indices(N, N, 1)
    torch.testing.assert_close(masks.listed(h, r, c), each[r, c], rtol=0, atol=1e-5)
    assert masks.listed(h, r[:0], c[:0]).shape == (0,)


@pytest.mark.parametrize("kind", ["typed", "mixed"])
def test_swapping_a_pair_changes_nothing_and_scores_are_shares(kind):
    masks, types = typed() if kind == "typed" else (mixed(), None)
    h = masks.joined(embeddings(), types) if kind == "typed" else embeddings()
    one, other = masks(h[:5], h[5:10]), masks(h[5:10], h[:5])
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b)
    assert ((one.score >= 0) & (one.score <= 1)).all()
    torch.testing.assert_close(one.relevance.sum(1), torch.ones(5))
    torch.testing.assert_close(masks(h, h).score, torch.ones(N))


def test_equal_masks_are_the_distance_itself():
    masks = mixed(0)
    with torch.no_grad():
        masks.masks.fill_(0.7)
    e = embeddings()
    expected = 1 - torch.cdist(e[:5], e[5:10]).diagonal() / 2
    torch.testing.assert_close(masks(e[:5], e[5:10]).score, expected)


def test_mixing_weighs_masks_and_not_scores():
    masks = mixed()
    e = embeddings()
    score, conditions, w = masks(e[:5], e[5:10])
    for p in range(5):
        x, y = e[p].tolist(), e[5 + p].tolist()
        mask = (w[p] @ masks.masks.relu()).tolist()
        assert score[p].item() == pytest.approx(slow(x, y, mask), abs=1e-5)
        for m in range(4):
            alone = slow(x, y, masks.masks[m].tolist())
            assert conditions[p, m].item() == pytest.approx(alone, abs=1e-5)
    assert (score - (conditions * w).sum(1)).abs().max() > 1e-4


def test_one_mask_is_its_own_score():
    masks = MixedMasks(D, 1, generator=generator())
    score, conditions, w = masks(embeddings(4), embeddings(4).flip(0))
    torch.testing.assert_close(score, conditions[:, 0])
    assert (w == 1).all()


def test_steering_to_one_mask_leaves_it_alone():
    masks = mixed()
    e = embeddings()
    only = masks.against(e, e, factors=[0, 0, 1, 0])
    expected = masked_score(e[:, None], e[None], masks.masks[2])
    torch.testing.assert_close(only, expected, rtol=0, atol=2e-3)
    same = masks.against(e, e, factors=[2, 2, 2, 2])
    torch.testing.assert_close(same, masks.against(e, e), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="4 factors"):
        masks.against(e, e, factors=[1, 2])


def test_tiles_do_not_matter(monkeypatch):
    masks, e = mixed(), embeddings()
    whole = masks.against(e, e)
    monkeypatch.setattr("facetwise.similarity.typed._TILE", 4)
    torch.testing.assert_close(masks.against(e, e), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["typed", "mixed"])
def test_gradients_reach_everything_and_stay_finite(kind):
    masks, types = typed() if kind == "typed" else (mixed(), None)
    e = embeddings().requires_grad_()
    h = masks.joined(e, types) if kind == "typed" else e
    i, j = torch.triu_indices(N, N)  # with each thing and itself
    masks(h[i], h[j]).score.sum().backward()
    for parameter in (e, *masks.parameters()):
        assert parameter.grad is not None and parameter.grad.isfinite().all()
    assert (masks.masks.grad != 0).any(1).all()


def test_shapes_are_checked():
    masks, _ = typed()
    with pytest.raises(ValueError, match=r"\(N, 9\)"):
        masks(torch.zeros(1, 4), torch.zeros(1, 4))
    with pytest.raises(ValueError, match="positive"):
        TypeMasks(0, 3)
    with pytest.raises(ValueError, match="positive"):
        MixedMasks(3, 0)
