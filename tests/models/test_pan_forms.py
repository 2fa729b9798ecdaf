"""PAN's heads and starts, the paper's among them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetwise.data.sampling import generator_of
from facetwise.models import PAN, PANConfig
from facetwise.models.pair_model import Taught

PARTS = (6, 2)
PAPER = PANConfig(
    head="none",
    init="xavier",
    standardise="dimensions",
    unit=False,
    power=1.0,
    soft_minimum=0.0,
    free=3,
    feature_dropout=0.0,
)


def model_of(config):
    model = PAN(config, Taught.groups(["colour"]), generator_of(0, 0), PARTS).eval()
    x = torch.randn(50, 8, generator=generator_of(0, 1)) * torch.arange(1, 9) + 3
    model.fit_statistics(x, generator=generator_of(0, 2))
    return model, x


def test_the_papers_features_are_standardised_and_go_straight_into_the_conditions():
    model, x = model_of(PAPER)
    h = model.embed(x)
    assert (model.dim, len(model.conditions)) == (8, 4)
    torch.testing.assert_close(h, (x - x.mean(0)) / (x.std(0, unbiased=False) + 1e-6))
    assert [name for name, own in model.parts.items() if own] == ["conditions"]
    bound = (6 / (8 + 4)) ** 0.5
    assert 0.5 * bound < model.conditional.W1.abs().max() <= bound  # Xavier, left as it was
    assert model.conditional.b1.abs().sum() == 0


@pytest.mark.parametrize(("head", "widths"), [("blocks", (5, 7)), ("shared", (7,))])
def test_blocks_have_length_one_and_so_has_the_whole(head, widths):
    model, x = model_of(replace(PAPER, head=head, width=5, shared=7, unit=True))
    h = model.embed(x)
    assert model.block_widths == widths
    assert model.dim == sum(widths) == h.shape[1]
    for block in h.split(widths, dim=1):
        torch.testing.assert_close(block.norm(dim=1), torch.full((50,), len(widths) ** -0.5))


def test_without_free_conditions_nobody_looks_at_a_shared_block():
    model, _ = model_of(replace(PAPER, head="blocks", width=5, shared=7, free=0))
    assert model.block_widths == (5,)
    model, _ = model_of(replace(PAPER, head="blocks", width=5, shared=7, free=0, own_share=0.4))
    assert model.block_widths == (5, 7)


def test_conditions_on_a_shared_vector_start_as_nearly_one_metric():
    model, x = model_of(replace(PAPER, head="shared", shared=5, init="metric", unit=True))
    h = model.embed(x)
    s = model(h[:10], h[10:20]).conditions
    torch.testing.assert_close(s, s[:, :1].expand_as(s), atol=0.3, rtol=0)
    assert not torch.allclose(s, s[:, :1].expand_as(s))  # or they would be one for ever
    distance = (h[:10] - h[10:20]).abs().sum(1)
    assert distance.argsort().tolist() == s[:, 0].argsort(descending=True).tolist()


def test_without_a_head_a_metric_is_of_the_features_themselves():
    model, x = model_of(replace(PAPER, init="metric", unit=True, standardise="parts"))
    h = model.embed(x)
    torch.testing.assert_close(h, model.features(x))
    assert model(h[:5], h[:5]).score.min() > model(h[:5], h[5:10]).score.max()
