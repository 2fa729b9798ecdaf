from __future__ import annotations

import time

import torch

from facetwise.data.synthetic import facet_world, shapes, shapes_collection


def test_shapes_are_a_real_collection_with_known_answers(shapes_120):
    assert len(shapes_120) == 120
    assert len(set(shapes_120.groups)) == 30
    assert shapes_120.manifest.attributes == {
        "shape": "one", "colour": "several", "size": "one", "background": "one",
        "outlined": "flag",
    }  # fmt: skip
    for item in shapes(120):
        short, sentence = item.texts
        assert short == item.group
        assert item.attributes["shape"] in sentence
        assert all(colour in sentence for colour in item.attributes["colour"])
    known = shapes_120.attributes.known()[:, 3]
    assert known.sum() == 108


def test_the_same_seed_draws_the_same_pictures(tmp_path):
    start = time.perf_counter()
    a, b = (shapes_collection(tmp_path / name, 24, seed=5) for name in ("a", "b"))
    assert time.perf_counter() - start < 5
    assert a.image_hashes == b.image_hashes
    assert [item.image for item in shapes(24, seed=6)] != [
        item.image for item in shapes(24, seed=5)
    ]


def test_the_background_is_what_it_says(shapes_120):
    grey = shapes_120.rows("background = 'grey'")[:5]
    assert {picture.getpixel((0, 0)) for picture in shapes_120.images(grey)} == {(190, 190, 190)}


def test_a_facet_world_can_be_read_back():
    generator = torch.Generator().manual_seed(1)
    world = facet_world(40, 3, {"colour": 4, "shape": 3}, 0.2, generator)
    assert world.features.shape == (120, 64)
    assert world.groups.tolist() == [n // 3 for n in range(120)]
    table = world.attributes
    assert table.names[:2] == ("colour=0", "colour=1")
    for group in table.groups:
        truth = table.states[:, table.slices[group]].argmax(dim=1)
        read = (world.features @ world.directions[group].T).argmax(dim=1)
        assert (read == truth).float().mean() > 0.9
    same = world.groups[:, None] == world.groups
    distance = torch.cdist(world.features, world.features)
    assert distance[same].max() < distance[~same].min()


def test_without_noise_all_views_are_equal():
    world = facet_world(3, 2, {"a": 2}, 0.0, torch.Generator().manual_seed(0), dim=8)
    assert torch.equal(world.features[::2], world.features[1::2])
