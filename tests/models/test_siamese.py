"""The siamese rival: its vectors, and the start that it has in common with PAN."""

from __future__ import annotations

import pytest
import torch

from facetwise.encoders.lite import PARTS
from facetwise.models import Known, Siamese, SiameseConfig, Taught

LABELS = torch.arange(120) % 12


def test_vectors_have_length_one_and_scores_are_cosines():
    g = torch.Generator().manual_seed(0)
    pooled = torch.randn(9, sum(PARTS), generator=g)
    model = Siamese(SiameseConfig(dim=16), Taught(), g)
    model.fit_statistics(pooled)
    h = model.eval().embed(pooled)
    assert (h.shape, model.dim) == ((9, 16), 16)
    scores = model.against(h[:2], h)
    assert scores.shape == (2, 9)
    cosines = torch.nn.functional.cosine_similarity(h[:2, None], h[None], dim=-1)
    torch.testing.assert_close(scores, (1 + cosines) / 2)
    torch.testing.assert_close(model.head.weight @ model.head.weight.T, torch.eye(16))


def classes():
    """Twelve classes that four of twenty dimensions tell apart."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(120, 20, generator=g)
    x[:, :4] = 2 * torch.randn(12, 4, generator=g)[LABELS] + 0.2 * x[:, :4]
    return x


def started(known, **options):
    model = Siamese(
        SiameseConfig(dim=6, standardise="parts", **options),
        Taught(),
        torch.Generator().manual_seed(1),
        parts=(20,),
    )
    random = model.head.weight.detach().clone()
    model.fit_statistics(classes(), known, torch.Generator().manual_seed(2))
    h = model.eval().embed(classes())
    found = (h @ h.T).fill_diagonal_(-2).argmax(1)
    right = (LABELS[found] == LABELS).float().mean().item()
    return right, torch.equal(model.head.weight, random), h


def test_it_starts_where_the_training_classes_differ():
    right, as_made, h = started(Known(labels=LABELS))
    assert not as_made
    assert right > 0.9 > 1.3 * started(Known())[0]
    torch.testing.assert_close(h.norm(dim=1), torch.ones(120))


@pytest.mark.parametrize(
    ("known", "start"), [(Known(), "classes"), (Known(labels=LABELS), "random")]
)
def test_without_classes_or_unasked_it_starts_at_random(known, start):
    assert started(known, start=start)[1]


def test_items_without_a_class_do_not_keep_it_from_starting_there():
    some = torch.where(torch.arange(120) < 60, LABELS, -1)
    assert started(Known(labels=some))[0] > 0.9
