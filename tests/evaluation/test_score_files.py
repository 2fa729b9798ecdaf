import json

import numpy as np
import pytest
import torch

from facetwise.errors import InputError
from facetwise.evaluation.answers import Matrix, Rankings
from facetwise.evaluation.known import Known
from facetwise.evaluation.score_files import check_savable, load_scores, save_scores

IMAGES = tuple(f"{number}.jpg" for number in range(4))
CAPTIONS = tuple(f"{image}#{number}" for image in IMAGES for number in range(5))
OWNER = torch.arange(20) // 5
KNOWN = Known(IMAGES, CAPTIONS, OWNER)


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.randn(4, 20, generator=torch.Generator().manual_seed(0))


def same(a: Known, b: Known) -> bool:
    return (
        a.image_ids == b.image_ids
        and a.caption_ids == b.caption_ids
        and torch.equal(a.owner, b.owner)
    )


def test_what_is_saved_is_read(tmp_path, scores) -> None:
    path = tmp_path / "deep" / "ours.npz"
    save_scores(path, scores, owner=OWNER, image_ids=IMAGES, caption_ids=CAPTIONS)
    for known in (None, KNOWN):
        found = load_scores(path, known)
        assert isinstance(found.answers, Matrix)
        assert torch.equal(found.answers.scores, scores)
        assert same(found.known, KNOWN)
        assert found.notes == ()
    with np.load(path, allow_pickle=False) as arrays:  # numpy alone reads it
        assert sorted(arrays) == ["caption_ids", "image_ids", "owner", "scores"]


def test_the_scores_alone_are_five_captions_an_image_or_one(tmp_path, scores) -> None:
    save_scores(tmp_path / "a.npy", scores)
    found = load_scores(tmp_path / "a.npy")
    assert torch.equal(found.known.owner, OWNER)
    assert found.known.image_ids == ("0", "1", "2", "3")
    save_scores(tmp_path / "b.npy", torch.eye(3))
    assert load_scores(tmp_path / "b.npy").known.owner.tolist() == [0, 1, 2]


@pytest.mark.parametrize("known", [None, KNOWN])
def test_a_transposed_matrix_is_recognised(tmp_path, scores, known) -> None:
    save_scores(tmp_path / "t.npy", scores.T)
    found = load_scores(tmp_path / "t.npy", known)
    assert torch.equal(found.answers.scores, scores)
    assert found.notes == (
        "t.npy is 20 x 4: transposed, captions in rows; read the other way round",
    )


def test_repeated_images_are_read_once(tmp_path, scores) -> None:
    save_scores(tmp_path / "r.npy", scores.repeat_interleave(5, 0))
    found = load_scores(tmp_path / "r.npy", KNOWN)
    assert torch.equal(found.answers.scores, scores)
    assert "every image is repeated 5 times" in found.notes[0]


def test_ids_put_a_matrix_into_the_benchmarks_order(tmp_path, scores) -> None:
    g = torch.Generator().manual_seed(1)
    rows, columns = torch.randperm(4, generator=g), torch.randperm(20, generator=g)
    save_scores(
        tmp_path / "own.npz",
        scores[rows][:, columns],
        owner=rows.argsort()[OWNER[columns]],
        image_ids=[IMAGES[row] for row in rows],
        caption_ids=[CAPTIONS[column] for column in columns],
    )
    found = load_scores(tmp_path / "own.npz", KNOWN)
    assert torch.equal(found.answers.scores, scores)
    assert same(found.known, KNOWN)
    alone = load_scores(tmp_path / "own.npz").known  # the same owners by the file's word
    assert [alone.image_ids[image] for image in alone.owner.tolist()] == [
        caption.partition("#")[0] for caption in alone.caption_ids
    ]


def test_a_part_is_measured_when_that_is_allowed(tmp_path, scores) -> None:
    path = tmp_path / "part.npz"
    save_scores(path, scores[1:, 2:], image_ids=IMAGES[1:], caption_ids=CAPTIONS[2:])
    with pytest.raises(InputError, match=r"1 of the benchmark's 4 images are missing, '0\.jpg'"):
        load_scores(path, KNOWN)
    found = load_scores(path, KNOWN, allow_partial=True)
    assert torch.equal(found.answers.scores, scores[1:, 5:])
    assert found.known.caption_ids == CAPTIONS[5:]
    assert found.known.owner.tolist() == (OWNER[5:] - 1).tolist()


