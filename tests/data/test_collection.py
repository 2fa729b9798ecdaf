from __future__ import annotations

import errno
import tomllib

import pytest

from facetwise.data import Collection, Item, manifest, schema, writing
from facetwise.data.store import connect
from facetwise.errors import FacetwiseError, InputError, VersionError

from .conftest import colour, encoded


def thing(number, **more):
    return Item(f"t{number}", encoded(colour(number)), **more)


def things(n, **more):
    return (thing(number, **more) for number in range(n))


@pytest.fixture
def stored(tmp_path):
    items = [
        Item(
            f"t{n}",
            encoded(colour(n)),
            texts=(f"thing {n}", f"Ding {n}"),
            languages=("en", "de"),
            group=f"g{n // 2}",
            outfits=("o1",) if n < 2 else (),
            split="test" if n == 5 else None,
            attributes={"base colour": "red" if n % 2 else "blue", "tags": ("a", "it's")},
            extras={"year": 2010 + n},
        )
        for n in range(6)
    ]
    return Collection.create(tmp_path / "c.collection", items, name="six")


def test_gives_back_what_was_put_in(stored):
    again = Collection.open(stored.path)
    assert len(again) == 6
    assert again.name == "six"
    assert again.ids == [f"t{n}" for n in range(6)]
    assert again.texts[3] == ["thing 3", "Ding 3"]
    assert again.languages[3] == ["en", "de"]
    assert again.groups == ["g0", "g0", "g1", "g1", "g2", "g2"]
    assert again.outfits[:3] == [["o1"], ["o1"], []]
    assert again.splits == [None] * 5 + ["test"]
    assert again.attribute_groups == ("base colour", "tags")
    assert again.extras == ("year",)
    assert len(set(again.image_hashes)) == 6
    assert again.attributes.names == (
        "base colour=blue", "base colour=red", "tags=a", "tags=it's",
    )  # fmt: skip


def test_pictures_come_in_the_order_asked(stored):
    rows = [4, 0, 4, 2]
    assert stored.image_bytes(rows) == [encoded(colour(row)) for row in rows]
    assert [picture.getpixel((0, 0)) for picture in stored.images(rows)] == [
        colour(row) for row in rows
    ]
    assert stored.image_bytes([]) == []
    with pytest.raises(IndexError):
        stored.image_bytes([6])


def test_filters(stored):
    assert stored.rows("year > 2013") == [4, 5]
    assert stored.rows("`base colour` = 'red' AND year < 2014") == [1, 3]
    assert stored.rows("array_has(tags, 'it''s')") == list(range(6))
    assert stored.rows("id = 'a;b'") == []
    assert stored.table(["id", "year"], "year = 2011").to_pylist() == [{"id": "t1", "year": 2011}]
    assert "image" not in stored.table().column_names
    assert stored.row("t4") == 4


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("colour = 'red'", "'colour', which is no column.*`base colour`"),
        ("year >", "cannot be read"),
        ("year", "cannot be read"),
        ("year = 2011 nonsense follows", "cannot be read"),
        ("year = 2011; DROP TABLE items", "';'"),
        ("year = 2011) OR (year", "cannot be read"),
        ("  ", "empty"),
    ],
)
def test_a_wrong_filter_says_what_is_wrong(stored, where, says):
    with pytest.raises(InputError, match=says) as caught:
        stored.rows(where)
    assert "\n" not in str(caught.value)


def test_unknown_names_are_refused(stored):
    with pytest.raises(InputError, match="no column 'colours'; there are id, image"):
        stored.table(["colours"])
    with pytest.raises(InputError, match="no item with the id 't9'"):
        stored.row("t9")


def test_appending_and_deleting_are_one_commit_each(stored):
    before = stored.version
    stored.append([thing(6, texts=("seven",)), thing(7, attributes={"base colour": "red"})])
    assert stored.version == before + 1
    assert stored.ids[-2:] == ["t6", "t7"]
    assert stored.texts[6] == ["seven"]
    assert stored.delete("year < 2012") == 2
    assert stored.ids == [f"t{n}" for n in range(2, 8)]
    assert stored.image_bytes([0, 5]) == [encoded(colour(2)), encoded(colour(7))]
    assert Collection.open(stored.path).ids == stored.ids
    assert len(stored.attributes) == 6
    with pytest.raises(InputError, match="every item"):
        stored.delete("id IS NOT NULL")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (thing(3), "'t3' is taken"),
        (Item("new", b""), "empty"),
        (thing(9, attributes={"size": "L"}), "does not fit"),
    ],
)
def test_an_append_that_fails_changes_nothing(stored, bad, says):
    before = stored.version
    with pytest.raises(InputError, match=says):
        stored.append([thing(8), bad])
    assert (len(stored), stored.version) == (6, before)
    assert Collection.open(stored.path).ids == [f"t{n}" for n in range(6)]


