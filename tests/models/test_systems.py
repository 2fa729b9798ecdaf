"""Every image-text system: shapes, padding, the start, and what each minimises."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
import torch.nn.functional as F

from facetwise.encoders import EncoderConfig, Encoders, ImageFeatures
from facetwise.encoders.lite import PARTS
from facetwise.losses import gram_diversity, pair_bce, rank_loss, uniformity, vib
from facetwise.models import (
    SET_SYSTEMS,
    CAANConfig,
    DeViSEConfig,
    DivEConfig,
    PCMEConfig,
    PCMEPPConfig,
    PVSEConfig,
    SCANConfig,
    SlotAttentionConfig,
    VSEConfig,
    VSEInfinityConfig,
    build_sets,
)
from facetwise.models.systems import system_name
from facetwise.similarity import (
    NamedSimilarity,
    match_probability,
    max_pair,
    sampled_distance,
    smooth_chamfer,
)

WIDTHS = {"dim": 16, "hidden": 8}
DIVE = DivEConfig(**WIDTHS, K=3, heads=2, head_dim=4)
CONFIGS = {
    "dive": DIVE,
    "vse": VSEConfig(**WIDTHS),
    "vse_infinity": VSEInfinityConfig(**WIDTHS),
    "pvse": PVSEConfig(**WIDTHS),
    "pcme": PCMEConfig(**WIDTHS),
    "pcmepp": PCMEPPConfig(**WIDTHS),
    "devise": DeViSEConfig(),
    "scan": SCANConfig(**WIDTHS),
    "caan": CAANConfig(**WIDTHS, attention_hidden=8),
    "slot_attention": SlotAttentionConfig(**WIDTHS, K=3),
}
VARIANTS = {
    **CONFIGS,
    "vse_infinity, paper": VSEInfinityConfig(**WIDTHS, global_weight=0, local_mlp=True),
    "pcmepp, paper": PCMEPPConfig(**WIDTHS, global_weight=0, mixup=0.25),
    "pcme, probability": PCMEConfig(**WIDTHS, match="probability", legacy_vib=True),
    "pvse, K = 1": PVSEConfig(**WIDTHS, K=1),
    "slot_attention, direct": SlotAttentionConfig(**WIDTHS, K=3, direct=("image", "text")),
    "scan, i-t": SCANConfig(**WIDTHS, direction="i-t", pooling="lse", lambda_1=4, leak=0.1),
    **{
        f"dive, {swap}": replace(DIVE, **options)
        for swap, options in {
            "K = 1": {"K": 1},
            "T = 4": {"T": 4},
            "chamfer": {"similarity": "chamfer"},
            "max_pair": {"similarity": "max_pair"},
            "average": {"similarity": "average"},
            "MP": {"similarity": "match_probability"},
            "MP learned": {"similarity": "match_probability", "match": "learned"},
            "PIE-Net": {"head": "pie_net"},
            "transformer": {"head": "transformer"},
            "slot attention": {"head": "slot_attention"},
            "sampled slots and a GRU": {"slots": "sampled", "update": "gru"},
            "direct": {"direct": ("image", "text")},
            "own globals": {"global_features": "own"},
            "a text is one vector": {"text": "vector", "similarity": "directed_smooth_chamfer"},
            "tags": {
                "text": "vector",
                "similarity": "directed_smooth_chamfer",
                "global_features": "own",
                "direct": ("image",),
            },
            "the paper's": {
                "direct": ("text",),
                "slot_gain": 1.0,
                "local_mlp": True,
                "image_positions": "grid",
            },
        }.items()
    },
}
GAUSSIAN = {"pcme", "pcmepp", "pcme, probability", "pcmepp, paper"}
LOCAL = {"scan", "caan", "scan, i-t"}


@cache
def encoders():
    return Encoders(EncoderConfig(components=8))


def made(config, seed=0):
    return build_sets(config, encoders(), torch.Generator().manual_seed(seed))


@cache
def images(n=12, seed=1, cells=2):
    g = torch.Generator().manual_seed(seed)
    grid = torch.randn(n, PARTS[0], cells, cells, generator=g).half()
    return ImageFeatures(grid, torch.randn(n, sum(PARTS), generator=g))


@cache
def texts(length=6, seed=2):
    g = torch.Generator().manual_seed(seed)
    tokens = torch.randn(4, length, 384, generator=g).half()
    return tokens, torch.arange(length) < torch.tensor([6, 4, 2, 3])[:, None]


@pytest.fixture(params=VARIANTS)
def name(request):
    return request.param


@cache
def ready(name):
    """Tests read it only."""
    return made(VARIANTS[name]).eval()


@pytest.fixture
def model(name):
    return ready(name)


def both(model):
    """Sets of 12 images and 4 texts."""
    with torch.no_grad():
        return model.images(*model.prepare(images())), model.texts(*texts())


def test_the_table_holds_all_of_them():
    assert set(SET_SYSTEMS) == set(CONFIGS)
    assert {name: system_name(config) for name, config in CONFIGS.items()} == {
        name: name for name in CONFIGS
    }


def test_rows_are_unit_vectors_but_for_spreads_and_padding(name, model):
    x, y = both(model)
    if name in LOCAL:
        assert (model.K, x.elements.shape, y.elements.shape) == (0, (12, 4, 16), (4, 6, 16))
    else:
        assert x.elements.shape == (12, model.K, model.dim)
        one = getattr(model.config, "text", "set") != "set"
        assert y.elements.shape == (4, 1 if one else model.K, model.dim)
    if name in GAUSSIAN:
        assert model.K == 2
        for sets in (x.elements, y.elements):
            torch.testing.assert_close(sets[:, 0].norm(dim=-1), torch.ones(len(sets)))
        return
    real = model.similarity.real(y.elements)
    assert (real is not None) == (name in LOCAL)
    lengths = y.elements.norm(dim=-1)
    expected = torch.ones_like(lengths) if real is None else texts()[1].float()
    torch.testing.assert_close(lengths, expected)
    torch.testing.assert_close(x.elements.norm(dim=-1), torch.ones(x.elements.shape[:2]))


def test_every_real_row_looks_somewhere(name, model):
    x, y = both(model)
    assert x.attention.shape[::2] == (12, 4) and y.attention.shape[::2] == (4, 6)
    torch.testing.assert_close(
        x.attention.sum(-1), torch.ones(x.attention.shape[:2]), atol=1e-4, rtol=0
    )
    looked = y.attention.sum(-1)
    expected = texts()[1].float() if name in LOCAL else torch.ones_like(looked)
    torch.testing.assert_close(looked, expected, atol=1e-4, rtol=0)
    assert (y.attention.masked_fill(texts()[1][:, None], 0) == 0).all()


def test_padding_a_text_does_not_change_its_set_or_its_scores(name, model):
    tokens, mask = texts()
    garbage = torch.cat([tokens, torch.full((4, 5, 384), 9.0, dtype=torch.float16)], 1)
    longer = torch.cat([mask, torch.zeros(4, 5, dtype=torch.bool)], 1)
    x, one = both(model)
    with torch.no_grad():
        other = model.texts(garbage, longer)
        scores = model.similarity(x.elements, one.elements)
        torch.testing.assert_close(model.similarity(x.elements, other.elements), scores)
    if name in LOCAL:
        assert (other.elements[:, 6:] == 0).all()
    torch.testing.assert_close(other.elements[:, : one.elements.shape[1]], one.elements)


def test_left_out_cells_do_not_matter(name, model):
    given = images()
    a, b = model.prepare(given)
    mask = torch.tensor([True, False, True, True]).expand(12, -1)
    garbage = a.clone()
    garbage[:, 1] = 7.0
    with torch.no_grad():
        one, other = model.images(a, b, mask), model.images(garbage, b, mask)
    torch.testing.assert_close(other.elements, one.elements)


def test_one_text_alone_is_the_same_as_in_a_batch(model):
    tokens, mask = texts()
    with torch.no_grad():
        together = model.texts(tokens, mask).elements
        alone = model.texts(tokens[2:3, :2], mask[2:3, :2]).elements
    rows = alone.shape[1]
    torch.testing.assert_close(together[2:3, :rows], alone, atol=1e-5, rtol=1e-4)


def test_the_legacy_reading_of_padding_depends_on_the_batch():
    """T-15, T-16: as in DivE's release, the other side of the switch."""
    for legacy in ({"legacy_padding": True}, {"legacy_positions": True}):
        model = made(replace(DIVE, **legacy, slot_gain=1.0)).eval()
        tokens, mask = texts()
        with torch.no_grad():
            together = model.texts(tokens, mask).elements
            alone = model.texts(tokens[2:3, :2], mask[2:3, :2]).elements
        assert not torch.allclose(together[2:3], alone, atol=1e-5)


