"""What makes two training pictures similar."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetwise.data import Collection
from facetwise.data.synthetic import shapes as drawn
from facetwise.errors import InputError
from facetwise.models import PANConfig
from facetwise.training.material import Material
from facetwise.training.outfit_batches import OutfitPairs
from facetwise.training.pair_batches import ClassPairs
from facetwise.training.positives import (
    chosen_positives,
    classes_of,
    labellings_of,
    pair_batches,
    with_types,
)
from facetwise.training.recipe import PairTraining

N = 48


def material(path, outfits=None, group=False, attributes=True):
    items = list(drawn(N))
    for place, item in enumerate(items):
        items[place] = replace(
            item,
            outfits=() if outfits is None else outfits(place),
            group=item.group if group else None,
            attributes=item.attributes if attributes else {},
        )
    collection = Collection.create(path / "a.collection", items)
    return Material.of(collection, range(N), ["en"], seed=0)


@pytest.fixture(scope="module")
def worn(tmp_path_factory):
    """Twelve outfits of four items, and groups and attributes, too."""
    return material(tmp_path_factory.mktemp("worn"), lambda place: (f"o{place % 12}",), group=True)


def test_outfits_come_first_where_half_of_the_items_are_in_one(worn):
    assert chosen_positives(PairTraining(), worn) == "outfit"
    assert labellings_of(PairTraining(), worn) == []
    assert [list(own) for own in worn.outfits] == sorted(
        [[k, k + 12, k + 24, k + 36] for k in range(12)], key=lambda own: f"o{own[0]}"
    )
    assert isinstance(pair_batches(PairTraining(), worn, seed=0), OutfitPairs)


def test_groups_and_attributes_can_be_asked_for(worn):
    group, attribute = (PairTraining(positives=name) for name in ("group", "attribute"))
    assert torch.equal(labellings_of(group, worn)[0], worn.by_group)
    assert len(labellings_of(attribute, worn)) == len(worn.by_attribute) > 1
    assert isinstance(pair_batches(group, worn, seed=0), ClassPairs)


def test_a_start_is_told_groups_or_outfits_but_no_attribute_that_takes_turns(worn):
    group, attribute = (PairTraining(positives=name) for name in ("group", "attribute"))
    assert torch.equal(classes_of(group, worn), worn.by_group)
    assert classes_of(attribute, worn) is None
    labels = classes_of(PairTraining(), worn)  # outfits
    assert len(labels.unique()) == 12
    for number, own in enumerate(worn.outfits):
        assert (labels[list(own)] == number).all()


def test_of_several_outfits_the_first_is_an_items_class_and_without_any_it_has_none(tmp_path):
    """Items 0 to 23 are in an outfit of three, every eighth of them in another one, too."""
    names = ["a", "b", "c", "d", "e", "f", "g", "h"]
    worn = material(
        tmp_path,
        lambda place: (
            () if place >= 24 else (names[place // 3], *(["last"] if place % 8 == 0 else []))
        ),
    )
    labels = classes_of(PairTraining(positives="outfit"), worn)
    assert labels[:24].tolist() == [place // 3 for place in range(24)]
    assert (labels[24:] == -1).all()


def test_few_outfits_are_used_only_where_there_is_nothing_else(tmp_path):
    few = material(tmp_path / "1", lambda place: (f"o{place % 4}",) if place < 16 else ())
    assert chosen_positives(PairTraining(), few) == "attribute"
    nothing_else = material(
        tmp_path / "2", lambda place: (f"o{place % 4}",) if place < 16 else (), attributes=False
    )
    assert chosen_positives(PairTraining(), nothing_else) == "outfit"
    assert nothing_else.has_labels and not nothing_else.labellings


def test_what_is_not_there_cannot_be_asked_for(tmp_path):
    bare = material(tmp_path)
    with pytest.raises(InputError, match=r'positives = "outfit".*there is "attribute"'):
        chosen_positives(PairTraining(positives="outfit"), bare)
    with pytest.raises(InputError, match='negatives = "type"'):
        pair_batches(PairTraining(negatives="type"), bare, seed=0)


def test_negatives_of_outfits_are_of_the_type_that_questions_use(worn):
    batch = pair_batches(PairTraining(), worn, seed=0).batch(0)
    assert len(batch.types.unique()) > 1 and (batch.y == -1).any()
    anything = pair_batches(PairTraining(negatives="any"), worn, seed=0).batch(0)
    assert anything.types is None and not (anything.y == -1).any()


def test_types_that_the_model_knows_go_first(worn):
    types = torch.arange(N) % 2
    batch = pair_batches(PairTraining(), worn, types, seed=0).batch(0)
    assert torch.equal(batch.types, types[batch.rows])


def test_auto_types_are_found_by_name(worn):
    config = with_types(PANConfig(types="auto"), worn)
    assert config.types in (*worn.collection.attribute_groups, "group")
    assert with_types(PANConfig(), worn).types == ""


def test_items_with_one_picture_are_one(tmp_path):
    items = [replace(item, outfits=(f"o{k % 6}",)) for k, item in enumerate(drawn(24))]
    items[7] = replace(items[7], image=items[0].image)
    collection = Collection.create(tmp_path / "a.collection", items)
    outfits = Material.of(collection, range(24), ["en"], seed=0).outfits
    assert (0, 6, 12, 18) in outfits and (0, 1, 13, 19) in outfits
