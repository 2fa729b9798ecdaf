import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.similarity import ConditionalSimilarity, PairScore, steer


def a_module(d=6, m=4, seed=0, init="xavier", power=1.0, soft=0.0):
    g = torch.Generator().manual_seed(seed)
    return ConditionalSimilarity(d, m, init=init, generator=g, power=power, soft_minimum=soft)


def random(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def golden():
    """METHODS 1.1."""
    module = ConditionalSimilarity(2, 2)
    with torch.no_grad():
        module.W1.copy_(torch.tensor([[0.5, -0.5], [1.0, 0.0]]))
        module.b1.copy_(torch.tensor([0.0, 0.1]))
        module.W2.copy_(torch.tensor([[0.0, 1.0], [0.2, -0.3]]))
        module.b2.zero_()
    return module


def test_golden_value_of_methods_1_1(golden):
    h1, h2 = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])
    score, conditions, relevance = golden(h1, h2)
    torch.testing.assert_close(conditions, torch.tensor([[0.377541, 0.750260]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(relevance, torch.tensor([[0.916827, 0.083173]]), atol=1e-6, rtol=0)
    assert score.item() == pytest.approx(0.408541, abs=1e-6)
    assert golden.against(h1, h2).item() == pytest.approx(0.408541, abs=1e-6)


@given(p=st.integers(1, 6), d=st.integers(1, 6), m=st.integers(1, 6), seed=st.integers(0, 999))
def test_agrees_with_a_slow_reference(p, d, m, seed):
    module = a_module(d, m, seed).double()
    torch.nn.init.normal_(module.b1, generator=torch.Generator().manual_seed(seed))
    torch.nn.init.normal_(module.b2, generator=torch.Generator().manual_seed(seed + 1))
    h1, h2 = random(p, d, seed=seed).double(), random(p, d, seed=seed + 1).double()
    result = module(h1, h2)
    w1, b1, w2, b2 = (t.detach().numpy() for t in (module.W1, module.b1, module.W2, module.b2))
    for k in range(p):
        g = np.abs(h1[k].numpy() - h2[k].numpy())
        s = 1 / (1 + np.exp(-(w1 @ g + b1)))
        e = np.exp(w2 @ g + b2)
        np.testing.assert_allclose(result.conditions[k].detach(), s)
        np.testing.assert_allclose(result.relevance[k].detach(), e / e.sum())
        np.testing.assert_allclose(result.score[k].detach(), (s * e / e.sum()).sum())


@given(p=st.integers(1, 8), seed=st.integers(0, 999))
def test_is_symmetric_and_relevance_sums_to_one(p, seed):
    module = a_module(seed=seed)
    h1, h2 = random(p, 6, seed=seed), random(p, 6, seed=seed + 1)
    there, back = module(h1, h2), module(h2, h1)
    for a, b in zip(there, back, strict=True):
        torch.testing.assert_close(a, b, atol=0, rtol=0)
    torch.testing.assert_close(there.relevance.sum(1), torch.ones(p))
    assert (there.score >= 0).all() and (there.score <= 1).all()


def test_one_condition_is_a_plain_score():
    result = a_module(m=1)(random(5, 6), random(5, 6, seed=2))
    torch.testing.assert_close(result.score, result.conditions[:, 0])


@given(
    q=st.integers(0, 7),
    n=st.integers(0, 7),
    tile=st.integers(1, 20),
    steered=st.booleans(),
    power=st.sampled_from([1.0, 1.5, 2.0]),
    soft=st.sampled_from([0.0, 5.0]),
    seed=st.integers(0, 999),
)
def test_against_scores_every_pair_as_forward_does(q, n, tile, steered, power, soft, seed):
    module = a_module(seed=seed, power=power, soft=soft).double()
    query, gallery = random(q, 6, seed=seed).double(), random(n, 6, seed=seed + 1).double()
    factors = torch.rand(4, generator=torch.Generator().manual_seed(seed)) if steered else None
    pairs = module(query.repeat_interleave(n, 0), gallery.repeat(q, 1))
    if factors is not None:
        pairs = steer(pairs, factors)
    scores = module.against(query, gallery, factors=factors, tile=tile)
    assert not scores.requires_grad
    torch.testing.assert_close(scores, pairs.score.view(q, n))


def test_against_holds_no_more_than_a_tile_of_differences(monkeypatch):
    module, rows = a_module(), []
    addmm = torch.addmm
    monkeypatch.setattr(
        torch, "addmm", lambda b, w, g: (rows.append(g.shape[1]), addmm(b, w, g))[1]
    )
    module.against(random(3, 6), random(50, 6), tile=16)
    assert max(rows) <= 16
    assert sum(rows) == 150
    rows.clear()
    module.against(random(30, 6), random(5, 6), tile=16)
    assert max(rows) <= 16
    assert len(rows) == 10  # three queries at a time


def test_starts_as_a_metric():
    """Nearer in L1 means more similar, whatever the condition, and relevance is about even."""
    module = a_module(d=32, m=5, init="metric")
    h = torch.nn.functional.normalize(random(200, 32), dim=1)
    with torch.no_grad():
        result = module(h[:100], h[100:])
    distance = (h[:100] - h[100:]).abs().sum(1)
    assert (result.score[distance.argsort()].diff() <= 1e-6).all()
    torch.testing.assert_close(result.relevance, torch.full((100, 5), 0.2), atol=0.02, rtol=0)
    assert result.conditions.mean().item() == pytest.approx(1 / (1 + np.e), abs=0.05)


def test_with_squared_differences_it_starts_as_the_cosine():
    module = a_module(d=32, m=5, init="metric", power=2.0)
    h = torch.nn.functional.normalize(random(200, 32), dim=1)
    with torch.no_grad():
        result = module(h[:100], h[100:])
    cosine = (h[:100] * h[100:]).sum(1)
    assert (result.score[cosine.argsort(descending=True)].diff() <= 1e-6).all()
    assert result.conditions.mean().item() == pytest.approx(1 / (1 + np.e), abs=0.05)


def test_squared_differences_are_the_slow_equation():
    module = a_module(power=2.0).double()
    h1, h2 = random(7, 6).double(), random(7, 6, seed=2).double()
    W1, W2 = module.W1.detach().numpy(), module.W2.detach().numpy()
    expected = []
    for x, y in zip(h1.numpy(), h2.numpy(), strict=True):
        g = np.array([(a - b) ** 2 for a, b in zip(x, y, strict=True)])
        e = np.exp(W2 @ g)
        expected.append((e / e.sum() / (1 + np.exp(-W1 @ g))).sum())
    np.testing.assert_allclose(module(h1, h2).score.detach().numpy(), expected, rtol=1e-9)
    h = torch.cat([h1, h2])
    r, c = torch.arange(7), torch.arange(7, 14)
    np.testing.assert_allclose(module.listed(h, r, c).numpy(), expected, rtol=1e-9)


def test_a_soft_minimum_makes_what_differs_count_more():
    hard, soft = (a_module(d=6, m=3, init="metric", soft=kappa) for kappa in (0.0, 6.0))
    for module in (hard, soft):
        module.start_in_blocks(random(60, 6), torch.Generator().manual_seed(0))
    h = random(2, 6)
    h[1] = h[0]
    h[1, :2] += 3  # they differ in the first block alone
    one, other = hard(h[:1], h[1:]), soft(h[:1], h[1:])
    torch.testing.assert_close(one.conditions, other.conditions)
    assert one.relevance.argmax() != 0 or one.relevance[0, 0] < 0.5
    assert other.relevance[0, 0] > 0.9
    assert other.score < one.score
    assert "kappa" in dict(soft.named_parameters())
    assert "kappa" not in dict(hard.named_parameters())


def test_a_start_in_blocks_of_any_width_with_shares():
    module = a_module(d=7, m=2, init="metric")
    features = random(200, 7)
    shares = torch.tensor([[1.0, 0.0], [0.25, 0.75]])
    module.start_in_blocks(features, torch.Generator().manual_seed(0), widths=[3, 4], shares=shares)
    assert (module.W1[0, 3:] == 0).all()
    assert (module.W1 <= 0).all()
    difference = (features[:100] - features[100:]).abs().mean(0)
    reached = module.W1 @ difference / -module.a
    torch.testing.assert_close(reached, torch.ones(2), atol=0.2, rtol=0)
    with pytest.raises(ValueError, match="do not fit"):
        module.start_in_blocks(features, widths=[3, 3], shares=shares)


def test_a_power_beyond_the_square_is_refused():
    with pytest.raises(ValueError, match="from 1 to 2"):
        a_module(power=3.0)


@pytest.mark.parametrize("power", [1.0, 1.4, 2.0])
def test_unit_vectors_start_at_the_same_score_with_any_power(power):
    module = a_module(d=64, m=1, init="metric", power=power)
    h = torch.nn.functional.normalize(random(400, 64), dim=1)
    with torch.no_grad():
        average = module(h[:200], h[200:]).conditions.logit().mean().item()
    assert average == pytest.approx(-1, abs=0.3)


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_calibration_puts_the_average_pair_at_the_same_score(scale):
    module = a_module(d=16, m=3, init="metric")
    features = scale * random(300, 16).relu()
    module.calibrate(features, torch.Generator().manual_seed(0))
    with torch.no_grad():
        average = module(features[:150], features[150:]).conditions.logit().mean().item()
        same = module(features, features).score
    assert average == pytest.approx(-1, abs=0.3)
    torch.testing.assert_close(same, torch.full((300,), 0.9998766), atol=1e-5, rtol=0)


def test_a_start_in_blocks_gives_each_condition_its_own_features():
    module = a_module(d=12, m=3, init="metric")
    features = random(300, 12) * torch.tensor([1.0, 10.0, 0.1]).repeat_interleave(4)
    module.start_in_blocks(features, torch.Generator().manual_seed(0))
    blocks = module.W1.detach().view(3, 3, 4)
    assert (blocks[~torch.eye(3, dtype=torch.bool)] == 0).all()
    with torch.no_grad():
        logits = module(features[:150], features[150:]).conditions.double().logit(1e-12)
    torch.testing.assert_close(logits.mean(0), -torch.ones(3).double(), atol=0.7, rtol=0)
    with pytest.raises(ValueError, match="3 equal blocks"):
        a_module(d=10, m=3).start_in_blocks(random(5, 10))


def test_same_generator_same_start():
    one, two = a_module(seed=3, init="metric"), a_module(seed=3, init="metric")
    other = a_module(seed=4, init="metric")
    torch.testing.assert_close(one.W2, two.W2, atol=0, rtol=0)
    assert not torch.equal(one.W2, other.W2)


def test_conditions_do_not_all_get_the_same_gradient():
    """They would stay one condition for ever."""
    module = a_module(init="metric")
    module(random(8, 6), random(8, 6, seed=2)).score.sum().backward()
    assert module.W1.grad.std(0).max() > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_features(dtype):
    module = a_module()
    h1, h2 = random(4, 6).to(dtype), random(4, 6, seed=2).to(dtype)
    exact = module(h1.float(), h2.float())
    for result in (module(h1, h2), module.to(dtype)(h1, h2)):
        assert result.score.dtype == torch.float32
        torch.testing.assert_close(result.score, exact.score, atol=2e-2, rtol=0)
    assert module.against(h1, h2).dtype == torch.float32


def test_gradients_are_finite_for_an_item_and_itself():
    module = a_module()
    h = random(3, 6).requires_grad_()
    module(h, h).score.sum().backward()
    assert h.grad.isfinite().all()


def test_steering_by_ones_changes_nothing():
    pairs = a_module()(random(5, 6), random(5, 6, seed=2))
    for a, b in zip(pairs, steer(pairs, torch.ones(4)), strict=True):
        torch.testing.assert_close(a, b)


@given(factors=st.lists(st.floats(0, 10), min_size=3, max_size=3).filter(lambda f: sum(f) > 0.01))
def test_steering_multiplies_relevance_and_renormalises(factors):
    s = torch.tensor([[0.9, 0.5, 0.1]], dtype=torch.float64)
    w = torch.tensor([[0.2, 0.3, 0.5]], dtype=torch.float64)
    steered = steer(PairScore((s * w).sum(1), s, w), factors)
    expected = w * torch.tensor(factors, dtype=torch.float64)
    expected = expected / expected.sum()
    torch.testing.assert_close(steered.relevance, expected)
    torch.testing.assert_close(steered.score, (s * expected).sum(1))
    assert torch.equal(steered.conditions, s)


def test_weights_that_vanished_still_share_what_the_others_give_up():
    s, w = torch.tensor([[0.9, 0.5, 0.1]]), torch.tensor([[0.0, 0.0, 1.0]])
    steered = steer(PairScore(torch.tensor([0.1]), s, w), [1.0, 1.0, 0.0])
    torch.testing.assert_close(steered.relevance, torch.tensor([[0.5, 0.5, 0.0]]))


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ([1.0], "expected 4 factors"),
        ([1.0, 1.0, 1.0, -1.0], "not negative"),
        ([0.0, 0.0, 0.0, 0.0], "one above 0"),
        ([1.0, 1.0, 1.0, float("nan")], "finite"),
    ],
)
def test_factors_that_mean_nothing_are_refused(factors, message):
    module = a_module()
    with pytest.raises(ValueError, match=message):
        steer(module(random(2, 6), random(2, 6)), factors)
    with pytest.raises(ValueError, match=message):
        module.against(random(2, 6), random(2, 6), factors=factors)


def test_input_that_does_not_fit_is_refused_with_its_shape():
    module = a_module()
    with pytest.raises(ValueError, match=r"\(2, 6\) and \(3, 6\)"):
        module(random(2, 6), random(3, 6))
    with pytest.raises(ValueError, match=r"\(2, 5\)"):
        module.against(random(2, 5), random(3, 6))
    with pytest.raises(ValueError, match="tile"):
        module.against(random(2, 6), random(3, 6), tile=0)
    with pytest.raises(ValueError, match=r"\(N, 6\)"):
        module.calibrate(random(1, 6))
    with pytest.raises(ValueError, match="mean difference"):
        module.calibrate(torch.ones(5, 6))
    with pytest.raises(ValueError, match="identity"):
        ConditionalSimilarity(2, 2, init="identity")
    with pytest.raises(ValueError, match="positive"):
        ConditionalSimilarity(2, 0)


def test_listed_pairs_score_as_the_module_does():
    module = ConditionalSimilarity(8, 3, generator=torch.Generator().manual_seed(0))
    h = torch.randn(20, 8, generator=torch.Generator().manual_seed(1))
    r, c = torch.randint(20, (2, 50), generator=torch.Generator().manual_seed(2))
    for tile in (7, 1024):
        assert torch.allclose(
            module.listed(h, r, c, tile=tile), module(h[r], h[c]).score, atol=1e-6
        )
    steered = steer(module(h[r], h[c]), [3.0, 1.0, 0.0]).score
    assert torch.allclose(module.listed(h, r, c, factors=[3.0, 1.0, 0.0]), steered, atol=1e-6)
    assert module.listed(h, r[:0], c[:0]).shape == (0,)
    with pytest.raises(ValueError, match="two lists of P rows"):
        module.listed(h, r, c[:3])
