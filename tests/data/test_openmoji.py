"""OpenMoji's drawings as items: what is one thing, and what is known of it."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from facetwise.data import openmoji
from facetwise.data.emoji_words import known, names, plain
from facetwise.data.openmoji import concept, drawings, items, only_lines, palette


@pytest.fixture(scope="module")
def all_drawings():
    return {drawing.code: drawing for drawing in drawings()}


@pytest.mark.parametrize(
    ("code", "thing", "tones", "gender"),
    [
        ("1F34E", "1F34E", (), None),
        ("1F469-1F3FD-200D-1F3EB", "1F9D1-200D-1F3EB", ("medium",), "woman"),
        ("1F9D1-200D-1F3EB", "1F9D1-200D-1F3EB", (), "person"),
        ("1F3C3", "1F3C3", (), None),
        ("1F3C3-1F3FF-200D-2642-FE0F-200D-27A1-FE0F", "1F3C3", ("dark",), "man"),
        ("1F3CB-FE0F-200D-2640-FE0F", "1F3CB", (), "woman"),
        ("1F475", "1F9D3", (), "woman"),
        ("1F934-1F3FB", "1FAC5", ("light",), "man"),
        ("1F469-200D-2764-FE0F-200D-1F468", "1F491", (), "person"),
        ("1F468-1F3FB-200D-2764-FE0F-200D-1F468-1F3FC", "1F491", ("light", "medium-light"), "man"),
        ("1F491-1F3FB", "1F491", ("light",), None),
        ("1F46C", "1F9D1-200D-1F91D-200D-1F9D1", (), "man"),
        ("1F46B-1F3FB", "1F9D1-200D-1F91D-200D-1F9D1", ("light",), "person"),
        ("1FAF1-1F3FB-200D-1FAF2-1F3FC", "1F91D", ("light", "medium-light"), None),
        # alone, a sign or a tone is a thing of its own
        ("2640", "2640", (), None),
        ("27A1", "27A1", (), None),
        ("1F3FB", "1F3FB", (), None),
    ],
)
def test_the_thing_its_tones_and_its_gender(code, thing, tones, gender):
    assert concept(code) == (thing, tones, gender)


SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72"><g id="line">'
    '<path stroke="#d22f27"/></g><g id="color"><path fill="#EA5A47"/><g style="fill:#92d3f5;'
    'stroke: #000"><path/></g></g><g id="hair"><path fill="#a57939"/></g><g id="skin">'
    '<path fill="#fcea2b"/></g><g id="line-supplement"><path fill="#5c9e31"/></g>'
    '<g id="color-foreground"><path fill="none" stroke="#8967aa"/><path fill="#123456"/></g></svg>'
)


def test_the_palette_is_of_all_colour_groups_and_of_nothing_else():
    assert palette(SVG) == ("black", "blue", "purple", "red")
    assert palette('<svg><g id="color"/><g id="line"><path fill="#000"/></g></svg>') == ()


def test_only_lines_keeps_the_lines():
    svg = only_lines(SVG)
    assert "line-supplement" in svg and 'viewBox="0 0 72 72"' in svg
    assert not any(gone in svg for gone in ('"color"', "hair", "skin", "color-foreground"))
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    with pytest.raises(ValueError, match="no group whose id begins with 'line'"):
        only_lines('<svg><g id="color"/></svg>')


def test_real_drawings_have_their_colours(all_drawings):
    assert "red" in palette(all_drawings["1F34E"].svg)
    assert palette(all_drawings["1F499"].svg) == ("blue",)
    # here the colour group stands behind others
    assert set(palette(all_drawings["1F170"].svg)) == {"red", "white"}


def test_every_drawing_has_a_readable_concept_and_a_name(all_drawings):
    assert len(all_drawings) > 3500
    for drawing in all_drawings.values():
        label, _, code = drawing.concept.rpartition(" (")
        assert label and not re.fullmatch("[0-9A-F-]{4,}", label), drawing.code
        assert code.rstrip(")") == concept(drawing.code)[0]
        assert drawing.names[0][0] == "en"
        assert len(set(drawing.names)) == len(drawing.names)


def test_sequences_have_their_concepts_category(all_drawings):
    couple, hands = "1F9D1-1F3FB-200D-2764-FE0F-200D-1F9D1-1F3FC", "1F468-1F3FB-200D-1F91D-200D-"
    for code in (couple, f"{hands}1F468-1F3FC"):
        assert all_drawings[code].category == "People & Body"
    unknown = [drawing for drawing in all_drawings.values() if not drawing.category]
    assert len(unknown) < 30  # newer than the tables
    assert not any("200D" in drawing.code for drawing in unknown)


def test_flags_are_left_out(all_drawings):
    assert not {"1F1E9-1F1EA", "1F3F4", "1F3F3-FE0F-200D-1F308", "1F3C1"} & set(all_drawings)


def test_gender_is_known_where_it_makes_sense(all_drawings):
    gender = {code: drawing.gender for code, drawing in all_drawings.items()}
    assert gender["1F46E"] == gender["1F9D1-200D-1F3EB"] == gender["1F491"] == "person"
    assert gender["1F46E-200D-2640-FE0F"] == gender["1F469-200D-1F3EB"] == "woman"
    assert gender["1F34E"] is None
    by_concept = {}
    for drawing in all_drawings.values():
        by_concept.setdefault(drawing.concept, set()).add(drawing.gender)
    assert [c for c, found in by_concept.items() if None in found and len(found) > 1] == []


def test_skin_is_yellow_where_it_could_be_otherwise(all_drawings):
    skin = {code: drawing.skin for code, drawing in all_drawings.items()}
    assert skin["1F44D"] == ("yellow",)
    assert skin["1F44D-1F3FF"] == ("dark",)
    assert skin["1F9D1-1F3FB-200D-1F91D-200D-1F9D1-1F3FF"] == ("light", "dark")
    assert skin["1F34E"] is skin["1F600"] is None  # no skin, and none that has tones


def test_names_are_of_the_drawing_itself(all_drawings):
    assert ("en", "red apple") in all_drawings["1F34E"].names
    assert ("de", "roter apfel") in all_drawings["1F34E"].names
    police, thumb = (
        [name for language, name in all_drawings[code].names if language == "en"]
        for code in ("1F46E-200D-2640-FE0F", "1F44D-1F3FF")
    )
    assert "woman police officer" in police and "cop" not in police
    assert all("dark" in name for name in thumb)


def test_the_words_are_keyed_by_plain_codes():
    assert plain("2764-FE0F") == "2764"
    assert dict(names()["2764"])["fr"] == "cœur rouge"
    assert known()["1F34E"].category == "Food & Drink"
    assert not any("FE0F" in code for code in (*names(), *known()))


@pytest.fixture
def few(monkeypatch, all_drawings):
    """The items of some drawings, by id."""

    def made(*codes, **options):
        chosen = [d for code, d in all_drawings.items() if code in codes]
        monkeypatch.setattr(openmoji, "drawings", lambda: iter(chosen))
        return {item.id: item for item in items(pixels=32, **options)}

    return made


def test_a_drawing_is_a_colour_picture_and_a_line_picture(few):
    found = few("1F34E", "1F44D", "1F44D-1F3FF")
    assert set(found) == {
        *("1F34E/colour", "1F34E/line", "1F44D/colour", "1F44D/line", "1F44D-1F3FF/colour")
    }
    apple, line = found["1F34E/colour"], found["1F34E/line"]
    assert Image.open(io.BytesIO(apple.image)).size == (32, 32)
    assert apple.group == line.group == "red apple (1F34E)"
    assert "red" in apple.attributes["colour"]
    assert (apple.attributes["style"], line.attributes["style"]) == ("colour", "line")
    # a line picture shows no colour and no skin: they are unknown, not absent
    assert line.attributes["colour"] is line.attributes["skin"] is None
    assert found["1F44D/line"].attributes["skin"] is None
    assert len(apple.texts) == len(apple.languages) > 10


def test_languages_may_be_chosen(few):
    apple = few("1F34E", languages=("de",))["1F34E/colour"]
    assert (apple.texts, apple.languages) == (("roter apfel",), ("de",))


def test_pictures_that_are_the_same_are_one_item(few):
    found = few("1F300", "1F468-200D-1F33E", "1F9D1-200D-1F33E", "1F469-200D-1F33E")
    # a drawing without colour: line and colour picture are one, and its style is neither
    assert found["1F300/colour"].attributes["style"] is None
    # drawn alike as a man and as a person: both names, and the gender is unknown
    farmer = found["1F468-200D-1F33E/colour"]
    assert {"man farmer", "farmer"} <= set(farmer.texts)
    assert farmer.attributes["gender"] is None
    assert farmer.attributes["skin"] == ("yellow",)
    assert found["1F469-200D-1F33E/colour"].attributes["gender"] == "woman"
    assert len(found) == 5
    assert len({item.image for item in found.values()}) == 5


def test_the_same_items_in_the_same_order_every_time(few, all_drawings):
    codes = ("1F34E", "1F44D", "1F3C3", "1F3C3-200D-2640-FE0F")
    assert list(few(*codes).items()) == list(few(*codes).items())
    assert [drawing.code for drawing in drawings()] == list(all_drawings)
