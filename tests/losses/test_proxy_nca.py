from __future__ import annotations

import math

import pytest
import torch

from facetwise.losses import proxy_nca


def slow(x, proxies, labels, scale=3.0):
    """The paper's, written out: both vectors at length 3, squared distances, all proxies below."""
    losses = []
    for row, label in zip(x.tolist(), labels.tolist(), strict=True):
        if label < 0:
            continue
        a = [scale * v / math.hypot(*row) for v in row]
        logits = []
        for proxy in proxies.tolist():
            b = [scale * v / math.hypot(*proxy) for v in proxy]
            logits.append(-sum((u - v) ** 2 for u, v in zip(a, b, strict=True)))
        losses.append(math.log(sum(math.exp(v) for v in logits)) - logits[label])
    return sum(losses) / max(1, len(losses))


@pytest.fixture
def made():
    g = torch.Generator().manual_seed(0)
    return (
        torch.randn(7, 4, generator=g),
        torch.randn(5, 4, generator=g),
        torch.tensor([0, 4, 2, -1, 1, 3, 0]),
    )


def test_it_is_the_equation(made):
    assert proxy_nca(*made).item() == pytest.approx(slow(*made), rel=1e-5)


def test_scaling_squared_distances_by_three_is_another_loss(made):
    """T-45."""
    assert proxy_nca(*made, temperature=1 / 3).item() != pytest.approx(slow(*made), rel=1e-2)


def test_lengths_do_not_matter(made):
    x, proxies, labels = made
    longer = proxy_nca(5 * x, proxies * torch.arange(1, 6)[:, None], labels)
    torch.testing.assert_close(longer, proxy_nca(x, proxies, labels))


def test_order_of_the_proxies_does_not_matter(made):
    x, proxies, labels = made
    order = torch.tensor([3, 0, 4, 1, 2])
    place = order.argsort()
    moved = torch.where(labels >= 0, place[labels.clamp_min(0)], -1)
    torch.testing.assert_close(proxy_nca(x, proxies[order], moved), proxy_nca(*made))


def test_proxies_come_nearer_to_their_items_and_others_go_away():
    x = torch.tensor([[1.0, 0.0]])
    proxies = torch.tensor([[0.6, 0.8], [0.8, -0.6]], requires_grad=True)
    proxy_nca(x, proxies, torch.tensor([0])).backward()
    assert proxies.grad[0, 0] < 0 < proxies.grad[1, 0]


def test_nothing_labelled_is_no_loss_and_has_gradients():
    x = torch.randn(2, 3, requires_grad=True)
    loss = proxy_nca(x, torch.ones(1, 3), torch.tensor([-1, -1]))
    loss.backward()
    assert loss.item() == 0 and (x.grad == 0).all()


def test_one_class_is_no_choice(made):
    x, proxies, _ = made
    assert proxy_nca(x, proxies[:1], torch.zeros(7, dtype=torch.long)).item() == 0


def test_half_precision_is_summed_in_single(made):
    x, proxies, labels = made
    loss = proxy_nca(x.half(), proxies.half(), labels)
    assert loss.dtype == torch.float32 and loss.isfinite()


@pytest.mark.parametrize(
    ("x", "labels"), [((3, 2), [0, 0, 0]), ((3, 4), [0, 0]), ((3, 4), [0, 1, 9])]
)
def test_what_does_not_fit_is_refused(x, labels):
    with pytest.raises(ValueError, match=r"expected|labels"):
        proxy_nca(torch.ones(x), torch.ones(5, 4), torch.tensor(labels))
