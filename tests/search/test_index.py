import io
import json
import math
import statistics
from itertools import pairwise

import pytest

from facetwise.errors import InputError
from facetwise.search import Hit, Index
from facetwise.similarity import smooth_chamfer, steer

TEXT = "a red circle on white"
ASKED = [
    ("text", {}),
    ("text", {"weigh": {"colour": 3}}),
    ("text", {"weigh": {"shape": 0, "outlined": 2.5, "background": 1}}),
    ("item", {}),
    ("item", {"weigh": {"colour": 3, "free 1": 0.5}}),
    ("item", {"using": "sets"}),
    ("item", {"using": "sets", "weigh": {"size": 2}}),
    ("picture", {}),
    ("picture", {"weigh": {"shape": 0.2}}),
    ("picture", {"using": "sets", "weigh": {"colour": 4}}),
]


def query(kind, index, collection):
    if kind == "text":
        return TEXT
    return index.item("shape-0003") if kind == "item" else collection.image_bytes([7])[0]


# -- searching ----------------------------------------------------------------------------------


def test_hits_are_the_best_of_a_slow_scan(index, model, collection):
    x = model.encode_texts([TEXT])
    y = model.embed_collection(collection, range(len(collection))).sets
    slow = {}
    for id, sets in zip(collection.ids, y, strict=True):
        c = (x[0] @ sets.T).tolist()
        rows = sum(math.log(sum(math.exp(16 * v) for v in row)) for row in c)
        columns = sum(math.log(sum(math.exp(16 * row[b]) for row in c)) for b in range(2))
        slow[id] = (rows + columns) / (2 * 16 * 2)
    expected = sorted(slow, key=lambda id: (-round(slow[id], 6), id))[:10]
    hits = index.search(TEXT)
    assert [hit.id for hit in hits] == expected
    assert [hit.score for hit in hits] == pytest.approx([slow[id] for id in expected], abs=2e-6)


def test_a_hit_is_plain_and_ranks_count_from_one(index):
    hits = index.search(TEXT, k=3)
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert all(type(hit.score) is float and hit.exact for hit in hits)
    assert json.dumps(hits[0].__dict__)
    assert isinstance(hits[0], Hit)


def test_there_are_at_most_as_many_hits_as_items_are_left(index):
    assert len(index.search(TEXT, k=1000)) == len(index) == 90
    left = index.search(TEXT, k=1000, where="shape = 'star' AND size = 'large'")
    assert 0 < len(left) < 30
    assert index.search(TEXT, where="shape = 'sofa'") == []


def test_equal_scores_are_ranked_by_id(index):
    hits = index.search("nothing that this model knows", k=90)
    assert any(a.score == b.score for a, b in pairwise(hits))
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.id))


@pytest.mark.parametrize("k", [0, -1, 2.0, True, None])
def test_k_is_a_whole_number_from_one(index, k):
    with pytest.raises(InputError, match="1 or more"):
        index.search(TEXT, k=k)


def test_a_picture_asks_the_pair_model_and_finds_itself(index, model, collection):
    data = collection.image_bytes([7])[0]
    hits = index.search(data, k=90)
    h = model.embed_collection(collection, range(90)).pairs
    slow = model.pair_scores(h[7].expand_as(h), h).score
    by_id = {hit.id: hit.score for hit in hits}
    assert [by_id[id] for id in collection.ids] == pytest.approx(slow.tolist(), abs=2e-6)
    assert hits == index.search(collection.images([7])[0], k=90)


def test_items_come_in_the_order_asked(index, collection):
    ids = [collection.ids[row] for row in (7, 3, 7, 60)]
    items = index.items(ids)
    assert [item.id for item in items] == ids
    for item, row in zip(items, (7, 3, 7, 60), strict=True):
        assert item.texts == tuple(collection.texts[row])
        assert item.thumbnail == index.item(item.id).thumbnail
    assert index.items([]) == []
    with pytest.raises(InputError, match="no item 'nowhere'"):
        index.items([ids[0], "nowhere"])


def test_an_item_as_query_is_like_its_picture_but_no_hit_itself(index, collection):
    item = index.item("shape-0007")
    assert item.texts == tuple(collection.texts[7])
    assert item.attributes["shape"] == "square"
    assert item.thumbnail == collection.image_bytes([7])[0]  # small already, so kept as it is
    hits = index.search(item, k=90)
    by_picture = index.search(collection.image_bytes([7])[0], k=90)
    assert [hit.id for hit in hits] == [hit.id for hit in by_picture if hit.id != "shape-0007"]


# -- filtering ----------------------------------------------------------------------------------


def test_where_leaves_the_scores_as_they_are(index, collection):
    everything = {hit.id: hit.score for hit in index.search(TEXT, k=90)}
    hits = index.search(TEXT, k=90, where="array_has(colour, 'red') AND turn > 0")
    assert hits
    assert all(everything[hit.id] == hit.score for hit in hits)
    shown = {hit.id for hit in hits}
    red = [
        r for r in range(90) if collection.texts[r][1].count("red") and collection.ids[r] in shown
    ]
    assert len(red) == len(shown)