@pytest.mark.parametrize(
    ("kind", "stored"), [("f2", torch.float32), ("f8", torch.float64), ("i4", torch.float64)]
)
def test_numbers_of_any_kind_are_ranked_as_they_are(tmp_path, kind, stored) -> None:
    raw = np.arange(20, dtype=kind).reshape(2, 10)
    np.save(tmp_path / "n.npy", raw)
    found = load_scores(tmp_path / "n.npy").answers.scores
    assert found.dtype == stored
    assert found.tolist() == raw.tolist()


def put(path, **arrays) -> None:
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"score": np.eye(2)}, "holds score; expected `scores`"),
        ({"scores": np.zeros(3)}, r"scores must be numbers, images x captions, not float64 of"),
        ({"scores": np.zeros((0, 5))}, "scores must be numbers"),
        ({"scores": np.array([["a"]])}, "scores must be numbers"),
        ({"scores": np.zeros((4, 7))}, "4 x 7 is neither five captions an image nor one"),
        ({"scores": np.zeros((2, 3)), "owner": np.array([0, 1, 2])}, "owner goes from 0 to 2"),
        ({"scores": np.zeros((2, 3)), "owner": np.array([0.0, 1, 1])}, "owner must be the row"),
        ({"scores": np.zeros((2, 3)), "owner": np.array([0, 1, 1, 1])}, "owner must be the row"),
        ({"scores": np.eye(2), "image_ids": np.array(["a", "a"])}, "image_ids repeat"),
        ({"scores": np.eye(2), "image_ids": np.array(["a"])}, "1 image_ids, expected 2"),
        ({"scores": np.eye(2), "image_ids": np.array([0.5, 1])}, "image_ids must be a list"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path, arrays, said) -> None:
    put(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(InputError, match=said) as error:
        load_scores(tmp_path / "wrong.npz")
    assert "\n" not in str(error.value)
    assert "wrong.npz" in str(error.value)


def test_not_a_number_is_named(tmp_path, scores) -> None:
    scores[2, 17] = torch.nan
    save_scores(tmp_path / "nan.npy", scores)
    with pytest.raises(InputError, match=r"row 2, column 17 \(from 0\) is NaN"):
        load_scores(tmp_path / "nan.npy")


def test_objects_are_never_executed(tmp_path) -> None:
    np.save(tmp_path / "o.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="no readable numpy file"):
        load_scores(tmp_path / "o.npy")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.npz", "not a zip", "no readable numpy file"),
        ("a.json", "{", "no readable JSON"),
        ("a.json", "[]", "there is no such i2t"),
        ("a.json", '{"i2t": {"a": 3}, "t2i": {}}', "there is no such i2t"),
        ("a.json", '{"i2t": {}, "t2i": {}, "owner": []}', 'expected "owner"'),
        ("a.csv", "1,2", r"expected scores \(.npz, .npy\) or rankings \(.json\)"),
    ],
)
def test_what_is_no_such_file_is_said(tmp_path, name, text, said) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        load_scores(tmp_path / name)
    with pytest.raises(InputError, match="is no file"):
        load_scores(tmp_path / "missing.npz")


def test_the_wrong_shape_for_a_benchmark_is_said(tmp_path) -> None:
    save_scores(tmp_path / "x.npy", torch.zeros(3, 15))
    with pytest.raises(InputError, match="scores are 3 x 15, expected 4 images x 20 captions"):
        load_scores(tmp_path / "x.npy", KNOWN)


def test_a_stranger_among_the_ids_is_named(tmp_path, scores) -> None:
    path = tmp_path / "x.npz"
    save_scores(path, scores, image_ids=("9.jpg", *IMAGES[1:]), caption_ids=CAPTIONS)
    with pytest.raises(InputError, match=r"image '9\.jpg' is none of the benchmark's 4"):
        load_scores(path, KNOWN)