def test_nothing_in_nothing_out(model):
    with torch.no_grad():
        out = model.images(*model.prepare(images(0)))
    assert out.elements.shape[0] == 0 and out.elements.shape[2] == model.dim


def test_the_start_comes_from_the_generator_alone(name):
    torch.rand(3)
    one = made(VARIANTS[name])
    torch.rand(5)
    other, third = made(VARIANTS[name]), made(VARIANTS[name], seed=1)
    state = one.state_dict()
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in state.items())
    assert any(not torch.equal(value, third.state_dict()[key]) for key, value in state.items())


def test_module_parameters_are_a_part_of_the_parameters(model):
    module = {id(parameter) for parameter in model.module_parameters()}
    assert module < {id(parameter) for parameter in model.parameters()} or not module


def test_scores_of_a_batch_are_the_similarity(name, model):
    if name == "devise":
        return  # below
    x, y = both(model)
    torch.testing.assert_close(
        model.scores(x, y), model.similarity(x.elements, y.elements), atol=1e-5, rtol=1e-5
    )


def test_the_mean_vectors_are_the_control(name, model):
    x, y = both(model)
    one, other = (model.similarity.mean_vectors(sets.elements) for sets in (x, y))
    assert one.shape == (12, model.dim) and other.shape == (4, model.dim)
    torch.testing.assert_close(one.norm(dim=1), torch.ones(12))
    if name in GAUSSIAN:
        torch.testing.assert_close(one, x.elements[:, 0])
    if name in LOCAL:  # padding is no part of it
        real = [row[keep].mean(0) for row, keep in zip(y.elements, texts()[1], strict=True)]
        torch.testing.assert_close(other, F.normalize(torch.stack(real), dim=1))


