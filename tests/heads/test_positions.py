import math

import pytest
import torch

from facetwise import InputError
from facetwise.heads import grid_positions, sine_positions


@pytest.mark.parametrize("width", [8, 7, 2])
def test_sine_positions_depend_on_the_true_length(width):
    psi = torch.zeros(2, 5, width)
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)
    code = sine_positions(psi, mask)
    assert code.shape == (2, 5, width)
    torch.testing.assert_close(code[0, :3], sine_positions(psi[:1, :3])[0])
    torch.testing.assert_close(code[1], sine_positions(psi[:1])[0])
    # the last real place is a whole turn for the first pair of channels
    torch.testing.assert_close(code[0, 2, :2], torch.tensor([0.0, 1.0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("width", [8, 12, 7, 2, 1])
def test_grid_positions_are_rows_and_columns(width):
    code = grid_positions(torch.zeros(1, 9, width))[0].view(3, 3, width)
    rows = width - width // 2
    line = sine_positions(torch.zeros(1, 3, rows))[0]
    torch.testing.assert_close(code[..., :rows], line.unsqueeze(1).expand(-1, 3, -1))
    line = sine_positions(torch.zeros(1, 3, width // 2))[0]
    torch.testing.assert_close(code[..., rows:], line.expand(3, -1, -1))


def test_every_cell_of_a_grid_has_its_own_code():
    code = grid_positions(torch.zeros(1, 144, 32))[0]
    assert torch.pdist(code).min() > 1e-3


def test_a_sine_code_is_what_its_equation_says():
    n, c = 3, 6
    expected = [
        [
            (math.sin, math.cos)[i % 2](2 * math.pi * place / n / 10_000 ** (2 * (i // 2) / c))
            for i in range(c)
        ]
        for place in range(1, n + 1)
    ]
    torch.testing.assert_close(sine_positions(torch.zeros(1, n, c))[0], torch.tensor(expected))


def test_what_is_no_square_grid_is_refused():
    with pytest.raises(InputError, match=r"not for 8 of them; use \"none\" for regions"):
        grid_positions(torch.zeros(1, 8, 4))
