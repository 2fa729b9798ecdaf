import numpy as np
import pytest
import torch

from facetwise.heads import Projection, ridge, start_as_ridge


def test_ridge_equals_the_normal_equations() -> None:
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(30, 5, generator=g), torch.randn(30, 3, generator=g)
    slow = np.linalg.inv(x.numpy().T @ x.numpy() + 0.1 * 30 * np.eye(5)) @ x.numpy().T @ y.numpy()
    assert ridge(x, y, 0.1).numpy() == pytest.approx(slow, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("dim", [6, 20])
def test_pictures_that_are_linear_in_their_texts_match_from_the_start(dim: int) -> None:
    g = torch.Generator().manual_seed(0)
    vectors = torch.randn(60, 8, generator=g) @ torch.diag(torch.tensor([3.0] * 5 + [0.1] * 3))
    pooled = (vectors - vectors.mean(0)) @ torch.randn(8, 12, generator=g)
    image = Projection(12, dim, hidden=16, dropout=0.5, generator=g).eval()
    text = Projection(8, dim, hidden=16, dropout=0.5, generator=g).eval()
    start_as_ridge(image, text, pooled, vectors, [[row] for row in range(60)], penalty=1e-6)
    with torch.no_grad():
        x, y = (torch.nn.functional.normalize(v, dim=-1) for v in (image(pooled), text(vectors)))
    assert (x @ y.T).argmax(1).tolist() == list(range(60))
    used = min(dim, 8)
    assert image(pooled)[:, :used].square().mean().item() == pytest.approx(1, rel=1e-3)


def test_pictures_without_texts_take_no_part() -> None:
    g = torch.Generator().manual_seed(0)
    vectors, pooled = torch.randn(10, 8, generator=g), torch.randn(11, 12, generator=g)
    weights = []
    for extra in (0.0, 100.0):
        pooled[10] = extra
        parts = [Projection(12, 4, hidden=4, dropout=0.0), Projection(8, 4, hidden=4, dropout=0.0)]
        start_as_ridge(*parts, pooled, vectors, [*([row] for row in range(10)), []])
        weights.append(parts[0].fc.weight)
    assert torch.equal(weights[0], weights[1])