def test_each_is_scored_by_its_papers_similarity():
    x, y = both(made(CONFIGS["pvse"]).eval())
    model = made(CONFIGS["pvse"])
    assert torch.equal(model.similarity(x.elements, y.elements), max_pair(x.elements, y.elements))
    x, y = both(made(CONFIGS["slot_attention"]).eval())
    scores = made(CONFIGS["slot_attention"]).similarity(x.elements, y.elements)
    assert torch.equal(scores, smooth_chamfer(x.elements, y.elements, alpha=16))
    x, y = both(made(CONFIGS["pcmepp"]).eval())
    scores = made(CONFIGS["pcmepp"]).similarity(x.elements, y.elements)
    assert torch.equal(scores, sampled_distance(x.elements, y.elements))
    options = {"direction": "t-i", "pooling": "avg", "lambda_1": 9.0, "lambda_2": 6.0, "leak": 0.0}
    assert made(CONFIGS["scan"]).similarity == NamedSimilarity("cross_attention", options)
    assert made(VARIANTS["dive, MP"]).similarity == NamedSimilarity(
        "match_probability", {"scale": 1.0, "shift": 0.0}
    )


def test_pcme_ranks_by_means_or_by_the_probability_that_was_learned():
    model = made(CONFIGS["pcme"]).eval()
    x, y = both(model)
    means = x.elements[:, 0] @ y.elements[:, 0].T
    torch.testing.assert_close(model.similarity(x.elements, y.elements), means)
    model = made(VARIANTS["pcme, probability"]).eval()
    with torch.no_grad():
        model.scale.fill_(5)
    assert model.similarity.options["scale"] == 5
    scores = model.similarity(x.elements, y.elements)
    assert ((scores > 0) & (scores <= 1)).all()


def test_match_probability_can_be_learned_or_stay_as_it_is():
    """T-26."""
    fixed, learned = made(VARIANTS["dive, MP"]), made(VARIANTS["dive, MP learned"]).eval()
    assert fixed.scale is None
    x, y = both(learned)
    plain = match_probability(x.elements, y.elements, scale=1.0, shift=0.0)
    torch.testing.assert_close(learned.scores(x, y), plain)
    learned.scores(x, y).sum().backward()
    assert learned.scale.grad != 0 and learned.shift.grad != 0
    with torch.no_grad():
        learned.scale.fill_(3)
    assert learned.similarity.options["scale"] == 3


def test_pvse_has_its_own_diversity():
    model = made(CONFIGS["pvse"]).eval()
    x, y = both(model)
    expected = gram_diversity(x.slots) + gram_diversity(y.slots)
    assert model.penalty("diversity", x, y) == expected
    assert model.penalty("mmd", x, y) is not None
    single = made(VARIANTS["pvse, K = 1"]).eval()
    x, y = both(single)
    assert single.penalty("diversity", x, y) is None and single.penalty("mmd", x, y) is None


def test_gaussians_have_a_bottleneck_and_no_sets_penalties():
    for name, factor, reduction in (("pcme", 1, "sum"), ("pcmepp", 0.5, "mean")):
        model = made(CONFIGS[name]).eval()
        x, y = both(model)
        expected = sum(
            vib(e.elements[:, 0], factor * e.elements[:, 1], reduction=reduction) for e in (x, y)
        )
        torch.testing.assert_close(model.penalty("vib", x, y), expected)
        assert model.penalty("mmd", x, y) is None and model.penalty("diversity", x, y) is None
    legacy = made(VARIANTS["pcme, probability"]).eval()
    x, y = both(legacy)
    plain = sum(vib(e.elements[:, 0], e.elements[:, 1]) for e in (x, y))
    assert legacy.penalty("vib", x, y) != plain


