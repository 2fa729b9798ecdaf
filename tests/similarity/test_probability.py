import pytest
import torch

from facetwise.similarity import match_probability


def test_golden_value_of_pcme(golden_v, golden_t):
    p = match_probability(golden_v, golden_t, scale=15.0, shift=15.0, distance="euclidean")
    assert p.item() == pytest.approx(0.6250, abs=5e-5)


def test_euclidean_samples_keep_their_length():
    x = torch.tensor([[[1.0, 0.0]]])
    near = match_probability(x, x, scale=1.0, shift=0.0, distance="euclidean")
    far = match_probability(x, 3 * x, scale=1.0, shift=0.0, distance="euclidean")
    assert far < near


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_scale_and_shift_can_be_learned(distance):
    scale, shift = (torch.tensor(v, requires_grad=True) for v in (2.0, 1.0))
    x = torch.eye(4).view(2, 2, 4)
    match_probability(x, x, scale=scale, shift=shift, distance=distance).sum().backward()
    assert scale.grad.isfinite() and scale.grad != 0
    assert shift.grad.isfinite() and shift.grad != 0


def test_unknown_distance_is_refused():
    x = torch.ones(1, 1, 2)
    with pytest.raises(ValueError, match="manhattan"):
        match_probability(x, x, scale=1.0, shift=0.0, distance="manhattan")
