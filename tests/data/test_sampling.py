"""What a training step sees depends on the seed and the step alone."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.data.sampling import ClassBatches, TextBatches, clusters_by_text, generator_of


def test_generators_differ_by_seed_and_step():
    draws = {
        (seed, step): tuple(torch.randint(2**31, (3,), generator=generator_of(seed, step)).tolist())
        for seed in (-2, -1, 0, 1, 7)
        for step in (-5, -1, 0, 1, 2, 999)
    }
    assert len(set(draws.values())) == len(draws)
    again = torch.randint(2**31, (3,), generator=generator_of(7, 2)).tolist()
    assert tuple(again) == draws[7, 2]


def test_clusters_join_through_others():
    texts = [["a", "b"], ["c"], ["d", "c"], ["b", "d"], [], ["e"], []]
    assert clusters_by_text(texts) == [[0, 1, 2, 3], [5]]
    assert clusters_by_text([]) == clusters_by_text([[], []]) == []


def test_case_and_blanks_make_no_other_text():
    assert clusters_by_text([["A Red  shoe"], ["a red shoe "], ["a red hat"]]) == [[0, 1], [2]]


@given(st.lists(st.lists(st.sampled_from("abcdefghijkl"), max_size=3), max_size=12))
def test_clusters_are_the_connected_parts(texts):
    clusters = clusters_by_text(texts)
    assert sorted(row for cluster in clusters for row in cluster) == [
        row for row, own in enumerate(texts) if own
    ]
    assert [cluster[0] for cluster in clusters] == sorted(cluster[0] for cluster in clusters)
    words = [{text for row in cluster for text in texts[row]} for cluster in clusters]
    assert sum(map(len, words)) == len(set().union(*words))  # no text in two clusters
    for cluster in clusters:  # and each cluster hangs together
        reached, left = set(texts[cluster[0]]), set(cluster[1:])
        while near := {row for row in left if reached & set(texts[row])}:
            left -= near
            reached |= {text for row in near for text in texts[row]}
        assert not left


TEXTS = [[0, 1, 2], [3], [4, 5], [3, 6], [7], [8, 9]]
CLUSTERS = [[0], [1, 3], [2], [4], [5]]


def text_batches(**options):
    return TextBatches(TEXTS, CLUSTERS, **{"items": 4, "seed": 5, **options})


def test_no_two_items_of_a_text_batch_share_a_text():
    for step in range(30):
        rows, texts, owner = text_batches(texts_per_item=2).batch(step)
        assert len(rows) == 4 and not {1, 3} <= set(rows.tolist())
        for text, place in zip(texts.tolist(), owner.tolist(), strict=True):
            assert text in TEXTS[int(rows[place])]
        assert len(texts.unique()) == len(texts)
        counts = torch.bincount(owner, minlength=4).tolist()
        assert counts == [min(2, len(TEXTS[row])) for row in rows.tolist()]


def test_a_text_batch_is_of_its_step():
    one, other = text_batches(), text_batches()
    other.batch(0)
    for a, b in zip(one.batch(3), other.batch(3), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.batch(3)[0], one.batch(4)[0])
    assert not all(map(torch.equal, one.batch(3), text_batches(seed=6).batch(3)))


def test_small_collections_give_small_batches():
    rows, texts, owner = text_batches(items=100).batch(0)
    assert len(rows) == len(texts) == len(owner) == 5


def test_every_item_and_text_gets_its_turn():
    seen = [text_batches(items=1).batch(step) for step in range(300)]
    assert {int(rows) for rows, _, _ in seen} == set(range(6))
    assert {int(texts) for _, texts, _ in seen} == set(range(10))


LABELS = torch.tensor([0, 0, 0, 1, 1, 2, -1, -1, 3, 3])


def class_batches(*labellings, **options):
    return ClassBatches(
        labellings or [LABELS], **{"classes": 2, "per_class": 2, "seed": 5, **options}
    )


def test_a_class_batch_has_classes_of_at_least_two():
    for step in range(30):
        rows, labels = class_batches().batch(step)
        assert len(rows) == 4 == len(rows.unique())
        assert not {5, 6, 7} & set(rows.tolist())  # alone in their class, or in none
        assert torch.equal(labels[:, None] == labels, LABELS[rows][:, None] == LABELS[rows])
        assert len(labels.unique()) == 2


def test_a_class_batch_is_of_its_step():
    other = class_batches()
    other.batch(0)
    for a, b in zip(class_batches().batch(7), other.batch(7), strict=True):
        assert torch.equal(a, b)
    assert not all(map(torch.equal, class_batches().batch(7), class_batches(seed=6).batch(7)))


def test_labellings_take_turns():
    halves = torch.tensor([0] * 5 + [1] * 5)
    batches = class_batches(LABELS, halves, classes=9, per_class=9)
    sizes = [len(batches.batch(step)[0]) for step in range(200)]
    assert set(sizes) == {7, 10}
    assert 70 < sizes.count(10) < 130


def test_labellings_that_tell_nothing_apart_are_left_out():
    assert not class_batches(torch.zeros(10, dtype=torch.long))
    assert not class_batches(torch.arange(10))
    assert not class_batches(torch.full((10,), -1))
    both = class_batches(torch.zeros(10, dtype=torch.long), LABELS)
    assert both and len(both.labellings) == 1
