import torch
from PIL import Image

from facetwise.explain import Explanation, Facet, Word
from facetwise.explain.picture import heat_map


def explanation(facets, **more):
    score = sum(f.contribution for f in facets)
    return Explanation("a red circle", "shape-1", "sets", score, score, 1, 1, tuple(facets), **more)


def slot(number, contribution, **more):
    return Facet(f"slot {number}", "slot", contribution, 0.9, 0.5, **more)


def test_the_region_looked_at_keeps_its_colour_and_the_rest_fades():
    picture = Image.new("RGB", (60, 60), (200, 0, 0))
    region = torch.zeros(6, 6)
    region[0, 0] = 1
    drawn = heat_map(picture, region)
    red, green, _ = drawn.getpixel((2, 2))
    assert red - green > 100
    red, green, _ = drawn.getpixel((57, 57))
    assert abs(red - green) < 20


def test_a_region_that_is_nearly_even_is_drawn_nearly_even():
    picture = Image.new("RGB", (8, 8), (200, 0, 0))
    region = torch.full((2, 2), 0.25)
    assert len(heat_map(picture, region).getcolors()) == 1
    region[0, 0] += 0.01
    low, high = heat_map(picture, region).convert("L").getextrema()
    assert high - low < 10
    heat_map(picture, torch.zeros(2, 2))


def test_the_picture_has_a_row_for_each_facet():
    two = explanation([slot(1, 0.6), slot(2, 0.3)]).to_image()
    three = explanation([slot(1, 0.6), slot(2, 0.3), slot(3, 0.1)]).to_image()
    assert three.width == two.width
    assert three.height - two.height == 2 * 58
    assert len(two.getcolors(1 << 24)) > 20  # bars and letters, not an empty page


def test_many_facets_end_in_one_row_for_the_others():
    many = explanation([slot(n, 0.1) for n in range(40)]).to_image()
    twelve = explanation([slot(n, 0.1) for n in range(12)]).to_image()
    assert many.size == twelve.size


def test_everything_at_once_is_drawn():
    region = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
    facets = [
        slot(1, 0.6, words=(Word("extraordinarily", 0.5), Word("red", 0.5)), region=region),
        slot(2, -0.1, region=region, query_region=region),
        Facet("colour", "condition", 0.2, 0.5, 0.4, 3.0, 0.1, query_value="a, b", item_value="b"),
        Facet("shape", "condition", 0.2, 0.5, 0.4, query_value=None, item_value="b", guessed=True),
        Facet("free 1", "condition", 0.0, 0.5, 0.0),
        Facet("size", "steering", 0.3, 0.5, 0.6, 2.0, 0.3),
    ]
    picture = Image.new("RGB", (30, 90), "red")
    drawn = explanation(
        facets,
        weigh={"colour": 3.0, "size": 2.0},
        item_texts=("a text that is far too long for the card that it stands in " * 3,),
        query_image=picture,
        item_image=picture,
    ).to_image()
    assert drawn.mode == "RGB"


def test_text_tells_the_facets_too():
    told = str(
        explanation([slot(1, 0.6, words=(Word("red", 1.0),)), slot(2, 0.4)], weigh={"size": 2.0})
    )
    assert "slot 1  +0.6000   60%  reads red" in told
    assert "without size x 2" in told
