"""SGD with LookAhead against its equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facetwise.training.lookahead import LookAheadSGD


def gradient(theta, target):
    return theta - target


@pytest.mark.parametrize("k", [1, 2, 5])
def test_it_is_the_equations(k):
    """v = mu v + g, theta -= lr v; each k-th step phi += alpha (theta - phi), theta = phi."""
    start, target = np.array([1.0, -2.0, 0.5]), np.array([0.2, 0.1, -0.3])
    weight = torch.nn.Parameter(torch.tensor(start))
    optimizer = LookAheadSGD([weight], 0.1, momentum=0.9, weight_decay=0.01, alpha=0.5, k=k)
    theta, phi, v = start.copy(), start.copy(), np.zeros(3)
    for step in range(1, 14):
        weight.grad = torch.tensor(gradient(weight.detach().numpy(), target))
        optimizer.step()
        v = 0.9 * v + gradient(theta, target) + 0.01 * theta
        theta = theta - 0.1 * v
        if step % k == 0:
            phi = phi + 0.5 * (theta - phi)
            theta = phi.copy()
        np.testing.assert_allclose(weight.detach().numpy(), theta, rtol=1e-12)


def test_alpha_one_is_plain_sgd():
    weights = [torch.nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2)]
    ours = LookAheadSGD([weights[0]], 0.1, alpha=1.0, k=3)
    plain = torch.optim.SGD([weights[1]], 0.1, momentum=0.9)
    for _ in range(10):
        for weight, optimizer in zip(weights, (ours, plain), strict=True):
            weight.grad = weight.detach() - 0.3
            optimizer.step()
    assert torch.equal(*(weight.detach() for weight in weights))


def test_its_state_goes_through_a_checkpoint():
    def run(steps, optimizer, weight):
        for _ in range(steps):
            weight.grad = weight.detach() - 0.3
            optimizer.step()

    whole = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    run(11, LookAheadSGD([whole], 0.1), whole)
    first = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    before = LookAheadSGD([first], 0.1)
    run(7, before, first)
    second = torch.nn.Parameter(first.detach().clone())
    after = LookAheadSGD([second], 0.1)
    after.load_state_dict(before.state_dict())
    run(4, after, second)
    assert torch.equal(second, whole)
