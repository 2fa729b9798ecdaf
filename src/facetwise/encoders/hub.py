"""Models of transformers, from a local folder or by their name on the hub, read without risk.

Weights come from safetensors files alone (a pickle may run anything), code from transformers alone
(never from a model's folder), numbers in float32 whatever the file holds. Without network, or with
``HF_HUB_OFFLINE=1``, a name on the hub is looked up among what was fetched before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facetwise.errors import InputError

__all__ = ["brief", "json_file", "model_config", "pretrained", "short_name", "weights_hash"]


def model_config(source: str) -> Any:
    """The `PretrainedConfig` of the model in the folder, or of the name on the hub, `source`.

    Raises:
        InputError: no such folder, or nothing there that transformers knows.
    """
    from transformers import AutoConfig

    place = _place(source)
    try:
        with _quiet():
            return AutoConfig.from_pretrained(place, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(
            f"{source}: no model that transformers can read ({brief(error)}); expected a folder "
            "with config.json and model.safetensors, or a model's name on the hub"
        ) from error


def pretrained(source: str, config: Any) -> tuple[Any, set[str]]:
    """The model itself, in float32, with gradients off, and in evaluation mode.

    Args:
        source: folder, or name on the hub.
        config: of the model, or of that part of it that is wanted (``config.vision_config``).

    Returns:
        the `PreTrainedModel`, and the names of those of its weights that the file has not.

    Raises:
        InputError: there are no weights, only pickled ones, or others than `config` says.
    """
    from safetensors import SafetensorError
    from transformers import AutoModel

    place = _place(source)
    if Path(place).is_dir() and not any(Path(place).glob("*.safetensors")):
        pickled = any(Path(place).glob("*.bin")) or any(Path(place).glob("*.pt*"))
        there = "its weights are pickled, which is not safe to read" if pickled else "no weights"
        raise InputError(
            f"{source}: {there}; expected model.safetensors: save the model anew with "
            "save_pretrained of transformers"
        )
    try:
        # Weights that are missing are drawn at random: not at the cost of what is drawn after.
        with _quiet(), torch.random.fork_rng(devices=[]):
            model, found = AutoModel.from_pretrained(
                place,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise InputError(
            f"{source}: its weights cannot be read ({brief(error)}); expected model.safetensors "
            "that fits its config.json"
        ) from error
    return model.eval().requires_grad_(False), set(found["missing_keys"])


def json_file(source: str, name: str) -> dict[str, Any]:
    """A JSON file beside the model; empty where there is none.

    Raises:
        InputError: it is no JSON table.
    """
    from transformers.utils.hub import cached_file

    path = cached_file(
        _place(source),
        name,
        _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    if path is None:
        return {}
    try:
        read = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no JSON ({brief(error)}); fetch it anew") from error
    if not isinstance(read, dict):
        raise InputError(f"{path} must be a JSON table, not a {type(read).__name__}; fetch it anew")
    return read


def short_name(source: str) -> str:
    """Of a model, fit for a file name.

    >>> short_name("facebook/dinov2-base"), short_name("../models/My model_2/")
    ('facebook-dinov2-base', 'My-model-2')
    """
    path = Path(source)
    whole = path.name if _is_path(source) or path.is_dir() else source
    return re.sub(r"[^A-Za-z0-9.]+", "-", whole).strip("-.")[-60:] or "model"


def weights_hash(model: nn.Module, *also: str) -> str:
    """Hash of all weights and statistics of a model, and of what else decides what it gives."""
    digest = hashlib.blake2b("\n".join(also).encode(), digest_size=16)
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def brief(error: BaseException) -> str:
    """An error's message on one line, cut."""
    return " ".join(str(error).split())[:160]


def _place(source: str) -> str:
    """`source` as transformers takes it; a path that leads nowhere is not looked up on the hub."""
    folder = Path(source).expanduser()
    if source and folder.is_dir():
        return str(folder)
    if not source or _is_path(source) or folder.exists():
        raise InputError(
            f"{source!r} is no folder; expected one with config.json and model.safetensors, or a "
            "model's name on the hub, such as facebook/dinov2-base"
        )
    return source


def _is_path(source: str) -> bool:
    return source.startswith((".", "/", "~")) or "\\" in source or source.count("/") > 1


@contextmanager
def _quiet() -> Iterator[None]:
    """Without bars, and without the report of weights that are not asked for."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
