"""fit with the paper's conditions, pairs and loss: what is trained is kept, and opened again."""

from __future__ import annotations

import pytest
import torch

from facetwise.errors import InputError
from facetwise.models import load
from facetwise.training import fit

from .conftest import SMALL, tiny

HOW = {"loss": "edges", "edge_pairs": 64, "schedule": "constant", "steps": 3}


@pytest.mark.parametrize("combine", ["xnor", "and_xor"])
def test_single_attributes_are_taught_by_the_papers_pairs(shapes, tmp_path, combine):
    pairs = {
        **SMALL["pairs"],
        **{"taught": "attributes", "attributes": 5, "combine": combine, "free": 1},
        **{"head": "none", "init": "xavier", "standardise": "dimensions", "unit": False},
        "training": {**HOW, "edge_pairs": 0},
    }
    model = fit(shapes, out=tmp_path / "run", recipe=tiny(sets=None, pairs=pairs))
    names = [condition.name for condition in model.conditions]
    assert len(names) == (11 if combine == "and_xor" else 6) and names[-1] == "free 1"
    there = set(shapes.attributes.names)
    marks = (" (both)", " (one)") if combine == "and_xor" else ("",)
    assert all(any(name == f"{own}{m}" for own in there for m in marks) for name in names[:-1])
    assert all(c.group in shapes.attributes.groups for c in model.conditions[:-1])
    again = load(tmp_path / "run")
    assert again.conditions == model.conditions
    x = torch.randn(4, model.pairs.dim)  # without a head, that is the width of the features
    assert again.pairs.eval().embed(x).equal(model.pairs.eval().embed(x))


def test_a_graph_model_learns_from_one_half_over_the_other(shapes, tmp_path):
    pairs = {"model": "cgae", "widths": [12], "training": HOW}
    model = fit(shapes, out=tmp_path / "run", recipe=tiny(sets=None, pairs=pairs))
    assert len(model.conditions) == 1


def test_more_attributes_than_the_collection_has_are_refused(shapes, tmp_path):
    pairs = {**SMALL["pairs"], "taught": "attributes", "attributes": 999}
    with pytest.raises(InputError, match=r"\[pairs\] attributes: 999 single attributes"):
        fit(shapes, out=tmp_path / "run", recipe=tiny(sets=None, pairs=pairs))
    assert not (tmp_path / "run").exists()
