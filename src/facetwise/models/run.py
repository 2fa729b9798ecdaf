"""A run on disk: TOML that says what the model is, safetensors with its weights. Never a pickle."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from torch import Tensor, nn

from facetwise.config import read_config, settings
from facetwise.encoders import EncoderConfig, Encoders
from facetwise.errors import FacetwiseError, InputError, VersionError
from facetwise.files import write_bytes, write_text
from facetwise.models.model import Model
from facetwise.models.pair_model import Condition, PairModel, Taught
from facetwise.models.pair_systems import PAIR_SYSTEMS, build_pairs, pair_system_name
from facetwise.models.systems import SET_SYSTEMS, build_sets, system_name

if TYPE_CHECKING:
    from facetwise.models.set_model import SetModel

__all__ = ["FORMAT", "MODEL_FILE", "load", "save", "unfinished"]

FORMAT: Final = 1
"""Version of the files in a run."""

MODEL_FILE: Final = "model.toml"
"""Written last: without it there is no model."""

VOCABULARY_FILE: Final = "vocabulary.txt"
"""One word a line, of encoders that take their words from the training texts."""


def save(model: Model, path: str | Path) -> None:
    """Write the model's files into the directory `path`, `MODEL_FILE` last.

    Raises:
        FacetwiseError: the disk is full.
    """
    import tomli_w
    from safetensors.torch import save

    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    about: dict[str, Any] = {
        "format": FORMAT,
        "name": model.name,
        "fingerprint": model.fingerprint,
        "encoders": settings(model.encoders.config),
    }
    if model.sets is not None:
        about["sets"] = {"model": system_name(model.sets.config), **settings(model.sets.config)}
        write_bytes(path / "sets.safetensors", save(_contiguous(model.sets)))
    if model.pairs is not None:
        taught = model.pairs.taught
        about["pairs"] = {
            "model": pair_system_name(model.pairs.config),
            "conditions": [{"name": c.name, "group": c.group} for c in taught.conditions],
            "type_names": list(taught.types),
            **settings(model.pairs.config),
        }
        write_bytes(path / "pairs.safetensors", save(_contiguous(model.pairs)))
    if model.encoders.vocabulary:
        words = "".join(f"{word}\n" for word in model.encoders.vocabulary)
        write_text(path / VOCABULARY_FILE, words)
    write_text(path / "seen.txt", "".join(f"{name}\n" for name in sorted(model.trained_on)))
    write_text(path / MODEL_FILE, tomli_w.dumps(about))


def load(path: str | Path) -> Model:
    """Open a run: the model that `fit` wrote into the directory `path` (safetensors and TOML).

    Raises:
        InputError: it is not there, its training has not finished, or it is damaged.
        VersionError: a newer facetwise wrote it.
    """
    path = Path(path)
    about = _read_about(path)
    try:
        config = read_config(EncoderConfig, about["encoders"], path / MODEL_FILE, "encoders")
        encoders = Encoders(config, _vocabulary(path / VOCABULARY_FILE))
        sets: SetModel | None = None
        if "sets" in about:
            options = dict(about["sets"])
            kind = SET_SYSTEMS[options.pop("model")][1]
            sets = build_sets(read_config(kind, options, path / MODEL_FILE, "sets"), encoders)
            _fill(sets, path / "sets.safetensors")
        pairs: PairModel | None = None
        if "pairs" in about:
            options = dict(about["pairs"])
            config_kind = PAIR_SYSTEMS[options.pop("model")][1]
            conditions = (Condition(c["name"], c["group"]) for c in options.pop("conditions"))
            taught = Taught(tuple(conditions), tuple(options.pop("type_names")))
            settled = read_config(config_kind, options, path / MODEL_FILE, "pairs")
            pairs = build_pairs(settled, taught, parts=encoders.images.parts)
            _fill(pairs, path / "pairs.safetensors")
        seen = (path / "seen.txt").read_text(encoding="utf-8").split()
        model = Model(
            encoders,
            sets=sets,
            pairs=pairs,
            trained_on=frozenset(seen),
            name=about["name"],
        )
        fingerprint = about["fingerprint"]
    except FacetwiseError:
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {error}); fit it again"
        ) from error
    if model.fingerprint != fingerprint:
        raise InputError(
            f"{path}: the weights are not those that {MODEL_FILE} was written for (a changed "
            "file, or other weights of an encoder package); fit it again"
        )
    return model


def unfinished(path: Path) -> Path:
    """The directory beside a run where its training happens, until it is renamed to `path`."""
    return path.with_name(f".{path.name}.fitting")


def _read_about(path: Path) -> dict[str, Any]:
    file = path / MODEL_FILE
    try:
        about = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        begun = unfinished(Path(os.path.abspath(path))).exists()
        way_out = "its training did not finish: run fit again" if begun else "run fit first"
        raise InputError(f"{path} holds no {MODEL_FILE}, so it is no run; {way_out}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file} cannot be read ({error}); fit the run again") from error
    version = about.get("format")
    if not isinstance(version, int):
        raise InputError(f"{file} has no format number; fit the run again")
    if version > FORMAT:
        raise VersionError(
            f"{path} was written by a newer facetwise (format {version}, this one reads up to "
            f"{FORMAT}); upgrade facetwise"
        )
    return about


def _vocabulary(file: Path) -> tuple[str, ...]:
    return tuple(file.read_text(encoding="utf-8").splitlines()) if file.exists() else ()


def _fill(part: nn.Module, file: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        part.load_state_dict(load_file(file))
    except (OSError, SafetensorError, RuntimeError) as error:
        what = " ".join(str(error).split())[:120]
        raise InputError(f"{file} is missing or damaged ({what}); fit the run again") from error


def _contiguous(part: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in part.state_dict().items()}
