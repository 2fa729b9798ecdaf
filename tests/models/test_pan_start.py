"""What is ours in PAN: starts in closed form, blocks that stay, relevance as a soft minimum."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import facetwise as fw
from facetwise.encoders import EncoderConfig, Encoders
from facetwise.losses import attribute_loss
from facetwise.models import PAN, Known, Model, PANConfig, Taught

N, WIDTH, SHARED = 240, 4, 8
LABELS = torch.arange(N) % 24
COLOUR, SHAPE = LABELS % 3, LABELS // 3 % 2
"""Of a class."""

OWN = (slice(0, WIDTH), slice(WIDTH, 2 * WIDTH))
REST = slice(2 * WIDTH, None)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def world():
    """(N, 20): 4 dimensions tell classes, 2 colours, 2 shapes, and 12 nothing."""
    g = seeded()
    x = 0.1 * torch.randn(N, 20, generator=g)
    x[:, :4] += torch.randn(24, 4, generator=g)[LABELS]
    x[:, 4:6] += 2 * torch.eye(3)[COLOUR, :2]
    x[:, 6:8] += 2 * torch.eye(2)[SHAPE]
    x[:, 8:] = torch.randn(N, 12, generator=g)
    return x


KNOWN = Known(
    labels=LABELS,
    values=(F.one_hot(COLOUR).float(), F.one_hot(SHAPE).float()),
)


def made(known=KNOWN, groups=("colour", "shape"), **options):
    settings = {"width": WIDTH, "shared": SHARED, "feature_dropout": 0.0, **options}
    pan = PAN(PANConfig(**settings), Taught.groups(groups), seeded(1), parts=(20,))
    pan.fit_statistics(world(), known, seeded(2))
    return pan


def nearest_agree(h, values):
    """How many pictures' nearest one has the same value."""
    scores = (h @ h.T).fill_diagonal_(-2)
    return (values[scores.argmax(1)] == values).float().mean().item()


# -- the start ------------------------------------------------------------------------------------


def test_the_shared_block_starts_where_classes_differ():
    h, random = (made(start=start).eval().embed(world()) for start in ("classes", "random"))
    found = nearest_agree(F.normalize(h[:, REST], dim=1), LABELS)
    assert found > 0.8 > 2 * nearest_agree(F.normalize(random[:, REST], dim=1), LABELS)


def test_own_blocks_start_where_the_values_of_their_group_differ():
    h, random = (made(start=start).eval().embed(world()) for start in ("classes", "random"))
    for own, other, values in ((*OWN, COLOUR), (*OWN[::-1], SHAPE)):
        found = nearest_agree(F.normalize(h[:, own], dim=1), values)
        assert found > 0.95
        assert found > nearest_agree(F.normalize(h[:, other], dim=1), values) + 0.1
        assert found > nearest_agree(F.normalize(random[:, own], dim=1), values) + 0.3


def test_before_any_training_conditions_tell_their_groups():
    pan = made().eval()
    h = pan.embed(world())
    i, j = torch.triu_indices(N, N, 1)
    conditions = pan(h[i], h[j]).conditions
    for m, values in enumerate((COLOUR, SHAPE)):
        same = values[i] == values[j]
        s = conditions[:, m]
        assert s[same].mean() > s[~same].mean() + 0.2


@pytest.mark.parametrize("known", [Known(), Known(labels=LABELS), Known(values=KNOWN.values)])
def test_what_is_not_known_starts_at_random(known):
    """Nothing of it is left out: a model whose training has attributes only, or classes only."""
    pan, full = made(known), made()
    own, rest = OWN[0], REST
    assert torch.equal(pan.head.weight[rest], full.head.weight[rest]) == (known.labels is not None)
    alike = torch.allclose(pan.head.weight[own][:2], full.head.weight[own][:2], atol=1e-5)
    assert alike == bool(known.values)
    pairs = pan(pan.embed(world()[:9]), pan.embed(world()[9:18]))
    assert pairs.score.isfinite().all()