def test_pcmes_uniformity_is_of_the_samples_of_both_sides():
    model = made(PCMEConfig(**WIDTHS, log_sigma_start=-30.0)).eval()
    x, y = both(model)
    means = torch.cat([x.elements[:, :1], y.elements[:, :1]])
    torch.testing.assert_close(
        model.penalty("uniformity", x, y), uniformity(means.expand(-1, 7, -1)), atol=1e-3, rtol=0
    )


def test_pcmes_loss_rewards_the_right_pairs():
    model = made(PCMEConfig(**WIDTHS, log_sigma_start=-6.0)).eval()
    _, y = both(model)
    same, turned = torch.arange(4), torch.arange(4).roll(1)
    assert model.own_loss(y, y, same) < model.own_loss(y, y, turned)
    loss = model.own_loss(*[model.texts(*texts())] * 2, same)
    loss.backward()
    assert model.scale.grad != 0 and model.shift.grad != 0


def test_pcmepps_loss_is_that_of_its_logits():
    model = made(CONFIGS["pcmepp"]).eval()
    x, y = both(model)
    owner = torch.tensor([0, 3, 3, 7])
    logits = 5 * sampled_distance(x.elements, y.elements) + 5
    torch.testing.assert_close(
        model.own_loss(x, y, owner), pair_bce(logits, owner, pseudo=0.1, smoothing=1e-4)
    )


def test_mixup_mixes_pictures_and_labels_in_training_alone():
    config = replace(CONFIGS["pcmepp"], mixup=1.0, feature_dropout=0.0)
    model = made(config)
    a, b = model.prepare(images())
    model.eval()
    plain = model.images(a, b)
    assert model._mixed is None
    model.train()
    mixed = model.images(a, b)
    partner, share = model._mixed
    assert sorted(partner.tolist()) == list(range(12)) and ((share > 0) & (share < 1)).all()
    assert not torch.allclose(mixed.elements, plain.elements)
    y = model.texts(*texts())
    owner = torch.arange(4)
    assert model.own_loss(mixed, y, owner).isfinite()
    model.eval().images(a, b)  # forgets it
    assert model._mixed is None


def test_mixing_leaves_the_type_and_what_is_not_mixed():
    from facetwise.models.pcmepp import _mix

    x = torch.tensor([[10, 20], [30, 41]], dtype=torch.uint8)
    out = _mix(x, torch.tensor([1, 0]), torch.tensor([1.0, 0.5]))
    assert out.dtype == torch.uint8 and out.tolist() == [[10, 20], [20, 30]]


def test_devise_maps_into_the_texts_space_and_leaves_it():
    model = made(CONFIGS["devise"]).eval()
    tokens, mask = texts()
    y = model.texts(tokens, mask)
    means = [row[keep].float().mean(0) for row, keep in zip(tokens, mask, strict=True)]
    torch.testing.assert_close(y.elements[:, 0], F.normalize(torch.stack(means), dim=1))
    assert model.dim == 384 and [name for name, _ in model.named_parameters()] == ["M.weight"]
    a, b = model.prepare(images())
    x = model.images(a, b)
    torch.testing.assert_close(x.slots[:, 0], b @ model.M.weight.T)
    torch.testing.assert_close(model.scores(x, y), x.slots[:, 0] @ y.elements[:, 0].T)
    rank_loss(model.scores(x, y), torch.arange(4)).backward()
    assert model.M.weight.grad.abs().sum() > 0


def test_devise_starts_where_the_texts_are():
    g = torch.Generator().manual_seed(3)
    vectors = torch.randn(12, 384, generator=g)
    phi = vectors @ torch.randn(384, sum(PARTS), generator=g)
    model = made(CONFIGS["devise"])
    model.start_as_ridge(phi, vectors, [[i] for i in range(11)] + [[]])
    cosines = F.cosine_similarity(phi[:11] @ model.M.weight.T, vectors[:11])
    assert cosines.min() > 0.9


def test_without_a_global_feature_there_is_nothing_to_start():
    for name in ("vse_infinity, paper", "pcmepp, paper", "scan", "caan"):
        model = made(VARIANTS[name])
        assert model.starts is None
        model.start_as_ridge(torch.zeros(2, sum(PARTS)), torch.zeros(2, 384), [[0], [1]])
        assert not [name for name, _ in model.named_parameters() if "global" in name]


def test_caans_similarity_has_the_models_weights():
    model = made(CONFIGS["caan"]).eval()
    x, y = both(model)
    before = model.similarity(x.elements, y.elements)
    with torch.no_grad():
        model.context.Q.add_(0.5)
    assert not torch.allclose(model.similarity(x.elements, y.elements), before)
