"""The tower against the GRU's equations, word by word and text by text, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facetwise.encoders import BiGRU

IDS = torch.tensor([[3, 5, 6, 7, 4], [3, 8, 4, 0, 0], [3, 4, 0, 0, 0], [3, 9, 9, 4, 0]])
MASK = IDS != 0
GLOBALS = ["last", "last_place", "max", "mean"]


def tower(seed=0, **options):
    options = {"width": 4, "hidden": 3, "dropout": 0.0, **options}
    return BiGRU(10, generator=torch.Generator().manual_seed(seed), **options)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def one_way(x, weights):
    """States after each of the words, (L, H); Cho et al. 2014 as PyTorch documents it."""
    w, u, b, c = (weight.detach().double().numpy() for weight in weights)
    h = np.zeros(u.shape[1])
    out = []
    for word in x:
        a, s = np.split(w @ word + b, 3), np.split(u @ h + c, 3)
        r, z = sigmoid(a[0] + s[0]), sigmoid(a[1] + s[1])
        n = np.tanh(a[2] + r * s[2])
        h = (1 - z) * n + z * h
        out.append(h)
    return np.array(out)


def slow(model, ids, pool):
    """psi and phi of one text without padding."""
    x = model.embedding.detach().double().numpy()[ids]
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    forwards = one_way(x, [getattr(model.gru, name) for name in names])
    backwards = one_way(x[::-1], [getattr(model.gru, f"{name}_reverse") for name in names])[::-1]

    def join(a, b):
        if model.directions == "averaged":
            return (a + b) / 2
        return np.concatenate([a, b], -1)

    states = join(forwards, backwards)
    phi = {
        "last": join(forwards[-1], backwards[0]),
        "last_place": states[-1],
        "max": states.max(0),
        "mean": states.mean(0),
    }[pool]
    return x if model.local == "words" else states, phi


@pytest.mark.parametrize("local", ["words", "states"])
@pytest.mark.parametrize("directions", ["averaged", "concatenated"])
@pytest.mark.parametrize("pool", GLOBALS)
def test_it_is_what_the_equations_say(directions, local, pool):
    model = tower(directions=directions, local=local, pool=pool)
    psi, phi = model(IDS, MASK)
    assert psi.shape == (4, 5, model.local_width)
    assert phi.shape == (4, model.global_width)
    assert model.local_width == (4 if local == "words" else model.global_width)
    assert model.global_width == (3 if directions == "averaged" else 6)
    for row, length in enumerate(MASK.sum(1).tolist()):
        expected = slow(model, IDS[row, :length].numpy(), pool)
        torch.testing.assert_close(
            psi[row, :length].double(), torch.tensor(expected[0]), atol=1e-6, rtol=1e-5
        )
        torch.testing.assert_close(
            phi[row].double(), torch.tensor(expected[1]), atol=1e-6, rtol=1e-5
        )
        assert (psi[row, length:] == 0).all()


@pytest.mark.parametrize("local", ["words", "states"])
@pytest.mark.parametrize("pool", GLOBALS)
def test_padding_and_company_change_nothing(local, pool):
    model = tower(local=local, pool=pool)
    psi, phi = model(IDS, MASK)
    wide = torch.nn.functional.pad(IDS, (0, 3), value=7)  # whatever stands there
    psi_wide, phi_wide = model(wide, torch.nn.functional.pad(MASK, (0, 3)))
    assert torch.equal(psi_wide[:, :5], psi) and (psi_wide[:, 5:] == 0).all()
    torch.testing.assert_close(phi_wide, phi)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(model(IDS[order], MASK[order])[1], phi[order])
    for row, length in enumerate(MASK.sum(1).tolist()):
        alone = model(IDS[row : row + 1, :length], MASK[row : row + 1, :length])
        torch.testing.assert_close(alone[1][0], phi[row])


@pytest.mark.parametrize("pool", GLOBALS)
def test_what_the_mask_leaves_out_counts_as_deleted(pool):
    model = tower(local="states", pool=pool)
    mask = MASK.clone()
    mask[0, 2] = False
    psi, phi = model(IDS, mask)
    shorter = IDS[:1, [0, 1, 3, 4]]
    expected = model(shorter, shorter != 0)
    torch.testing.assert_close(phi[:1], expected[1])
    torch.testing.assert_close(psi[:1, [0, 1, 3, 4]], expected[0])
    assert (psi[0, 2] == 0).all()


def test_a_row_of_padding_alone_is_no_trouble():
    psi, phi = tower()(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.bool))
    assert psi.isfinite().all() and phi.isfinite().all()


def test_the_start_is_the_generators():
    a, b, c = tower(1), tower(1), tower(2)
    for name, value in a.state_dict().items():
        assert torch.equal(value, b.state_dict()[name])
        assert not torch.equal(value, c.state_dict()[name])
    assert a.embedding[1:].abs().max() <= 0.1
    assert (a.embedding[0] == 0).all()


def test_gradients_reach_words_that_are_there_and_both_directions():
    model = tower(pool="mean", local="words")
    psi, phi = model(IDS, MASK)
    (psi.square().sum() + phi.sum()).backward()
    rows = model.embedding.grad.abs().sum(1) > 0
    assert rows.tolist() == [number in (3, 4, 5, 6, 7, 8, 9) for number in range(10)]
    assert all(weight.grad.abs().sum() > 0 for weight in model.gru.parameters())


def test_fixed_words_are_kept_but_not_trained():
    vectors = torch.randn(10, 4, generator=torch.Generator().manual_seed(5))
    model = tower(vectors=vectors, fixed=True)
    assert torch.equal(model.state_dict()["embedding"], vectors)
    assert not any(value is model.embedding for value in model.parameters())
    assert torch.equal(tower(vectors=vectors).embedding, vectors)
    with pytest.raises(ValueError, match=r"vectors must be \(10, 4\), not \(9, 4\)"):
        tower(vectors=vectors[1:])


def test_dropout_is_for_training_alone():
    model = tower(dropout=0.5)
    assert not torch.equal(model(IDS, MASK)[1], model(IDS, MASK)[1])
    model.eval()
    assert torch.equal(model(IDS, MASK)[1], model(IDS, MASK)[1])


def test_it_runs_in_half_precision():
    model = tower(width=8, hidden=8).eval()
    expected = model(IDS, MASK)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        psi, phi = model(IDS, MASK)
    assert psi.dtype == phi.dtype == torch.float32
    torch.testing.assert_close(phi, expected[1], atol=2e-2, rtol=2e-2)


def test_it_learns_the_order_of_words():
    """What no mean of words can tell: which of two comes first."""
    model = tower(width=8, hidden=8)
    ids = torch.tensor([[3, a, 5, b, 4] for a in range(6, 10) for b in range(6, 10) if a != b])
    first = (ids[:, 1] < ids[:, 3]).long()
    judge = torch.nn.Linear(8, 2)
    torch.nn.init.zeros_(judge.weight)
    optimizer = torch.optim.Adam([*model.parameters(), *judge.parameters()], 0.05)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(judge(model(ids, ids > 0)[1]), first)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