def test_a_lenient_append_lists_what_it_left_out(stored):
    stored.append([thing(8), thing(3)], strict=False)
    assert stored.ids[-1] == "t8"
    assert [problem.id for problem in Collection.open(stored.path).skipped] == ["t3"]


def test_bad_items_are_left_out_and_listed(tmp_path):
    items = [
        thing(0),
        Item("empty", b"", file="a.csv", row=3),
        Item("none", None, file="a.csv", row=4),
        Item("", encoded(), file="a.csv", row=5),
        thing(0),
        Item("t0", encoded("blue"), file="a.csv", row=7),
        Item("x" * 501, encoded()),
        thing(1),
    ]
    collection = Collection.create(tmp_path / "c.collection", iter(items))
    assert collection.ids == ["t0", "t1"]
    kinds = [problem.kind for problem in collection.skipped]
    assert kinds == ["duplicate", "id", "image", "image", "id", "conflict"]
    assert collection.manifest.left_out["image"] == 2
    first, conflict = collection.skipped[2], collection.skipped[5]
    assert (first.file, first.row, first.id) == ("a.csv", 3, "empty")
    assert str(first).startswith("a.csv row 3 (id 'empty'): the picture is empty")
    assert "'t0' is taken" in str(conflict)
    assert Collection.open(collection.path).skipped == collection.skipped


def test_problems_are_counted_in_full_and_listed_in_part(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "LISTED", 3)
    items = [thing(0), *(Item(f"e{n}", b"") for n in range(5))]
    collection = Collection.create(tmp_path / "c.collection", items)
    assert [problem.id for problem in collection.skipped] == ["e0", "e1", "e2"]
    assert collection.manifest.left_out == {"image": 5}
    collection.append([Item("e9", b""), thing(1)], strict=False)
    assert Collection.open(collection.path).manifest.left_out == {"image": 6}


@pytest.mark.parametrize("bad", [Item("e", b""), Item("n", None), Item("", encoded()), thing(0)])
def test_strict_refuses_a_bad_item_and_writes_nothing(tmp_path, bad):
    with pytest.raises(InputError):
        Collection.create(tmp_path / "c.collection", [thing(0), bad], strict=True)
    assert list(tmp_path.iterdir()) == []


def test_texts_are_bounded_and_splits_are_told_apart(tmp_path):
    items = [
        thing(0, texts=("x" * 20_000, "  ", " short "), languages=("de", "fr"), split="Training"),
        thing(1, split="dev"),
        thing(2, split="holdout"),
    ]
    collection = Collection.create(tmp_path / "c.collection", items)
    assert [len(text) for text in collection.texts[0]] == [writing.MAX_TEXT, 5]
    assert collection.languages[0] == ["de", "en"]
    assert collection.splits == ["train", "val", None]
    assert [note.kind for note in collection.notes] == ["text", "split"]


def test_no_items_at_all(tmp_path):
    with pytest.raises(InputError, match="no items"):
        Collection.create(tmp_path / "c.collection", [])
    with pytest.raises(InputError, match=r"no items to keep .*the picture is empty"):
        Collection.create(tmp_path / "c.collection", [Item("a", b"")])
    assert list(tmp_path.iterdir()) == []


def test_columns_may_come_and_widen_in_later_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "BATCH", 2)
    items = [
        thing(0, attributes={"a": "x"}),
        thing(1, attributes={"a": None}),
        thing(2, attributes={"a": ("y", "z"), "b": True}),
        thing(3),
        thing(4, extras={"n": 2}),
    ]
    collection = Collection.create(tmp_path / "c.collection", items)
    assert collection.ids == [f"t{n}" for n in range(5)]
    rows = collection.table(["a", "b", "n"]).to_pylist()
    assert [row["a"] for row in rows] == [["x"], None, ["y", "z"], None, None]
    assert [row["b"] for row in rows] == [None, None, True, None, None]
    assert rows[4]["n"] == 2
    assert [path.name for path in collection.path.glob("*.lance")] == ["items.lance"]
    assert collection.image_bytes([3]) == [encoded(colour(3))]


