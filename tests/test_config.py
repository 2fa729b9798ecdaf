"""An option that does not fit is named, with its file and its table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import pytest

from facetwise.config import Count, Positive, Share, Weight, Within, read_config, settings
from facetwise.errors import InputError
from facetwise.models import DivEConfig, PANConfig, SiameseConfig, VSEConfig


@dataclass(frozen=True)
class Options:
    """All kinds of options."""

    count: Count = 1
    share: Share = 0.5
    rate: Positive = 1.0
    weight: Weight = 0.0
    even: Annotated[int, Within(2, 8)] = 2
    name: str = "a"
    on: bool = False
    by: Literal["item", "group"] = "item"
    languages: tuple[str, ...] = ("en",)


def read(**options):
    return read_config(Options, options, "my.toml", "sets")


def test_values_are_taken_as_they_are_meant():
    given = {"count": 3, "share": 1, "rate": 2, "on": True, "by": "group", "languages": ["de"]}
    config = read(**given)
    assert config == Options(3, 1.0, 2.0, on=True, by="group", languages=("de",))
    assert isinstance(config.share, float)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"count": 0}, "count: expected a whole number of at least 1, not 0"),
        ({"count": 1.5}, "count: expected a whole number of at least 1, not 1.5"),
        ({"count": True}, "count: expected a whole number of at least 1, not True"),
        ({"count": "many"}, "count: expected a whole number of at least 1, not 'many'"),
        ({"share": 1.5}, "share: expected a number from 0 to 1, not 1.5"),
        ({"share": -0.1}, "share: expected a number from 0 to 1, not -0.1"),
        ({"share": float("nan")}, "share: expected a number from 0 to 1, not nan"),
        ({"rate": 0.0}, "rate: expected a number above 0, not 0.0"),
        ({"rate": float("inf")}, "rate: expected a number above 0, not inf"),
        ({"rate": "fast"}, "rate: expected a number above 0, not 'fast'"),
        ({"weight": -1}, "weight: expected a number of at least 0, not -1"),
        ({"even": 9}, "even: expected a whole number from 2 to 8, not 9"),
        ({"name": 3}, "name: expected a text, not 3"),
        ({"on": 1}, "on: expected true or false, not 1"),
        ({"by": "thing"}, "by: expected one of item, group, not 'thing'"),
        ({"languages": "en"}, "languages: expected a list, ['en'], not 'en'"),
        ({"languages": ["en", 3]}, "languages: expected a text, not 3"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_file_and_key(options, said):
    with pytest.raises(InputError) as error:
        read(**options)
    assert str(error.value) == f"my.toml [sets] {said}"


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(
        InputError, match=r"my\.toml \[sets\]: no option 'cuont' \(did you mean 'co"
    ):
        read(cuont=3)
    with pytest.raises(InputError, match=r"no option 'xyz'; there are by, count, "):
        read(xyz=3)


def test_a_table_must_be_one():
    with pytest.raises(InputError, match=r"my\.toml: sets must be a table, \[sets\], not 3"):
        read_config(Options, 3, "my.toml", "sets")


@pytest.mark.parametrize("kind", [DivEConfig, VSEConfig, PANConfig, SiameseConfig, Options])
def test_settings_are_read_back_as_they_were(kind):
    config = kind()
    assert read_config(kind, settings(config), "a.toml", "t") == config
    assert list(settings(config)) == list(asdict(config))
