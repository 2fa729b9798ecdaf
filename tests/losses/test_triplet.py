import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.losses import batch_triplet, pair_triplet, triplet

POLICIES = ["hardest", "sum", 0.01, 0.3, 1.0]


def reduce_hinges(hinges, negatives):
    hinges = sorted(hinges, reverse=True)
    if not hinges:
        return 0.0
    if negatives == "hardest":
        return hinges[0]
    if negatives == "sum":
        return sum(hinges)
    count = max(1, math.ceil(negatives * len(hinges) - 1e-6))
    return sum(hinges[:count]) / count


def reference(scores, owner, margin, negatives):
    b, c = scores.shape
    image_side, caption_side = [], []
    for caption in range(c):
        image = owner[caption]
        positive = scores[image, caption]
        image_side.append(
            reduce_hinges(
                [
                    max(0, margin + scores[image, k] - positive)
                    for k in range(c)
                    if owner[k] != image
                ],
                negatives,
            )
        )
        caption_side.append(
            reduce_hinges(
                [max(0, margin + scores[i, caption] - positive) for i in range(b) if i != image],
                negatives,
            )
        )
    return np.mean(image_side) + np.mean(caption_side)


@st.composite
def batches(draw):
    b = draw(st.integers(1, 5))
    owner = draw(st.lists(st.integers(0, b - 1), min_size=1, max_size=9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    scores = 0.3 * torch.randn(b, len(owner), generator=generator, dtype=torch.float64)
    return scores, torch.tensor(owner)


@pytest.mark.parametrize("negatives", POLICIES)
@given(batch=batches(), margin=st.sampled_from([0.0, 0.1, 0.2]))
def test_agrees_with_a_slow_reference(negatives, batch, margin):
    scores, owner = batch
    loss = triplet(scores, owner, margin=margin, negatives=negatives).item()
    assert loss == pytest.approx(reference(scores.numpy(), owner.tolist(), margin, negatives))


@given(batch=batches(), seed=st.integers(0, 99))
def test_order_of_the_batch_does_not_matter(batch, seed):
    scores, owner = batch
    generator = torch.Generator().manual_seed(seed)
    captions = torch.randperm(len(owner), generator=generator)
    images = torch.randperm(len(scores), generator=generator)
    mixed = triplet(scores[images][:, captions], images.argsort()[owner[captions]])
    torch.testing.assert_close(mixed, triplet(scores, owner))


def test_collapsed_scores_cost_two_margins():
    assert triplet(torch.ones(4, 20), torch.arange(20) // 5, margin=0.2).item() == pytest.approx(
        0.4
    )


def test_a_hair_of_the_negatives_is_the_hardest():
    scores = torch.randn(6, 12, generator=torch.Generator().manual_seed(0))
    owner = torch.arange(12) // 2
    torch.testing.assert_close(triplet(scores, owner, negatives=1e-6), triplet(scores, owner))


def test_captions_of_the_same_image_are_no_negatives():
    """METHODS T-25: caption 1 scores higher than caption 0 and costs nothing."""
    scores = torch.tensor([[0.5, 0.9, 0.0, 0.0], [0.0, 0.0, 0.5, 0.9]])
    assert triplet(scores, torch.tensor([0, 0, 1, 1])).item() == 0


@pytest.mark.parametrize("negatives", POLICIES)
@given(batch=batches())
def test_vses_reading_is_a_batch_of_pairs_summed(negatives, batch):
    """METHODS 3.1, T-25: s(i, j) of pair i's image and pair j's caption; every j != i is wrong."""
    scores, owner = batch
    c = len(owner)
    s = scores[owner].numpy()
    total = 0.0
    for i in range(c):
        others = [j for j in range(c) if j != i]
        total += reduce_hinges([max(0, 0.2 + s[i, j] - s[i, i]) for j in others], negatives)
        total += reduce_hinges([max(0, 0.2 + s[j, i] - s[i, i]) for j in others], negatives)
    options = {"negatives": negatives, "same_image": "negative"}
    assert triplet(scores, owner, reduction="sum", **options).item() == pytest.approx(total)
    assert triplet(scores, owner, **options).item() == pytest.approx(total / c)


def test_another_caption_of_the_same_image_may_be_a_negative():
    """METHODS T-25: it scores .4 more than caption 0; and the image itself is there twice."""
    scores = torch.tensor([[0.5, 0.9, 0.0, 0.0], [0.0, 0.0, 0.5, 0.9]])
    owner = torch.tensor([0, 0, 1, 1])
    loss = triplet(scores, owner, same_image="negative", reduction="sum")
    assert loss.item() == pytest.approx(2 * 0.6 + 4 * 0.2)


def test_with_one_caption_each_both_readings_are_the_same():
    scores = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    owner = torch.arange(5)
    torch.testing.assert_close(
        triplet(scores, owner, same_image="negative"), triplet(scores, owner)
    )
    torch.testing.assert_close(triplet(scores, owner, reduction="sum"), 5 * triplet(scores, owner))


@pytest.mark.parametrize("option", ["same_image", "reduction"])
def test_an_unknown_option_is_refused_by_name(option):
    with pytest.raises(ValueError, match=f"{option} must be .*, not 'odd'"):
        triplet(torch.zeros(2, 2), torch.arange(2), **{option: "odd"})


@pytest.mark.parametrize("negatives", POLICIES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_only_violations_have_a_gradient(negatives, dtype):
    scores = torch.tensor([[1.0, -1.0, -1.0], [-1.0, 1.0, 0.95], [-1.0, 0.95, 1.0]], dtype=dtype)
    scores.requires_grad_()
    loss = triplet(scores, torch.arange(3), negatives=negatives)
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    loss.backward()
    assert scores.grad.isfinite().all()
    assert (scores.grad[0] == 0).all()
    assert (scores.grad[1:, 1:] != 0).all()


@pytest.mark.parametrize("negatives", POLICIES)
def test_one_image_has_no_negatives_and_costs_nothing(negatives):
    scores = torch.randn(1, 5, requires_grad=True)
    loss = triplet(scores, torch.zeros(5, dtype=torch.long), negatives=negatives)
    loss.backward()
    assert loss.item() == 0
    assert (scores.grad == 0).all()


@pytest.mark.parametrize(
    ("owner", "negatives", "message"),
    [
        (torch.tensor([0, 1]), "hardest", r"not \(2, 3\) and \(2,\)"),
        (torch.tensor([0, 1, 2]), "hardest", r"0 \.\.\. 1"),
        (torch.tensor([0, 1, -1]), "hardest", r"0 \.\.\. 1"),
        (torch.tensor([0.0, 1.0, 1.0]), "hardest", "int64"),
        (torch.tensor([0, 1, 1]), "easiest", "'easiest'"),
        (torch.tensor([0, 1, 1]), 0.0, "share"),
        (torch.tensor([0, 1, 1]), 1.5, "share"),
    ],
)
def test_input_that_does_not_fit_is_refused(owner, negatives, message):
    with pytest.raises(ValueError, match=message):
        triplet(torch.zeros(2, 3), owner, negatives=negatives)


def labelled_reference(scores, labels, margin, share):
    p, each = len(labels), []
    for a in range(p):
        negatives = sorted((scores[a, n] for n in range(p) if labels[n] != labels[a]), reverse=True)
        if not negatives:
            continue
        negatives = negatives[: max(1, math.ceil(share * len(negatives) - 1e-6))]
        for q in range(p):
            if q != a and labels[q] == labels[a]:
                each.append(np.mean([max(0, margin + n - scores[a, q]) for n in negatives]))
    return np.mean(each) if each else 0.0


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=10),
    share=st.sampled_from([0.01, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 999),
)
def test_labelled_batch_agrees_with_a_slow_reference(labels, share, seed):
    p = len(labels)
    generator = torch.Generator().manual_seed(seed)
    scores = 0.3 * torch.randn(p, p, generator=generator, dtype=torch.float64)
    scores.requires_grad_()
    loss = batch_triplet(scores, torch.tensor(labels), hardest=share)
    expected = labelled_reference(scores.detach().numpy(), labels, 0.2, share)
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert scores.grad.isfinite().all()
    assert (scores.grad.diagonal() == 0).all()


def test_labelled_batch_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        batch_triplet(torch.zeros(2, 3), torch.zeros(2))
    with pytest.raises(ValueError, match="share"):
        batch_triplet(torch.zeros(2, 2), torch.zeros(2), hardest=0)


def slow_pairs(scores, positives, negatives, types, margin, share):
    found = []
    for a, p in itertools.product(range(len(scores)), repeat=2):
        if not positives[a, p]:
            continue
        others = [
            scores[a, n].item()
            for n in range(len(scores))
            if negatives[a, n] and (types is None or types[n] == types[p] >= 0)
        ]
        if others:
            count = max(1, math.ceil(len(others) * share - 1e-6))
            hard = sorted(others, reverse=True)[:count]
            found.append(sum(max(0, margin + s - scores[a, p].item()) for s in hard) / count)
    return sum(found) / max(1, len(found))


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_pairs_in_any_relation_are_the_loops(typed, share):
    g = torch.Generator().manual_seed(int(10 * share))
    scores = torch.rand(9, 9, generator=g)
    told = torch.randint(-1, 2, (9, 9), generator=g)
    types = torch.randint(-1, 2, (9,), generator=g) if typed else None
    loss = pair_triplet(scores, told == 1, told == 0, types=types, margin=0.3, hardest=share)
    assert loss.item() == pytest.approx(
        slow_pairs(scores, told == 1, told == 0, types, 0.3, share), abs=1e-5
    )


def test_without_pairs_there_is_no_loss():
    none = torch.zeros(3, 3, dtype=torch.bool)
    assert pair_triplet(torch.rand(3, 3), none, ~none, types=torch.zeros(3)).item() == 0
    assert pair_triplet(torch.rand(3, 3), ~none, none).item() == 0