def test_only_kinds_that_are_read_are_written(tmp_path) -> None:
    for name in ("a.csv", "a"):
        with pytest.raises(InputError, match=r"kept as .npz"):
            check_savable(tmp_path / name)
        with pytest.raises(InputError, match=r"kept as .npz"):
            save_scores(tmp_path / name, torch.eye(2))


def lists(scores: torch.Tensor, length: int = 20) -> dict[str, dict[str, list[str]]]:
    """Rankings as the official package takes them."""
    return {
        "i2t": {
            IMAGES[row]: [CAPTIONS[place] for place in order[:length]]
            for row, order in enumerate(scores.argsort(dim=1, descending=True).tolist())
        },
        "t2i": {
            CAPTIONS[row]: [IMAGES[place] for place in order]
            for row, order in enumerate(scores.T.argsort(dim=1, descending=True).tolist())
        },
    }


def test_rankings_by_json(tmp_path, scores) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(lists(scores)), encoding="utf-8")
    found = load_scores(path, KNOWN)
    assert isinstance(found.answers, Rankings)
    assert torch.equal(found.answers.i2t.long(), scores.argsort(dim=1, descending=True))
    with pytest.raises(InputError, match="say which --benchmark"):
        load_scores(path)
    owner = {caption: caption.partition("#")[0] for caption in CAPTIONS}
    path.write_text(json.dumps({**lists(scores), "owner": owner}), encoding="utf-8")
    assert same(load_scores(path).known, KNOWN)


def test_rankings_by_arrays_of_ids(tmp_path, scores) -> None:
    known = Known(("30", "10", "20", "40"), tuple(map(str, range(500, 520))), OWNER)
    ids = [
        np.array([int(name) for name in names]) for names in (known.image_ids, known.caption_ids)
    ]
    i2t = ids[1][scores.argsort(dim=1, descending=True).numpy()]
    t2i = ids[0][scores.T.argsort(dim=1, descending=True).numpy()]
    i2t[0, 12:] = -1  # a shorter list
    put(tmp_path / "r.npz", i2t=i2t, t2i=t2i)
    in_order = load_scores(tmp_path / "r.npz", known)
    turned = [2, 0, 3, 1]
    put(tmp_path / "s.npz", i2t=i2t[turned], t2i=t2i, image_ids=ids[0][turned], caption_ids=ids[1])
    for found in (in_order, load_scores(tmp_path / "s.npz", known)):
        assert torch.equal(found.answers.i2t[1:].long(), scores.argsort(dim=1, descending=True)[1:])
        assert found.answers.i2t[0, 12:].tolist() == [-1] * 8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it["i2t"].update({"9.jpg": []}), "i2t ranks for '9.jpg'"),
        (lambda it: it["i2t"]["1.jpg"].append("7.jpg#0"), "of '1.jpg' lists '7.jpg#0'"),
        (lambda it: it["t2i"]["1.jpg#0"].insert(0, 3), "t2i of '1.jpg#0' lists 3"),
    ],
)
def test_unknown_ids_in_rankings_are_named(tmp_path, scores, change, said) -> None:
    read = lists(scores)
    change(read)
    (tmp_path / "r.json").write_text(json.dumps(read), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        load_scores(tmp_path / "r.json", KNOWN)


def test_unknown_numbers_in_rankings_are_named(tmp_path) -> None:
    known = Known(("1", "2"), ("5", "6"), torch.tensor([0, 1]))
    read = {"i2t": {"1": [5, 6], "2": [6, 8]}, "t2i": {"5": [1, 2], "6": [2, 1]}}
    (tmp_path / "r.json").write_text(json.dumps(read), encoding="utf-8")
    with pytest.raises(InputError, match="i2t of '2' lists 8, which is no known id"):
        load_scores(tmp_path / "r.json", known)


def test_ranking_arrays_must_have_a_line_for_each(tmp_path) -> None:
    put(tmp_path / "r.npz", i2t=np.zeros((3, 5), dtype=int), t2i=np.zeros((20, 4), dtype=int))
    with pytest.raises(InputError, match="i2t must hold a line of ids for each of 4 images"):
        load_scores(tmp_path / "r.npz", KNOWN)