@pytest.mark.parametrize("where", ["color = 'red'", "shape = ", "shape = 'a'; shape = 'b'", ""])
def test_a_wrong_filter_is_refused_before_anything_is_embedded(index, model, collection, where):
    before = model.encoded
    with pytest.raises(InputError) as told:
        index.search(collection.image_bytes([0])[0], where=where)
    assert model.encoded == before
    if where.startswith("color"):
        assert "colour" in str(told.value)


# -- steering -----------------------------------------------------------------------------------


def test_steering_a_picture_multiplies_the_relevance(index, model, collection):
    h = model.embed_collection(collection, range(90)).pairs
    slow = steer(model.pair_scores(h[7].expand_as(h), h), [3.0, 1.0, 0.5]).score
    hits = index.search(collection.images([7])[0], k=90, weigh={"colour": 3, "free 1": 0.5})
    by_id = {hit.id: hit.score for hit in hits}
    assert [by_id[id] for id in collection.ids] == pytest.approx(slow.tolist(), abs=2e-6)


def test_steering_a_text_that_names_no_value_adds_the_expected_agreement(index, model, collection):
    text = "something round"  # names no colour: what it means is guessed
    plain = {hit.id: hit.score for hit in index.search(text, k=90)}
    table = collection.attributes
    values = table.values("colour")
    every = [v for g in table.groups if g != "outlined" for v in table.values(g)]
    every += ["outlined", "not outlined"]
    alike, all_alike = (
        smooth_chamfer(model.encode_texts([text]), model.encode_texts(texts))[0].tolist()
        for texts in (values, every)
    )
    nothing = statistics.fmean(all_alike) + statistics.pstdev(all_alike)
    total = sum(math.exp(16 * s) for s in [*alike, nothing])
    p = {
        v: (math.exp(16 * s) + math.exp(16 * nothing) / len(values)) / total
        for v, s in zip(values, alike, strict=True)
    }
    mean = sum(plain.values()) / 90
    gamma = math.sqrt(sum((score - mean) ** 2 for score in plain.values()) / 90)
    colours = dict(
        zip(collection.ids, collection.table(["colour"])["colour"].to_pylist(), strict=True)
    )
    for hit in index.search(text, k=90, weigh={"colour": 3}):
        agreed = sum(p[c] for c in colours[hit.id]) / len(colours[hit.id])
        assert hit.score == pytest.approx(plain[hit.id] + 2 * gamma * agreed, abs=5e-6)


def test_steering_a_text_that_names_a_value_adds_agreement_with_it(index, collection):
    plain = {hit.id: hit.score for hit in index.search("a red thing", k=90)}
    gamma = statistics.pstdev(plain.values())
    colours = dict(
        zip(collection.ids, collection.table(["colour"])["colour"].to_pylist(), strict=True)
    )
    for hit in index.search("a red thing", k=90, weigh={"colour": 3}):
        agreed = ("red" in colours[hit.id]) / len(colours[hit.id])
        assert hit.score == pytest.approx(plain[hit.id] + 2 * gamma * agreed, abs=5e-6)


def test_steering_brings_up_what_agrees(index):
    def reds(hits):
        return sum("red" in index.item(hit.id).attributes["colour"] for hit in hits)

    plain, steered = index.search(TEXT, k=15), index.search(TEXT, k=15, weigh={"colour": 20})
    assert reds(steered) > reds(plain)


def test_weights_of_one_change_nothing(index):
    weigh = dict.fromkeys(index.steerable("sets"), 1.0)
    assert index.search(TEXT, weigh=weigh) == index.search(TEXT)


def test_what_can_be_weighed_depends_on_the_model(index, collection):
    assert index.steerable("sets") == collection.attribute_groups
    assert index.steerable("pairs") == ("colour", "shape", "free 1")
    with pytest.raises(InputError, match=r"'size'.*colour, shape, free 1"):
        index.search(index.item("shape-0001"), weigh={"size": 2})
    with pytest.raises(InputError, match=r"'free 1'.*shape, colour, size, background, outlined"):
        index.search(TEXT, weigh={"free 1": 2})


# -- which model --------------------------------------------------------------------------------


def test_using_decides_and_says_what_it_cannot(index):
    item = index.item("shape-0001")
    assert index.uses == ("sets", "pairs")
    assert index.search(item, using="sets") != index.search(item, using="pairs")
    assert index.search(item) == index.search(item, using="pairs")
    with pytest.raises(InputError, match="a text has no pair model"):
        index.search(TEXT, using="pairs")
    with pytest.raises(InputError, match="'sets' or 'pairs'"):
        index.search(item, using="words")


