"""Explanations of a model whose conditions stand for single attributes."""

import pytest
import torch

from facetwise.data.synthetic import shapes_collection
from facetwise.encoders import EncoderConfig, Encoders, image_features
from facetwise.models import PAN, Model, PANConfig, Taught
from facetwise.models.conditions import attribute_conditions
from facetwise.search import Index

NAMES = ("shape=circle", "colour=red", "outlined")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return shapes_collection(tmp_path_factory.mktemp("why") / "s.collection", n=40)


@pytest.fixture(scope="module")
def index(shapes, tmp_path_factory):
    g = torch.Generator().manual_seed(0)
    encoders = Encoders(EncoderConfig(pixels=32, components=16))
    groups = [name.split("=")[0] for name in NAMES]
    taught = Taught(attribute_conditions(NAMES, groups, "and"))
    pan = PAN(PANConfig(taught="attributes", combine="and", free=1, width=4), taught, g)
    features = image_features(shapes, encoders.images, range(len(shapes)))
    pan.fit_statistics(features.pooled, generator=g)
    model = Model(encoders, sets=None, pairs=pan, name="attributes")
    return Index.build(model, shapes, tmp_path_factory.mktemp("index") / "s.index")


def facets_of(why):
    return {facet.name: facet for facet in why.facets}


def test_values_of_a_single_attribute_are_whether_it_is_had(index, shapes):
    why = facets_of(index.explain(index.item(shapes.ids[0]), shapes.ids[1]))
    table = shapes.attributes
    for name in NAMES[:2]:
        column = table.names.index(name)
        told = ["yes" if table.states[row, column] == 1 else "no" for row in (0, 1)]
        assert [why[name].query_value, why[name].item_value] == told
        assert why[name].single
    assert not why["outlined"].single  # a flag is its own group, with its own yes and no
    assert why["outlined"].query_value in ("yes", "no")
    assert why["free 1"].says is None


def test_of_a_strange_picture_single_attributes_are_not_guessed(index, shapes):
    strange = shapes.images([0])[0].rotate(30)
    why = facets_of(index.explain(strange, shapes.ids[1]))
    assert why["colour=red"].query_value is None
    assert not why["colour=red"].guessed
    assert why["colour=red"].told[1] in ("likely both have it", "likely not both")


def test_one_factor_weighs_all_conditions_of_a_group(index, shapes):
    why = facets_of(index.explain(index.item(shapes.ids[0]), shapes.ids[1], weigh={"colour": 3}))
    assert why["colour=red"].factor == 3
    assert why["shape=circle"].factor == 1
