import math

import numpy as np
import pytest
import torch

from facetwise.evaluation.image_image import agreement, group_labels, retrieval


def slow_map_at_r(scores: np.ndarray, labels: list[int]) -> float:
    values = []
    for query, label in enumerate(labels):
        others = [i for i in range(len(labels)) if i != query]
        order = sorted(others, key=lambda i: (-scores[query, i], labels[i] == label))
        r = sum(labels[i] == label for i in others)
        if label < 0 or r == 0:
            continue
        right = [labels[i] == label for i in order[:r]]
        values.append(sum(np.mean(right[: p + 1]) for p in range(r) if right[p]) / r)
    return 100 * float(np.mean(values))


def test_retrieval_equals_a_slow_reference() -> None:
    g = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, 6, (40,), generator=g)
    x = torch.randn(40, 5, generator=g)
    found = retrieval(lambda q, n: x[q] @ x[n].T, labels)
    assert found is not None
    assert found.map_at_r == pytest.approx(slow_map_at_r((x @ x.T).numpy(), labels.tolist()))


def test_a_query_is_never_its_own_answer() -> None:
    # Everything is most similar to itself; without that, only the wrong one is near.
    scores = torch.tensor([[9.0, 0.0, 1.0], [0.0, 9.0, 1.0], [1.0, 1.0, 9.0]])
    found = retrieval(lambda q, n: scores[q][:, n], torch.tensor([0, 0, -1]))
    assert found is not None
    assert found.queries == 2
    assert found.found.r1 == 0


def test_a_constant_score_finds_nothing() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    found = retrieval(lambda q, n: torch.zeros(len(q), len(n)), labels)
    assert found is not None
    assert found.found.r1 == 0
    assert found.map_at_r == 0


def test_queries_and_gallery_may_be_parts() -> None:
    labels = torch.tensor([0, 1, 0, 1])
    x = torch.eye(2)[[0, 1, 0, 1]]
    found = retrieval(
        lambda q, n: x[q] @ x[n].T, labels, torch.tensor([0, 1]), torch.tensor([2, 3])
    )
    assert found is not None
    assert (found.queries, found.gallery, found.map_at_r) == (2, 2, 100.0)


def test_nothing_to_find_is_none() -> None:
    labels = group_labels(["a", None, None, "b"])
    assert retrieval(lambda q, n: torch.zeros(len(q), len(n)), labels) is None


def test_agreement_counts_known_pairs_only() -> None:
    present = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    known = torch.tensor([True, True, True, False])
    near = torch.tensor([[0.0, 3, 2, 1], [3, 0.0, 2, 1], [1, 2, 0.0, 3], [1, 2, 3, 0.0]])
    # Of the first one: 0 and 1 find each other; 2 finds the unknown one, which does not count.
    assert agreement(lambda q, n: near[q][:, n], present, known, 1) == 100
    # Of the first two: (0: 1, 2), (1: 0, 2), (2: 3, 1)
    assert agreement(lambda q, n: near[q][:, n], present, known, 2) == pytest.approx(40)


def test_agreement_of_nothing_known_is_nan() -> None:
    present, known = torch.zeros(3, 2), torch.zeros(3, dtype=torch.bool)
    assert math.isnan(agreement(lambda q, n: torch.rand(len(q), len(n)), present, known, 1))
