"""Both models learn, on pictures that they have not seen, what the shapes have to teach."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetwise.data.splits import split_collection
from facetwise.metrics import recall_at_k
from facetwise.models import VSEConfig
from facetwise.similarity import steer
from facetwise.training import fit

from .conftest import trained


@pytest.fixture(scope="module")
def held_out(shapes):
    parts = split_collection(shapes, test=0.25, by="item")
    return [row for row, part in enumerate(parts) if part == "test"]


@pytest.fixture(scope="module")
def model(shapes, tmp_path_factory):
    return fit(shapes, out=tmp_path_factory.mktemp("learned") / "run", recipe=trained(60))


def text_recall(model, shapes, rows, k):
    """Share of the full sentences that find their own picture among the first k of `rows`."""
    y = model.encode_texts([shapes.texts[row][1] for row in rows])
    x = model.embed_collection(shapes, rows).sets
    return recall_at_k(model.similarity(y, x), torch.eye(len(rows), dtype=torch.bool), k)


def auc(score, positive):
    """Chance that a positive pair scores higher than a negative one, ties half."""
    a, b = score[positive][:, None], score[~positive][None]
    return ((a > b).float() + 0.5 * (a == b).float()).mean().item()


def pairs_of(model, shapes, rows):
    h = model.embed_collection(shapes, rows).pairs
    i, j = torch.triu_indices(len(rows), len(rows), 1)
    targets, mask = shapes.attributes.rows(torch.tensor(rows)).same_value(i, j)
    return model.pair_scores(h[i], h[j]), targets, mask


def test_texts_find_their_pictures(model, shapes, held_out):
    assert len(held_out) > 20
    assert text_recall(model, shapes, held_out, 1) > 0.4  # chance is below 0.05
    assert text_recall(model, shapes, held_out, 5) > 0.8


def test_a_single_vector_learns_too(shapes, held_out, tmp_path):
    recipe = replace(trained(60, pairs=None), sets=VSEConfig(dim=32, hidden=32))
    model = fit(shapes, out=tmp_path / "run", recipe=recipe)
    assert (model.K, model.has_pairs) == (1, False)
    assert text_recall(model, shapes, held_out, 1) > 0.4


def test_taught_conditions_say_what_the_attributes_say(model, shapes, held_out):
    scores, targets, mask = pairs_of(model, shapes, held_out)
    found = {}
    for place, condition in enumerate(model.conditions):
        if condition.supervised:
            known = mask[:, place] > 0
            same = targets[known, place] > 0
            found[condition.name] = auc(scores.conditions[known, place], same)
    assert set(found) == set(shapes.attribute_groups)
    assert min(found.values()) > 0.6, found
    assert sum(found.values()) / len(found) > 0.75, found


def test_pictures_of_a_group_score_higher(model, shapes, held_out):
    scores, _, _ = pairs_of(model, shapes, held_out)
    groups = [shapes.groups[row] for row in held_out]
    i, j = torch.triu_indices(len(held_out), len(held_out), 1)
    same = torch.tensor([groups[a] == groups[b] for a, b in zip(i, j, strict=True)])
    assert auc(scores.score, same) > 0.75


def test_weighing_a_condition_moves_the_score_to_its_attribute(model, shapes, held_out):
    scores, targets, mask = pairs_of(model, shapes, held_out)
    for place, condition in enumerate(model.conditions):
        if condition.supervised:
            factors = torch.ones(len(model.conditions))
            factors[place] = 5
            known, same = mask[:, place] > 0, targets[:, place] > 0
            before = auc(scores.score[known], same[known])
            after = auc(steer(scores, factors).score[known], same[known])
            assert after > before, condition.name
