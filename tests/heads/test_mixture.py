"""K global features that start at K clusters of texts."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from facetwise.heads import Projection, start_as_mixture, start_as_ridge

D = 6


def world(n=54, seed=0):
    """Pictures of an animal and a colour each; every picture has one text of each kind.

    Texts of animals point into the first half of the space, of colours into the second.
    """
    g = torch.Generator().manual_seed(seed)
    animals, colours = torch.arange(n) % 3, torch.arange(n) // 3 % 3
    pooled = torch.cat([F.one_hot(animals, 3), F.one_hot(colours, 3)], 1).float()
    pooled = pooled + 0.05 * torch.randn(n, 6, generator=g)
    vectors = torch.zeros(6, 8)
    vectors[:3, :3], vectors[3:, 4:7] = torch.eye(3) / 3, torch.eye(3) / 3
    vectors[:3, 3], vectors[3:, 7] = 1, 1  # what texts of a kind share
    texts_of = [[int(a), 3 + int(c)] for a, c in zip(animals, colours, strict=True)]
    return pooled, vectors, texts_of


def projections(K=2):
    g = torch.Generator().manual_seed(1)
    image = Projection(6, K * D, hidden=8, dropout=0.0, generator=g)
    return image, Projection(8, D, hidden=0, dropout=0.0, generator=g)


def cosines(image, text, pooled, vectors, K=2):
    x = F.normalize(image(pooled).unflatten(1, (K, D)), dim=-1)
    return torch.einsum("nkd,td->nkt", x, F.normalize(text(vectors), dim=-1))


def test_each_element_starts_at_the_texts_of_another_cluster():
    pooled, vectors, texts_of = world()
    image, text = projections()
    start_as_mixture(image, text, pooled, vectors, texts_of, common=0.0)
    c = cosines(image, text, pooled, vectors)
    right = torch.tensor(texts_of)
    for kind in (0, 1):
        own = c.gather(2, right[:, None, kind : kind + 1].expand(-1, 2, 1))[..., 0]  # (N, K)
        assert own.amax(1).mean() > 0.9
    best = [c[:, k].mean(0).view(2, 3).mean(1).argmax().item() for k in (0, 1)]
    assert sorted(best) == [0, 1]


def test_two_elements_find_both_texts_better_than_one_vector_can():
    pooled, vectors, texts_of = world()
    right = torch.tensor(texts_of)
    image, text = projections()
    start_as_mixture(image, text, pooled, vectors, texts_of, common=0.0)
    two = cosines(image, text, pooled, vectors).amax(1).gather(1, right).mean()
    single, text = projections(K=1)
    start_as_ridge(single, text, pooled, vectors, texts_of)
    one = cosines(single, text, pooled, vectors, K=1)[:, 0].gather(1, right).mean()
    assert two > one + 0.15


def test_one_element_starts_where_ridge_regression_is():
    pooled, vectors, texts_of = world()
    image, text = projections(K=1)
    start_as_mixture(image, text, pooled, vectors, texts_of)
    mixture = image(pooled)
    image, text = projections(K=1)
    start_as_ridge(image, text, pooled, vectors, texts_of)
    torch.testing.assert_close(mixture, image(pooled))  # all texts are as frequent


def test_wholly_common_maps_are_all_alike():
    pooled, vectors, texts_of = world()
    image, text = projections()
    start_as_mixture(image, text, pooled, vectors, texts_of, common=1.0)
    first, second = image(pooled).chunk(2, 1)
    torch.testing.assert_close(first, second)


def test_fewer_texts_than_elements_and_pictures_without_texts():
    pooled, vectors, _ = world(n=5)
    image, text = projections(K=4)
    start_as_mixture(image, text, pooled, vectors[:2], [[0], [1], [], [0, 1], [1]])
    assert image(pooled).isfinite().all()


def test_it_is_repeatable():
    pooled, vectors, texts_of = world()
    found = []
    for _ in range(2):
        image, text = projections()
        start_as_mixture(image, text, pooled, vectors, texts_of)
        found.append(image.fc.weight.clone())
    assert torch.equal(*found)
