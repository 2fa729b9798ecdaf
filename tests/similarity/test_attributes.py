import itertools

import pytest
import torch

from facetwise.similarity import attribute_mask, combine_attributes

TRUTH = {  # (a, b) -> 1 or 0
    "or": lambda a, b: a or b,
    "and": lambda a, b: a and b,
    "xor": lambda a, b: a != b,
    "xnor": lambda a, b: a == b,
    "nor": lambda a, b: not (a or b),
}
STATES = list(itertools.product([1, 0, -1], repeat=2))
A = torch.tensor([[a for a, _ in STATES]])
B = torch.tensor([[b for _, b in STATES]])


@pytest.mark.parametrize("how", TRUTH)
def test_truth_table(how):
    a, b = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[0, 1, 0, 1]])
    expected = [float(TRUTH[how](bool(x), bool(y))) for x, y in zip(a[0], b[0], strict=True)]
    assert combine_attributes(a, b, how).tolist() == [expected]
    assert attribute_mask(a, b, how).tolist() == [[1.0] * 4]


def test_or_is_the_default():
    assert torch.equal(combine_attributes(A, B), combine_attributes(A, B, "or"))


@pytest.mark.parametrize("how", TRUTH)
def test_papers_mask_wants_both_certain(how):
    expected = [float(a != -1 and b != -1) for a, b in STATES]
    assert attribute_mask(A, B, how).tolist() == [expected]


@pytest.mark.parametrize("how", TRUTH)
def test_logic_mask_is_one_where_every_reading_of_the_unknown_agrees(how):
    for k, (a, b) in enumerate(STATES):
        readings = {
            bool(TRUTH[how](x, y))
            for x in ([True, False] if a == -1 else [bool(a)])
            for y in ([True, False] if b == -1 else [bool(b)])
        }
        target = combine_attributes(A, B, how)[0, k].item()
        mask = attribute_mask(A, B, how, rule="logic")[0, k].item()
        assert mask == (len(readings) == 1)
        assert target == (readings == {True})


@pytest.mark.parametrize("rule", ["both", "logic"])
def test_and_xor_doubles_the_nodes(rule):
    targets, mask = combine_attributes(A, B, "and_xor"), attribute_mask(A, B, "and_xor", rule=rule)
    assert targets.shape == mask.shape == (1, 2 * len(STATES))
    for part, how in ((slice(0, 9), "and"), (slice(9, 18), "xor")):
        assert torch.equal(targets[:, part], combine_attributes(A, B, how))
        assert torch.equal(mask[:, part], attribute_mask(A, B, how, rule=rule))


@pytest.mark.parametrize("how", [*TRUTH, "and_xor"])
def test_is_symmetric(how):
    assert torch.equal(combine_attributes(A, B, how), combine_attributes(B, A, how))
    assert torch.equal(
        attribute_mask(A, B, how, rule="logic"), attribute_mask(B, A, how, rule="logic")
    )


@pytest.mark.parametrize("dtype", [torch.bool, torch.int8, torch.int64, torch.float32])
def test_takes_any_type_and_gives_floats(dtype):
    a, b = torch.tensor([[1, 0]]).to(dtype), torch.tensor([[1, 1]]).to(dtype)
    assert combine_attributes(a, b, "and").tolist() == [[1.0, 0.0]]
    assert combine_attributes(a, b, "and").dtype == torch.float32


def test_what_is_no_state_is_refused():
    with pytest.raises(ValueError, match="or -1"):
        combine_attributes(torch.tensor([[2]]), torch.tensor([[1]]))
    with pytest.raises(ValueError, match=r"\(1, 1\) and \(1, 2\)"):
        combine_attributes(torch.ones(1, 1), torch.ones(1, 2))
    with pytest.raises(ValueError, match="'nand'"):
        combine_attributes(torch.ones(1, 1), torch.ones(1, 1), "nand")
    with pytest.raises(ValueError, match="'either'"):
        attribute_mask(torch.ones(1, 1), torch.ones(1, 1), rule="either")