def test_a_random_start_asks_for_no_labels():
    how = {"start": "random", "standardise": "parts"}
    pan, blind = made(**how), made(Known(), **how)
    assert all(map(torch.equal, pan.state_dict().values(), blind.state_dict().values()))


def reached(pan):
    """How much of its start each condition gives to each block: (M, 3)."""
    h = pan.eval().embed(world())
    difference = (h - h[torch.randperm(N, generator=seeded(5))]).abs()
    blocks = difference.mean(0).split(pan.block_widths)
    rows = pan.conditional.W1.split(pan.block_widths, dim=1)
    parts = [row @ mean / -pan.config.steepness for row, mean in zip(rows, blocks, strict=True)]
    return torch.stack(parts, 1)


@pytest.mark.parametrize("own_share", [1.0, 0.6, 0.0])
def test_a_taught_condition_starts_on_its_own_block_by_its_share(own_share):
    found = reached(made(own_share=own_share, power=1.0))
    expected = torch.tensor([[own_share, 0, 1 - own_share], [0, own_share, 1 - own_share]])
    torch.testing.assert_close(found[:2], expected, atol=0.1, rtol=0)
    assert (found[:2][expected == 0] == 0).all()
    assert (found[2:, :2] == 0).all()  # free conditions are on the shared block alone


def test_free_conditions_start_near_each_other_but_apart():
    pan = made(free=4, groups=(), known=Known(labels=LABELS))
    rows = pan.conditional.W1
    assert (rows < 0).all()
    assert len({tuple(row.tolist()) for row in rows}) == 4
    assert F.cosine_similarity(rows[0], rows[1:]).min() > 0.8


@pytest.mark.parametrize(("share", "free"), [(0.2, 2), (0.5, 3), (0.9, 1)])
def test_free_conditions_share_the_relevance_that_they_are_given(share, free):
    pan = made(free_share=share, free=free, power=1.0)
    h = pan.eval().embed(world()[:5])
    relevance = pan(h, h).relevance  # g = 0: all conditions agree, so only b2 speaks
    torch.testing.assert_close(relevance[:, 2:].sum(1), torch.full((5,), share))
    torch.testing.assert_close(relevance[:, 0], relevance[:, 1])
    expected = torch.tensor([(1 - share) / 2] * 2 + [share / free] * free).log()
    torch.testing.assert_close(pan.conditional.b2.detach(), expected)


@pytest.mark.parametrize("options", [{"free": 0}, {"groups": (), "known": Known(), "free": 3}])
def test_with_one_kind_of_condition_all_start_equally_relevant(options):
    pan = made(**options)
    assert (pan.conditional.b2 == 0).all()


# -- blocks that stay as they start ---------------------------------------------------------------


