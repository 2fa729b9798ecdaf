from __future__ import annotations

import pytest

from facetwise.data.columns import guess_roles, profile
from facetwise.data.pictures import PictureFolder
from facetwise.data.tables import read_table
from facetwise.errors import InputError

HEADER = "id,gender,baseColour,year,link,productDisplayName"


def guess(shop, name="styles.csv", **given):
    table = read_table(shop.root / name)
    return guess_roles(table, profile(table)[0], PictureFolder(shop.root), given)


def fashion(shop, n=12):
    lines = [
        f"{100 + i},{('Men', 'Women')[i % 2]},{('Red', 'Blue', 'NA')[i % 3]},{2010 + i % 3},"
        f"http://example.org/{i},Some Brand {i} Shirt"
        for i in range(n)
    ]
    shop.pictures(*(f"images/{100 + i}.jpg" for i in range(n)))
    shop.csv("\n".join([HEADER, *lines]))


def test_a_styles_csv_with_pictures_named_by_id(shop):
    fashion(shop)
    roles = guess(shop)
    assert roles.image == roles.id == "id"
    assert roles.texts == ("productDisplayName",)
    assert roles.attributes == ("gender", "baseColour")
    assert roles.group == ()
    assert roles.extras == ("year", "link")
    assert roles.numbers == {"year"}


def test_what_is_given_wins(shop):
    fashion(shop)
    roles = guess(
        shop, texts=["baseColour"], attributes="year, gender", group="gender,baseColour",
        image="images/{id}.jpg",
    )  # fmt: skip
    assert roles.image == "images/{id}.jpg"
    assert roles.id == "id"
    assert roles.texts == ("baseColour",)
    assert roles.attributes == ("year", "gender")
    assert roles.group == ("gender", "baseColour")
    assert roles.extras == ("link", "productDisplayName")


def test_a_given_column_must_be_there(shop):
    fashion(shop)
    with pytest.raises(InputError, match=r"no column 'colour' \(given for group\); it has id, ge"):
        guess(shop, group="gender,colour")


def test_no_column_that_leads_to_pictures(shop):
    shop.csv("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"no column names the picture files .*--image COLUMN"):
        guess(shop)


def test_names_suffice_where_all_files_are_missing(shop):
    shop.csv("file_name,b\nx.jpg,2\ny.jpg,3\n")
    assert guess(shop).image == "file_name"


def test_several_texts_in_several_languages(shop):
    shop.pictures("a.jpg", "b.jpg", "c.jpg")
    shop.csv(
        "image,title,caption_de,notes\n"
        + "".join(f"{n}.jpg,Thing {n},Ding {n},a longer remark on {n} by hand\n" for n in "abc")
    )
    roles = guess(shop)
    assert roles.texts == ("title", "caption_de", "notes")
    assert roles.languages == {"caption_de": "de"}
    assert roles.id is None


def test_what_is_called_id_stays_the_id_where_some_are_repeated(shop):
    shop.pictures("images/1.jpg", "images/2.jpg", "images/3.jpg")
    shop.csv("id,title\n1,One thing\n2,Two things\n3,Three things\n3,Three things again\n")
    assert (guess(shop).id, guess(shop).image) == ("id", "id")
    shop.csv("id,photo,title\n1,1.jpg,One thing\n2,2.jpg,Two things\n2,3.jpg,Three things\n5,,\n")
    assert (guess(shop).id, guess(shop).image) == ("id", "photo")


def test_captions_with_several_rows_for_a_picture(shop):
    shop.pictures("Images/a.jpg", "Images/b.jpg")
    lines = [f"{n}.jpg,A sentence about {n} number {i} ." for n in "ab" for i in range(5)]
    shop.csv("image,caption\n" + "\n".join(lines))
    roles = guess(shop)
    assert (roles.image, roles.id, roles.texts) == ("image", None, ("caption",))


def test_lists_flags_splits_outfits_and_groups(shop):
    shop.pictures(*(f"{n}.jpg" for n in range(8)))
    shop.jsonl(*(
        {
            "sku": f"s{n}", "file": f"{n}.jpg", "tags": ["a", "b"][: n % 3], "on_sale": n % 2 == 0,
            "materials": ("wool|silk", "wool")[n % 2], "split": ("train", "test")[n % 2],
            "outfit_id": f"o{n // 4}", "product_group": n // 2, "price": n * 1.5, "species": "x",
        }
        for n in range(8)
    ))  # fmt: skip
    roles = guess(shop, "styles.jsonl")
    assert (roles.id, roles.image, roles.split, roles.outfit) == (
        "sku",
        "file",
        "split",
        "outfit_id",
    )
    assert roles.attributes == ("tags", "on_sale", "materials")
    assert roles.flags == {"on_sale"}
    assert roles.separators == {"materials": "|"}
    assert roles.extras == ("product_group", "price", "species")
    assert guess(shop, "styles.jsonl", group="product_group").group == ("product_group",)


def test_years_that_happen_to_be_names_of_pictures(shop):
    shop.pictures(*(f"images/{n}.jpg" for n in range(2005, 2025)))
    shop.csv("year,key\n" + "".join(f"{2010 + n % 3},{n}\n" for n in range(2005, 2025)))
    assert guess(shop).image == "key"
