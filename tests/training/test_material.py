"""What there is to learn from in a collection."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetwise.data import AttributeTable, Collection
from facetwise.data.synthetic import shapes as drawn
from facetwise.training.material import Material, languages_of, teachable_groups


def table(*columns, groups=None):
    """An attribute table with a group of one value for each column of states."""
    groups = groups or tuple("abcdefgh"[: len(columns)])
    return AttributeTable(
        groups=tuple(groups),
        kinds=("flag",) * len(columns),
        names=tuple(groups),
        group_index=torch.arange(len(columns)),
        states=torch.tensor(columns, dtype=torch.int8).T.contiguous(),
    )


def test_groups_where_all_agree_or_nothing_is_known_are_not_taught():
    half, never, always, unknown = [0, 1] * 50, [0] * 100, [1] * 100, [-1] * 100
    rare = [1] + [0] * 99  # 2 of 100 pairs differ
    attributes = table(half, never, always, unknown, rare)
    assert teachable_groups(attributes, 0) == ["a", "e"]
    assert teachable_groups(attributes, 0) == teachable_groups(attributes, 0)


def test_of_too_many_groups_those_with_most_labels_are_taught_in_their_order():
    half, sparse = [0, 1] * 50, [0, 1] * 10 + [-1] * 80
    attributes = table(sparse, half, sparse, half)
    assert teachable_groups(attributes, 0, most=2) == ["b", "d"]
    assert len(teachable_groups(attributes, 0, most=3)) == 3


@pytest.mark.parametrize("n", [0, 1])
def test_one_item_teaches_nothing(n):
    assert teachable_groups(table([1] * n), 0) == []


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    items = [
        replace(item, texts=(*item.texts, "ein Kreis", " "), languages=("en", "", "de", "en"))
        for item in drawn(60)
    ]
    return Collection.create(tmp_path_factory.mktemp("material") / "a.collection", items)


def test_languages_are_chosen_and_blanks_left_out(collection):
    (english,) = languages_of(collection, [3], ["en"])
    (german,) = languages_of(collection, [3], ["de"])
    (every,) = languages_of(collection, [3], [])
    assert len(english) == 2  # without a language, a text is taken
    assert german == [english[1], "ein Kreis"]
    assert every == [*english, "ein Kreis"]


def test_groups_are_the_labels_where_there_are_enough(collection):
    material = Material.of(collection, range(60), ["en"], seed=0)
    (labels,) = material.labellings
    same = [[a == b for b in collection.groups] for a in collection.groups]
    assert torch.equal(labels[:, None] == labels, torch.tensor(same))
    assert material.has_texts and material.has_labels
    assert material.attributes.groups == collection.attribute_groups


def test_without_groups_each_attribute_is_a_labelling(tmp_path):
    items = [replace(item, group=None) for item in drawn(60)]
    collection = Collection.create(tmp_path / "a.collection", items)
    material = Material.of(collection, range(60), ["en"], seed=0)
    assert len(material.labellings) == 5
    shape, colour, _, background, outlined = material.labellings
    table = collection.table(["shape", "colour", "background", "outlined"]).to_pylist()
    shapes = [row["shape"] for row in table]
    assert torch.equal(
        shape[:, None] == shape, torch.tensor([[a == b for b in shapes] for a in shapes])
    )
    # items with several values, or with an unknown one, are in no class of the labelling
    assert (colour >= 0).tolist() == [len(row["colour"]) == 1 for row in table]
    assert (background >= 0).tolist() == [row["background"] is not None for row in table]
    assert outlined.tolist() == [int(row["outlined"]) for row in table]


def test_only_taught_groups_are_kept_with_their_states(collection):
    rows = [
        row
        for row, shape in enumerate(collection.table(["shape"])["shape"].to_pylist())
        if shape == "circle"
    ]  # all circles: nothing to learn of shapes
    material = Material.of(collection, rows, ["en"], seed=0)
    kept = material.attributes
    assert "shape" not in kept.groups and "colour" in kept.groups
    whole = collection.attributes.rows(torch.tensor(rows))
    for group in kept.groups:
        assert kept.values(group) == whole.values(group)
        assert torch.equal(kept.states[:, kept.slices[group]], whole.states[:, whole.slices[group]])


def test_the_fingerprint_is_of_what_is_learned_from(collection, tmp_path):
    def of(rows=range(60), languages=("en",), seed=0, where=collection):
        return Material.of(where, rows, languages, seed).fingerprint

    assert of() == of()
    assert len({of(), of(range(59)), of(languages=("de",)), of(range(59, -1, -1))}) == 4
    changes = [
        {"texts": ("other",)},
        {"group": "other"},
        {"attributes": {}},
        {"image": next(drawn(1, seed=9)).image},
    ]
    prints = {of()}
    for number, change in enumerate(changes):
        items = list(drawn(60))
        items[30] = replace(items[30], **change)
        prints.add(of(where=Collection.create(tmp_path / f"{number}.collection", items)))
    assert len(prints) == 5


def test_variants_of_one_thing_are_drawn_less_often(collection):
    material = Material.of(collection, range(60), ["en"], seed=0)
    alone = [[row] for row in range(60)]
    assert torch.allclose(material.cluster_weights(alone), torch.full((60,), 2**-0.5))


def test_what_shares_a_text_or_a_file_is_a_cluster(tmp_path):
    a, b, c, d, e = drawn(5)
    items = [a, replace(b, image=a.image), replace(c, texts=(d.texts[0].upper(),)), d, e]
    items[4] = replace(e, texts=(), image=a.image)
    collection = Collection.create(tmp_path / "a.collection", items)
    material = Material.of(collection, range(5), ["en"], seed=0)
    assert material.clusters == [[0, 1], [2, 3]]
    assert (material.distinct_texts, material.has_texts) == (2, False)
