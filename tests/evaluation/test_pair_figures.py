import math

import pytest
import torch

from facetwise.data.synthetic import shapes_collection
from facetwise.encoders import EncoderConfig, Encoders, image_features
from facetwise.evaluation.image_image import agreement
from facetwise.evaluation.pair_figures import pair_figures
from facetwise.models import PAN, PANConfig, Siamese, SiameseConfig, Taught


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A collection of shapes, its features, and groups to find."""
    collection = shapes_collection(tmp_path_factory.mktemp("figures") / "s.collection", n=30)
    encoders = Encoders(EncoderConfig(pixels=32, components=16))
    features = image_features(collection, encoders.images, range(len(collection)))
    return collection, features, torch.arange(30) % 6


def measured(shapes, kind, config, taught=Taught(), groups=None):
    collection, features, labels = shapes
    g = torch.Generator().manual_seed(0)
    pan = kind(config, taught, g)
    pan.fit_statistics(features.pooled, generator=g)
    pan.eval().requires_grad_(False)
    h = pan.embed(pan.prepare(features))
    labels = labels if groups is None else groups
    return pan, h, pair_figures(pan, collection, range(len(h)), features, h, labels)


def test_conditions_for_groups_have_curves_relevance_and_explanations(shapes):
    taught = Taught.groups(["shape", "colour"])
    pan, h, figures = measured(shapes, PAN, PANConfig(width=4), taught)
    found = figures.to_dict()
    assert set(found["steering"]) == set(found["agreement@10"]) == {"shape", "colour"}
    for group, own in found["agreement@10"].items():
        curve = found["steering"][group]
        at = dict(zip(curve["weights"], curve["agreement@10"], strict=True))
        assert own["model"] == pytest.approx(at[1.0], abs=0.01)
        assert own["weighed_3"] == at[3.0]
    states = shapes[0].attributes.states[:, shapes[0].attributes.slices["colour"]]
    share = agreement(
        lambda q, g: pan.against(h[q], h[g]), (states == 1).float(), (states >= 0).any(1)
    )
    assert found["agreement@10"]["colour"]["model"] == pytest.approx(share, abs=0.01)
    assert set(found["relevance"]["weights"]) == {"shape", "colour", "free 1", "free 2"}
    assert set(found["explanations"]) == {"first answers", "random pairs"}
    assert "taught conditions" in " ".join(figures.lines())
    table = figures.agreement_table()
    assert table.row_count == 2
    assert [column.header for column in table.columns][-1] == "mAP@R at x 3"


def test_one_similarity_has_nothing_to_weigh_and_says_so(shapes):
    _, _, figures = measured(shapes, Siamese, SiameseConfig(dim=8))
    found = figures.to_dict()
    assert not {"steering", "relevance", "explanations"} & set(found)
    assert found["control"]["head_cosine_map_at_r"] is None  # it is the head's cosine
    assert set(found["agreement@10"]) == set(shapes[0].attributes.groups)
    assert found["agreement@10"]["shape"]["weighed_3"] is None
    assert figures.lines() == [
        "one similarity, no conditions: nothing to weigh, nothing to explain by"
    ]
    assert [column.header for column in figures.agreement_table().columns] == [
        "",
        "frozen",
        "pair model",
    ]


def test_free_conditions_alone_have_relevance_and_no_curve(shapes):
    _, _, figures = measured(shapes, PAN, PANConfig(free=3, width=4))
    found = figures.to_dict()
    assert found["relevance"]["taught_mass"] == 0
    assert not {"steering", "explanations"} & set(found)
    assert "no condition was taught" in figures.lines()[0]


def test_items_without_groups_have_curves_without_a_cost(shapes):
    taught = Taught.groups(["shape"])
    nowhere = torch.full((30,), -1)
    _, _, figures = measured(shapes, PAN, PANConfig(width=4), taught, groups=nowhere)
    assert figures.found is None
    assert figures.to_dict()["steering"]["shape"]["map_at_r"] is None
    assert [column.header for column in figures.agreement_table().columns][-1] == "x 10"
    assert math.isnan(figures.steering[0].cost(3.0))
