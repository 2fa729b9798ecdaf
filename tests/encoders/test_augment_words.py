"""Shares and rules of the captions' augmentations, counted over many words."""

from __future__ import annotations

import pytest
import torch

from facetwise.encoders import (
    Marks,
    augment_texts,
    drop_caption,
    drop_tokens,
    drop_words,
    word_parts,
)

SPECIAL = (0, 1, 2, 3, 4)
MARKS = Marks(size=100_000, special=SPECIAL, unknown=1, mask=2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def captions(n=400, words=30):
    """Start, words that are all different, end, and two places of padding."""
    ids = torch.arange(5, 5 + n * words).reshape(n, words)
    ends = [torch.full((n, 1), value) for value in (3, 4, 0, 0)]
    ids = torch.cat([ends[0], ids, *ends[1:]], 1)
    return ids, ids != 0


def of(ids, mask, share=0.2, seed=0, **other):
    options = {"mask_id": 2, "vocabulary_size": 100_000, "special_ids": SPECIAL, **other}
    return drop_words(ids, mask, share=share, generator=generator(seed), **options)


def test_of_the_words_that_are_hit_half_are_masked_a_tenth_replaced_the_rest_deleted():
    ids, mask = captions()
    out, there = of(ids + 50_000 * (ids > 4), mask, vocabulary_size=50_000)
    words = 400 * 30
    masked = int((out == 2).sum())
    deleted = int(mask.sum() - there.sum())
    replaced = int(((out > 4) & (out < 50_000)).sum())
    for count, share in ((masked, 0.1), (replaced, 0.02), (deleted, 0.08)):
        assert abs(count - words * share) < 4 * (words * share * (1 - share)) ** 0.5


def test_what_is_left_keeps_its_order_and_moves_up():
    ids, mask = captions()
    out, there = of(ids, mask)
    assert (there[:, :-1] >= there[:, 1:]).all()
    assert (out[~there] == 0).all()
    assert there.sum(1).max() == out.shape[1]
    for row, length in zip(out, there.sum(1), strict=True):
        kept = row[:length].tolist()
        assert (kept[0], kept[-1]) == (3, 4)
    untouched = of(ids, mask, share=0.0)
    assert torch.equal(untouched[0], ids[:, :-2])


def test_start_end_and_padding_are_never_touched_and_never_drawn():
    ids, mask = captions(50)
    out, there = of(ids, mask, share=1.0, vocabulary_size=6)
    assert (out[:, 0] == 3).all()
    inside = out[there]
    assert set(inside.tolist()) == {2, 3, 4, 5}
    assert ((out == 3).sum(1) == 1).all() and ((out == 4).sum(1) == 1).all()


def test_without_a_mask_token_words_are_deleted_instead():
    ids, mask = captions()
    out, there = of(ids, mask, mask_id=None)
    assert not (out == 2).any()
    words = 400 * 30
    assert abs(int(mask.sum() - there.sum()) - words * 0.18) < 4 * (words * 0.18 * 0.82) ** 0.5


def test_a_text_that_would_lose_all_keeps_all():
    ids = torch.tensor([[7, 8, 9], [7, 0, 0]])
    _, there = of(ids, ids != 0, share=1.0, mask_id=None, vocabulary_size=5)
    assert there.any(1).all()
    x, mask = drop_tokens(torch.ones(2, 3, 4), ids != 0, share=1.0, generator=generator())
    assert (x.shape, mask.sum(1).tolist()) == ((2, 3, 4), [3, 1])


def test_the_parts_of_a_word_share_its_fate():
    ids, mask = captions()
    continues = torch.zeros_like(mask)
    continues[:, 2:31:2] = True  # words of two parts
    out, there = of(ids + 50_000 * (ids > 4), mask, continues=continues, vocabulary_size=50_000)
    ids = ids + 50_000 * (ids > 4)
    kept = 0
    for own, row in zip(ids, out, strict=True):
        left = set(row[row > 4].tolist())
        for first, second in own[1:31].reshape(-1, 2).tolist():
            assert (first in left) == (second in left)
            kept += first in left
    assert abs(kept - 6000 * 0.8) < 4 * (6000 * 0.8 * 0.2) ** 0.5
    assert (mask.sum(1) - there.sum(1)).remainder(2).eq(0).all()


def test_parts_of_words_are_read_from_the_tokens():
    words = [["[CLS]", "snow", "##man", "##s", "[SEP]"], ["#", "a"], []]
    assert word_parts(words).long().tolist() == [[0, 0, 1, 1, 0], [0] * 5, [0] * 5]
    assert word_parts([]).shape == (0, 0)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_caption_drop_makes_words_unknown_and_removes_a_fixed_number(share):
    ids, mask = captions()
    out, there = drop_caption(
        ids, mask, share=share, unknown_id=1, special_ids=SPECIAL, generator=generator()
    )
    assert (there.sum(1) == 32 - int(30 * share)).all()
    left = 400 * (30 - int(30 * share))
    assert abs(int((out == 1).sum()) - left * share) < 4 * (left * share * (1 - share)) ** 0.5
    assert (out[:, 0] == 3).all() and ((out == 4).sum(1) == 1).all()


def test_every_word_is_removed_equally_often():
    ids, mask = captions(4000, 10)
    ids = ids.where(ids < 5, (ids - 5) % 10 + 5)
    out, there = drop_caption(
        ids, mask, share=0.1, unknown_id=1, special_ids=SPECIAL, generator=generator()
    )
    kept = torch.bincount(out[there], minlength=15)[5:].double()
    assert (kept / 4000 - 0.9 * 0.9).abs().max() < 0.03


def test_frozen_features_only_lose_tokens():
    x = torch.arange(1.0, 1 + 200 * 20).reshape(200, 20, 1).half()
    mask = torch.arange(20) < torch.tensor([20, 15])[:, None].repeat(100, 1)
    out, there = drop_tokens(x, mask, share=0.25, generator=generator())
    assert out.dtype == torch.float16
    count = int(mask.sum())
    assert abs(int(there.sum()) - 0.75 * count) < 4 * (count * 0.75 * 0.25) ** 0.5
    assert (out[~there] == 0).all()
    for row, own, length in zip(out, x, there.sum(1), strict=True):
        kept = row[:length, 0].tolist()
        assert kept == sorted(kept) and set(kept) <= set(own[:, 0].tolist())


def test_a_batch_is_changed_as_it_can_be():
    ids, mask = captions(20)
    texts, there = augment_texts(
        ids, mask, how="words", share=0.5, marks=MARKS, generator=generator(1)
    )
    assert torch.equal(texts, of(ids, mask, share=0.5, seed=1)[0])
    texts, _ = augment_texts(
        ids, mask, how="caption", share=0.5, marks=MARKS, generator=generator(1)
    )
    assert (texts == 1).any() and not (texts == 2).any()
    features = ids[..., None].float()
    x, there = augment_texts(
        features, mask, how="words", share=0.5, marks=None, generator=generator(1)
    )
    assert x.dim() == 3 and there.sum() < mask.sum()


def test_the_same_generator_gives_the_same_captions():
    ids, mask = captions(20)
    assert torch.equal(of(ids, mask, seed=3)[0], of(ids, mask, seed=3)[0])
    assert not torch.equal(of(ids, mask, seed=3)[0], of(ids, mask, seed=4)[0])


def test_no_texts_stay_none():
    ids = torch.zeros(0, 0, dtype=torch.int64)
    out, there = of(ids, ids.bool())
    assert (out.shape, there.shape) == ((0, 0), (0, 0))