def test_a_run_with_one_model_answers_what_it_can(tmp_path, make_model, collection):
    pairs = Index.build(make_model(sets=False), collection, tmp_path / "pairs.index")
    assert pairs.uses == ("pairs",)
    assert len(pairs.search(pairs.item("shape-0001"))) == 10
    with pytest.raises(InputError, match="no set model"):
        pairs.search(TEXT)
    sets = Index.build(make_model(pairs=False), collection, tmp_path / "sets.index")
    assert sets.uses == ("sets",)
    item = sets.item("shape-0001")
    assert sets.search(item) == sets.search(item, using="sets")
    assert sets.explain(item, "shape-0002").using == "sets"
    with pytest.raises(InputError, match="'pairs'"):
        sets.search(item, using="pairs")


# -- explaining ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), ASKED)
def test_contributions_sum_to_the_score_that_search_gives(index, collection, kind, options):
    asked = query(kind, index, collection)
    for hit in index.search(asked, k=3, **options) + index.search(asked, k=90, **options)[-2:]:
        why = index.explain(asked, hit.id, **options)
        assert why.score == hit.score
        assert why.rank == hit.rank
        assert sum(f.contribution for f in why.facets) == pytest.approx(hit.score, abs=1e-5)
        unsteered = sum(f.contribution - f.change for f in why.facets)
        assert unsteered == pytest.approx(why.unsteered, abs=1e-5)
        assert json.loads(json.dumps(why.to_dict(), allow_nan=False)) == why.to_dict()


def test_a_text_is_explained_by_slots_that_read_words_and_look_somewhere(index):
    why = index.explain(TEXT, "shape-0000")
    assert why.using == "sets"
    assert {f.kind for f in why.facets} == {"slot"}
    facets = {f.name: f for f in why.facets}
    assert [w.text for w in facets["slot 1"].words] == ["red"]
    assert [w.text for w in facets["slot 2"].words] == ["white"]
    for facet in why.facets:
        assert facet.region.shape == (4, 4)
        assert float(facet.region.sum()) == pytest.approx(1, abs=1e-3)
        assert sum(facet.matches) == pytest.approx(facet.contribution)
    assert why.query_image is None


def test_a_picture_is_explained_by_conditions_and_by_slots_if_asked(index, collection):
    data = collection.image_bytes([3])[0]
    why = index.explain(data, "shape-0033")
    assert {f.name for f in why.facets} == {"colour", "shape", "free 1"}
    facets = {f.name: f for f in why.facets}
    shapes = [collection.texts[row][0].split()[1] for row in (3, 33)]
    assert [facets["shape"].query_value, facets["shape"].item_value] == shapes
    assert facets["shape"].agrees == (shapes[0] == shapes[1])
    assert not facets["shape"].guessed  # the picture is an item's, so its values are known
    assert facets["free 1"].agrees is None
    slots = index.explain(data, "shape-0033", using="sets")
    assert slots.facets[0].query_region.shape == (4, 4)
    assert slots.query_image.size == (64, 64)


def test_the_values_of_a_strange_picture_are_guessed_from_its_neighbours(index, collection):
    why = index.explain(collection.images([0])[0], "shape-0030")
    facet = next(f for f in why.facets if f.name == "colour")
    assert facet.query_value is None or facet.guessed


def test_a_steered_text_has_a_facet_for_what_steering_did(index):
    why = index.explain(TEXT, "shape-0000", weigh={"colour": 3})
    facet = next(f for f in why.facets if f.kind == "steering")
    assert (facet.name, facet.factor, facet.item_value) == ("colour", 3.0, "red")
    assert facet.contribution == pytest.approx(facet.weight * facet.similarity)
    assert facet.change == facet.contribution
    assert why.score == pytest.approx(why.unsteered + facet.change, abs=2e-6)
    assert why.to_dict()["unsteered"] == {"score": why.unsteered, "rank": why.unsteered_rank}


def test_an_explanation_tells_what_is_said_from_what_is_guessed(index):
    def told(text, group):
        why = index.explain(text, "shape-0000", weigh={group: 3})
        return next(facet.told[0] for facet in why.facets if facet.kind == "steering")

    assert told("a red thing", "colour") == "red"
    assert set(told("a red or blue thing", "colour").split(", ")) == {"red", "blue"}
    assert told("a red thing", "size") == "query names none"


def test_an_explanation_can_be_drawn(index, collection):
    for asked in (TEXT, collection.images([5])[0], index.item("shape-0001")):
        file = io.BytesIO()
        index.explain(asked, "shape-0002", weigh={"colour": 2}).to_image().save(file, "PNG")
        assert len(file.getvalue()) > 10_000


def test_an_id_that_is_not_there_is_told_with_the_nearest(index):
    for call in (index.item, lambda id: index.explain(TEXT, id)):
        with pytest.raises(InputError, match=r"'shape-004'.*shape-004\d"):
            call("shape-004")
