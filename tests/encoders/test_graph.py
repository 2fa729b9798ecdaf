"""Graph convolutions against NumPy's dense matrices (METHODS 1.2; section 8, check 4)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from facetwise.encoders.graph import GraphEncoder, Neighbours, tidy_edges

EDGES = torch.tensor([[0, 1], [1, 2], [4, 3]])
N = 6


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def features(n=N, width=5, seed=1):
    return torch.randn(n, width, generator=generator(seed), dtype=torch.double)


def encoder(**options):
    options = {"support_dropout": 0.0, "edge_dropout": 0.0, "dropout": 0.0} | options
    return GraphEncoder(5, [4, 3], generator=generator(), **options).double()


def support(edges, n, one_direction=False, own=1.0):
    """S_1 = D^-1 (A + I), dense."""
    A = np.zeros((n, n))
    for i, j in edges.tolist():
        A[min(i, j), max(i, j)] = 1
        if not one_direction:
            A[max(i, j), min(i, j)] = 1
    np.fill_diagonal(A, own)
    return A / A.sum(1, keepdims=True)


def slow(model, x, S, training):
    z = x.numpy()
    for layer in model.layers:
        thetas = [theta.detach().numpy().T for theta in layer.theta]
        out = z @ thetas[0]
        if len(thetas) > 1:
            out = out + S @ (z @ thetas[1])
        if layer.bias is not None:
            out = out + layer.bias.detach().numpy()
        out = np.maximum(out, 0)
        if isinstance(layer.norm, nn.BatchNorm1d):
            mean, var = out.mean(0), out.var(0)
            if not training:
                mean, var = layer.norm.running_mean.numpy(), layer.norm.running_var.numpy()
            out = (out - mean) / np.sqrt(var + layer.norm.eps)
        z = out
    return z


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_layers_are_those_of_the_equation(batch_norm, training):
    model = encoder(batch_norm=batch_norm).train(training)
    x = features()
    expected = slow(model, x, support(EDGES, N), training)
    np.testing.assert_allclose(model(x, EDGES).detach().numpy(), expected, rtol=1e-9, atol=1e-9)


def test_a_layer_has_a_bias_only_without_batch_norm():
    names = [name for name, _ in encoder().named_parameters()]
    assert not any("bias" in name and "norm" not in name for name in names)
    assert any(name.endswith("0.bias") for name, _ in encoder(batch_norm=False).named_parameters())


graphs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)


@given(edges=graphs, one_direction=st.booleans(), more=st.sampled_from([0.0, 1.0]))
def test_sums_of_neighbours_are_the_dense_product(edges, one_direction, more):
    edges = torch.tensor(edges, dtype=torch.long).reshape(-1, 2)
    around = Neighbours.of(edges, N, one_direction=one_direction)
    S = support(edges, N, one_direction, own=1 + more)
    x = features().requires_grad_()
    found = around.mean(x, more)
    np.testing.assert_allclose(found.detach().numpy(), S @ x.detach().numpy(), atol=1e-12)
    found.mul(features(seed=2)).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), S.T @ features(seed=2).numpy(), atol=1e-12)


@given(edges=graphs)
def test_rows_of_the_support_sum_to_one(edges):
    edges = torch.tensor(edges, dtype=torch.long).reshape(-1, 2)
    found = Neighbours.of(edges, N).mean(torch.eye(N))
    torch.testing.assert_close(found.sum(1), torch.ones(N))


def test_an_edge_that_is_named_twice_counts_once():
    twice = torch.cat([EDGES, EDGES.flip(1), EDGES, torch.tensor([[2, 2]])])
    model, x = encoder().eval(), features()
    assert torch.equal(model(x, EDGES), model(x, twice))
    assert tidy_edges(twice).tolist() == [[0, 1], [1, 2], [3, 4]]


def test_degree_0_is_an_mlp():
    model, x = encoder(degree=0).eval(), features()
    mlp = nn.Sequential()
    for layer in model.layers:
        linear = nn.Linear(*layer.theta[0].shape[::-1], bias=False, dtype=torch.double)
        linear.load_state_dict({"weight": layer.theta[0].detach()})
        mlp.extend([linear, nn.ReLU(), layer.norm])
    torch.testing.assert_close(model(x, EDGES), mlp.eval()(x))
    assert torch.equal(model(x, EDGES), model(x))


def test_items_without_edges_are_by_themselves():
    model, x = encoder().eval(), features()
    among, alone = model(x, EDGES), model(x)
    assert torch.equal(model(x, EDGES[:0]), alone)
    torch.testing.assert_close(among[5], alone[5])  # no edge of its own
    torch.testing.assert_close(model(x[:1]), alone[:1])
    assert not torch.allclose(among[:5], alone[:5])


def test_renumbering_the_items_renumbers_the_vectors():
    model, x = encoder().eval(), features()
    order = torch.randperm(N, generator=generator(3))
    torch.testing.assert_close(model(x[order], order.argsort()[EDGES]), model(x, EDGES)[order])


def test_one_direction_is_for_evaluation_only():
    """METHODS T-6: with i < j alone, only the smaller number hears of the other."""
    both, legacy = encoder(), encoder(one_direction=True)
    x = features()
    torch.testing.assert_close(legacy.train()(x, EDGES), both.train()(x, EDGES))
    expected = slow(legacy.eval(), x, support(EDGES, N, one_direction=True), training=False)
    np.testing.assert_allclose(legacy(x, EDGES).detach().numpy(), expected, atol=1e-12)
    alone = legacy(x)
    torch.testing.assert_close(legacy(x, EDGES)[[2, 4]], alone[[2, 4]])


def test_self_loops_double_in_training_only_where_legacy_is_asked_for():
    """METHODS T-7; the share that isolates an item is too small here to hit one."""
    options = {"support_dropout": 1e-12}
    usual, legacy = encoder(**options), encoder(**options, doubled_loops=True)
    x = features()
    for model, own in ((usual, 1.0), (legacy, 2.0)):
        expected = slow(model, x, support(EDGES, N, own=own), training=True)
        np.testing.assert_allclose(model.train()(x, EDGES).detach(), expected, atol=1e-9)
    torch.testing.assert_close(
        encoder(doubled_loops=True).eval()(x, EDGES), encoder().eval()(x, EDGES)
    )
    nothing_dropped = encoder(doubled_loops=True).train()
    torch.testing.assert_close(nothing_dropped(x, EDGES), encoder().train()(x, EDGES))


def ring(n):
    here = torch.arange(n)
    return torch.stack([here, (here + 1) % n], 1)


def test_support_dropout_takes_all_edges_of_an_item():
    torch.manual_seed(0)
    model = GraphEncoder(5, [4], support_dropout=0.15, edge_dropout=0.0)
    kept = model._kept(ring(20_000), 20_000)
    assert len(kept) / 20_000 == pytest.approx(0.85**2, abs=0.02)
    # the ends of what was lost: each gap in the ring is one item, or a few side by side
    lost = torch.ones(20_000, dtype=torch.bool)
    lost[kept[:, 0]] = False
    degree = torch.bincount(kept.flatten(), minlength=20_000)
    assert float((degree == 0).float().mean()) == pytest.approx(0.15 + 0.85 * 0.15**2, abs=0.02)
    assert len(model.eval()._kept(ring(50), 50)) == 50


def test_edge_dropout_takes_single_edges_of_those_left():
    torch.manual_seed(0)
    model = GraphEncoder(5, [4], support_dropout=0.15, edge_dropout=0.15)
    assert len(model._kept(ring(20_000), 20_000)) / 20_000 == pytest.approx(0.85**3, abs=0.02)
    none = GraphEncoder(5, [4], support_dropout=0.0, edge_dropout=0.0)
    assert len(none._kept(ring(50), 50)) == 50


def test_gradients_go_to_neighbours_and_weights():
    model = encoder().train()
    x = features().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: encoder(batch_norm=False)(z, EDGES), x)
    model(x, EDGES).square().mul(features(width=3)).sum().backward()
    assert all((parameter.grad != 0).any() for parameter in model.parameters())


def test_statistics_at_the_start_are_those_of_all_items():
    model, x = encoder(dropout=0.5, support_dropout=0.5), features()
    out = model.train().start_statistics(x, EDGES)
    assert model.training
    torch.testing.assert_close(out.mean(0), torch.zeros(3, dtype=torch.double), atol=0.1, rtol=0)
    assert torch.equal(model.eval()(x, EDGES), out)
    assert {norm.momentum for norm in model.modules() if isinstance(norm, nn.BatchNorm1d)} == {0.1}


def test_the_start_is_kaiming_normal_from_the_generator():
    a, b = (GraphEncoder(2000, [400], generator=generator(5)) for _ in range(2))
    assert torch.equal(a.layers[0].theta[1], b.layers[0].theta[1])
    assert not torch.equal(a.layers[0].theta[0], a.layers[0].theta[1])
    assert float(a.layers[0].theta[0].detach().std()) == pytest.approx((2 / 2000) ** 0.5, rel=0.02)


@pytest.mark.parametrize("widths,degree", [([], 1), ([4, 0], 1), ([4], 2)])
def test_impossible_shapes_are_refused(widths, degree):
    with pytest.raises(ValueError, match="impossible"):
        GraphEncoder(5, widths, degree=degree)