def a_step(pan):
    """All that training has to say, once."""
    known = torch.ones(N // 2, 2)
    optimiser = torch.optim.Adam(pan.parameters(), lr=0.01)
    h = pan.train().embed(world())
    pairs = pan(h[::2], h[1::2])
    (pairs.score.sum() + attribute_loss(pairs.conditions, known, known)).backward()
    optimiser.step()


@pytest.mark.parametrize("fixed", [True, False])
def test_fixed_blocks_do_not_move_and_all_else_does(fixed):
    pan = made(fixed_blocks=fixed, own_share=0.7)
    before = {name: value.clone() for name, value in pan.state_dict().items()}
    a_step(pan)
    own = 2 * WIDTH
    where = {
        "head.weight": (lambda t: t[:own], lambda t: t[own:]),
        "conditional.W1": (lambda t: t[:, :own], lambda t: t[:, own:]),
        "conditional.W2": (lambda t: t[:, :own], lambda t: t[:, own:]),
    }
    parameters = dict(pan.named_parameters())
    for name, (first, last) in where.items():
        gradient, now = parameters[name].grad, parameters[name].detach()
        assert bool((first(gradient) == 0).all()) == fixed, name
        assert torch.equal(first(now), first(before[name])) == fixed, name
        assert not torch.equal(last(now), last(before[name])), name
    for name in ("conditional.b1", "conditional.b2", "conditional.kappa"):
        assert not torch.equal(parameters[name], before[name]), name


def test_without_blocks_there_is_nothing_to_fix():
    pan = made(head="shared", fixed_blocks=True)
    before = pan.head.weight.detach().clone()
    a_step(pan)
    assert (pan.head.weight != before).any(1).all()


# -- relevance and differences --------------------------------------------------------------------


def one_block_apart(pan, block):
    """Two vectors that differ in one block alone."""
    h = pan.eval().embed(world())
    one, other = h[:40], h[:40].clone()
    other[:, block] = h[40:80, block]
    return pan(one, other)


def test_what_a_pair_differs_in_counts_more_from_the_first_step():
    hard, soft = (made(soft_minimum=kappa, init="metric") for kappa in (0.0, 6.0))
    for m, block in enumerate(OWN):
        even, told = one_block_apart(hard, block), one_block_apart(soft, block)
        torch.testing.assert_close(even.conditions, told.conditions)
        differ = told.conditions[:, m] < 0.5
        assert differ.any()
        assert (told.relevance[differ, m] > 2 * even.relevance[differ, m]).all()
        assert (told.score[differ] < even.score[differ]).all()


def test_how_soft_the_minimum_is_is_learned_unless_it_is_off():
    pan = made()
    assert any(own is pan.conditional.kappa for own in pan.parts["conditions"])
    for pan in (made(soft_minimum=0.0), made(free=1, groups=(), known=Known())):
        assert "conditional.kappa" not in dict(pan.named_parameters())
        assert (pan.conditional.kappa == 0).all()


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_conditions_are_of_the_differences_to_a_power(power):
    pan = made(power=power).eval()
    h = pan.embed(world()[:20])
    g = (h[:10] - h[10:]).abs() ** power
    expected = torch.sigmoid(g @ pan.conditional.W1.T + pan.conditional.b1)
    torch.testing.assert_close(pan(h[:10], h[10:]).conditions, expected)
    torch.testing.assert_close(
        pan.against(h[:10], h[10:]).diagonal(), pan(h[:10], h[10:]).score.detach()
    )


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_an_item_beside_itself_has_finite_gradients(power):
    pan = made(power=power)
    h = pan.embed(world()[:6])
    pan(h, h).score.sum().backward()
    assert all(p.grad.isfinite().all() for p in pan.parameters())


# -- a run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"fixed_blocks": True, "own_share": 0.6, "power": 2.0, "soft_minimum": 1.5},
        {"standardise": "parts", "free": 0, "soft_minimum": 0.0, "power": 1.0},
        {"head": "shared", "start": "random", "free_share": 0.5},
    ],
)
@pytest.mark.parametrize("types", [(), ("round", "square")])
def test_what_is_loaded_scores_as_what_was_saved(tmp_path, options, types):
    encoders = Encoders(EncoderConfig(pixels=64))
    g = seeded()
    config = PANConfig(width=WIDTH, shared=SHARED, types="shape" if types else "", **options)
    taught = Taught(Taught.groups(["colour", "shape"]).conditions, types)
    pan = PAN(config, taught, g, encoders.images.parts)
    features = torch.randn(20, sum(encoders.images.parts), generator=g)
    place = torch.arange(20)
    known = Known(
        types=place % 2 if types else None,
        labels=place % 5,
        values=(F.one_hot(place % 3).float(), F.one_hot(place % 2).float()),
    )
    pan.fit_statistics(features, known, g)
    with torch.no_grad():  # as training moves them
        for parameter in pan.conditional.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=g))
    model = Model(encoders, sets=None, pairs=pan)
    model.save(tmp_path / "run")
    opened = fw.load(tmp_path / "run")
    assert opened.fingerprint == model.fingerprint
    assert opened.pairs.config == pan.config and opened.conditions == model.conditions
    h, again = (m.pairs.embed(features, known) for m in (model, opened))
    assert torch.equal(h, again)
    scores = [m.pair_scores(h[:9], h[9:18]) for m in (model, opened)]
    assert all(map(torch.equal, *scores))
    assert torch.equal(model.pairs.against(h, h), opened.pairs.against(h, h))