def test_an_existing_target_is_replaced_only_when_asked(stored):
    with pytest.raises(InputError, match="exists already"):
        Collection.create(stored.path, things(2))
    cache = connect(stored.path).create_table("features-x", [{"key": "k", "value": 1.0}])
    cache.add([{"key": "l", "value": 2.0}])
    replaced = Collection.create(stored.path, things(2), overwrite=True)
    assert len(replaced) == 2
    assert connect(replaced.path).open_table("features-x").count_rows() == 2


def test_a_target_that_is_no_collection_is_never_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"dear to me")
    with pytest.raises(InputError, match="not made by facetwise"):
        Collection.create(tmp_path / "photos", things(2), overwrite=True)
    assert (tmp_path / "photos" / "a.jpg").read_bytes() == b"dear to me"


@pytest.mark.parametrize(
    ("failure", "raised", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), FacetwiseError, "disk is full"),
        (RuntimeError("lance error: IO: No space left on device (os error 28)"), FacetwiseError,
         "disk is full"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (ValueError("anything else"), ValueError, "anything"),
    ],
)  # fmt: skip
def test_a_failure_in_the_middle_leaves_the_old_collection(
    stored, monkeypatch, failure, raised, says
):
    monkeypatch.setattr(writing, "BATCH", 2)
    calls = []
    batch = schema.Columns.batch

    def failing(self, items):
        calls.append(len(items))
        if len(calls) == 3:
            raise failure
        return batch(self, items)

    monkeypatch.setattr(schema.Columns, "batch", failing)
    with pytest.raises(raised, match=says):
        Collection.create(stored.path, things(9), overwrite=True)
    assert calls == [2, 2, 2]
    again = Collection.open(stored.path)
    assert again.ids == [f"t{n}" for n in range(6)]
    assert again.image_bytes([5]) == [encoded(colour(5))]
    assert [path.name for path in stored.path.parent.iterdir()] == [stored.path.name]


def test_an_interrupt_among_the_items_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "BATCH", 2)

    def interrupted():
        yield from things(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Collection.create(tmp_path / "c.collection", interrupted())
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_never_all_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "BATCH", 3)
    asked = []
    written = []
    batch = schema.Columns.batch

    def watching(self, items):
        written.append(len(items))
        assert len(asked) - sum(written[:-1]) <= 3
        return batch(self, items)

    monkeypatch.setattr(schema.Columns, "batch", watching)

    def items():
        for item in things(10):
            asked.append(item.id)
            yield item

    Collection.create(tmp_path / "c.collection", items())
    assert written == [3, 3, 3, 1]


def test_opening_what_is_no_collection(stored, tmp_path):
    with pytest.raises(InputError, match=r"does not exist.*facetwise data import"):
        Collection.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is no collection"):
        Collection.open(tmp_path)
    manifest = stored.path / "collection.toml"
    text = manifest.read_text()
    manifest.write_text(text.replace("format = 1", "format = 2"))
    with pytest.raises(VersionError, match="format 2, this facetwise reads up to 1; update"):
        Collection.open(stored.path)
    for damaged in ("format = 1", "format = [", 'format = "x"', "\udcff"):
        manifest.write_bytes(damaged.encode("utf-8", "surrogateescape"))
        with pytest.raises(InputError, match=r"make the collection again"):
            Collection.open(stored.path)


def test_a_collection_without_its_table(stored):
    (stored.path / "items.lance").rename(stored.path / "elsewhere.lance")
    with pytest.raises(InputError, match=r"no readable table items\.lance"):
        Collection.open(stored.path)


def test_the_manifest_is_plain_toml(stored):
    content = tomllib.loads((stored.path / "collection.toml").read_text())
    assert content["format"] == 1
    assert content["attributes"] == {"base colour": "one", "tags": "several"}
    assert content["extras"] == {"year": "number"}


def test_lance_is_silent(tmp_path, capfd):
    Collection.create(tmp_path / "c.collection", things(2)).rows("id = 't0'")
    assert capfd.readouterr().err == ""
