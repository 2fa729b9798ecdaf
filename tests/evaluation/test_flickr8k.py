import numpy as np
import pytest
import torch
from scipy.stats import kendalltau, spearmanr

from facetwise.data.benchmarks.flickr8k_judgements import Crowd, Expert, Judgements, judgements
from facetwise.errors import InputError
from facetwise.evaluation.flickr8k import judged

IMAGES = tuple(f"{number}.jpg" for number in range(10))
CAPTIONS = tuple(f"{image}#{number}" for image in IMAGES for number in range(5))


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.randn(10, 50, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def people() -> Judgements:
    g = np.random.default_rng(0)
    expert, crowd = [], []
    for number in range(60):
        image = IMAGES[number % 10]
        own = number % 6 == 0  # some captions are the image's own
        caption = f"{image}#{number % 5}" if own else CAPTIONS[g.integers(50)]
        expert.append(Expert(image, caption, tuple(g.integers(1, 5, 3).tolist())))
        yes = int(g.integers(0, 4))
        crowd.append(Crowd(image, caption, yes / 3, yes, 3 - yes))
    return Judgements(tuple(expert), tuple(crowd))


def model_of(rows, scores: torch.Tensor) -> list[float]:
    return [scores[IMAGES.index(row.image), CAPTIONS.index(row.caption)].item() for row in rows]


def test_experts_by_their_mean_without_the_images_own_captions(people, scores) -> None:
    found = judged(people, scores, IMAGES, CAPTIONS)["expert"]
    for figures, rows in (
        (found, [row for row in people.expert if not row.own]),
        (found["with_own_captions"], people.expert),
    ):
        model, mean = model_of(rows, scores), [row.mean for row in rows]
        assert figures["pairs"] == len(rows)
        for name, value in (
            ("tau_b", kendalltau(model, mean, variant="b").statistic),
            ("tau_c", kendalltau(model, mean, variant="c").statistic),
            ("spearman", spearmanr(model, mean).statistic),
            (
                "tau_c_each",
                kendalltau(
                    np.repeat(model, 3), [s for row in rows for s in row.scores], variant="c"
                ).statistic,
            ),
        ):
            assert figures[name] == pytest.approx(100 * value, abs=0.006)
    assert found["pairs"] < found["with_own_captions"]["pairs"] == 60


def test_the_crowd_by_its_share_of_yes(people, scores) -> None:
    found = judged(people, scores, IMAGES, CAPTIONS)["crowd"]
    rows = [row for row in people.crowd if not row.own]
    expected = kendalltau(model_of(rows, scores), [row.share for row in rows]).statistic
    assert found["tau_b"] == pytest.approx(100 * expected, abs=0.006)
    assert "tau_c_each" not in found


def test_perfect_agreement_and_none(people) -> None:
    scores = torch.zeros(10, 50)
    assert judged(people, scores, IMAGES, CAPTIONS)["expert"]["tau_c"] is None  # constant
    rows = tuple(
        Expert(image, caption, (level, level, level))
        for image, caption, level in zip(IMAGES[:4], CAPTIONS[45:49], (1, 2, 3, 4), strict=True)
    )
    for row in rows:
        scores[IMAGES.index(row.image), CAPTIONS.index(row.caption)] = row.mean
    found = judged(Judgements(rows, ()), scores, IMAGES, CAPTIONS)
    assert list(found) == ["expert"]
    assert (found["expert"]["tau_b"], found["expert"]["spearman"]) == (100.0, 100.0)


def test_judgements_of_other_splits_are_an_error_or_a_remark(people, scores) -> None:
    with pytest.raises(InputError, match="not in this split; go on with the others"):
        judged(people, scores[:9, :45], IMAGES[:9], CAPTIONS[:45])
    found = judged(people, scores[:9, :45], IMAGES[:9], CAPTIONS[:45], allow_partial=True)
    assert len(found["problems"]) == 2


def test_too_few_pairs_are_an_error(scores) -> None:
    alone = Judgements((Expert("0.jpg", "0.jpg#0", (1, 2, 3)),), ())
    with pytest.raises(InputError, match="too few"):
        judged(alone, scores, IMAGES, CAPTIONS)


def test_from_the_files_with_a_damaged_block(tmp_path, people, scores) -> None:
    lines = [
        f"{row.image}\t{row.caption}\t" + "\t".join(map(str, row.scores)) for row in people.expert
    ]
    lines[20:23] = ["\x00\x00 garbage", "1.jpg\t2.jpg#1\t5\t1\t1", ""]
    (tmp_path / "ExpertAnnotations.txt").write_text("\n".join(lines), encoding="utf-8")
    read = judgements(tmp_path)
    assert len(read.expert) in (57, 58)
    found = judged(read, scores, IMAGES, CAPTIONS)
    assert found["expert"]["with_own_captions"]["pairs"] == len(read.expert)
    assert "crowd" not in found
    assert any("CrowdFlower" in said for said in found["problems"])
