"""Any vision model of transformers as a function from pixels to a grid and a global feature.

Convolutional networks give their last feature map; transformers their patches' tokens, laid out as
the patches lay, without the tokens that stand for no place (CLS, registers). The global feature is
the model's own: what its pooler gives, else its CLS token, else the mean of the grid.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from facetwise.encoders.hub import brief, json_file, model_config, pretrained
from facetwise.errors import InputError

__all__ = ["Preparation", "VisionNetwork", "lay_out"]

_MEAN: Final = (0.485, 0.456, 0.406)
_STD: Final = (0.229, 0.224, 0.225)
"""Of ImageNet's channels: for models that do not say theirs."""


class Preparation(NamedTuple):
    """How a model wants its pixels, as its preprocessor_config.json says.

    The size and the crop that stand there are not followed: pictures are as large as the recipe
    says, and whole.
    """

    mean: tuple[float, ...] = _MEAN
    std: tuple[float, ...] = _STD
    scale: float = 1 / 255
    resampling: int | None = None
    """Pillow's number."""
    bgr: bool = False
    """Channels in the order blue, green, red."""

    @classmethod
    def of(cls, source: str) -> Preparation:
        """Of the model in the folder, or of the name on the hub, `source`.

        Raises:
            InputError: what is there makes no sense.
        """
        said = json_file(source, "preprocessor_config.json")
        if not said:  # where newer versions of transformers keep it
            said = json_file(source, "processor_config.json").get("image_processor", {})
        plain = said.get("do_normalize") is False
        try:
            return cls(
                _three(0.0 if plain else said.get("image_mean") or _MEAN),
                _three(1.0 if plain else said.get("image_std") or _STD),
                float(said.get("rescale_factor", 1 / 255)) if said.get("do_rescale", True) else 1.0,
                None if said.get("resample") is None else int(said["resample"]),
                bool(said.get("do_flip_channel_order", False)),
            )
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{source}: image_mean, image_std, rescale_factor and resample of its "
                f"preprocessor_config.json must be numbers, three at most ({brief(error)})"
            ) from error


class VisionNetwork(nn.Module):
    """Pixels to a grid and a global feature; the weights can be trained, or not.

    Args:
        model: a vision model of transformers.
        pixels: width and height of the pictures.
        preparation: how the model wants them.

    Attributes:
        grid_shape: (C, H, W) of the grid of one picture.
        pooled_width: P of the global feature.

    Raises:
        InputError: the model takes no pictures of that size, or gives no grid of them.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, model: Any, pixels: int, preparation: Preparation, *, name: str = ""
    ) -> None:
        super().__init__()
        self.model = model
        self.pixels = pixels
        self.preparation = preparation
        self.name = name or type(model).__name__
        self.register_buffer("mean", torch.tensor(preparation.mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(preparation.std).view(-1, 1, 1))
        self.patch = _patch(model.config)
        if self.patch and pixels % self.patch:
            low = max(1, pixels // self.patch) * self.patch
            raise InputError(
                f"{self.name} cuts pictures into patches of {self.patch} pixels: pixels must be a "
                f"multiple of that, such as {low} or {low + self.patch}, not {pixels}"
            )
        # Position codes are interpolated for other sizes than the one the model was made for.
        takes = inspect.signature(model.forward).parameters
        self.options = {"interpolate_pos_encoding": True}
        if "interpolate_pos_encoding" not in takes or pixels == _size(model.config):
            self.options = {}
        grid, pooled = self._probe()
        self.grid_shape: tuple[int, int, int] = (grid.shape[1], grid.shape[2], grid.shape[3])
        self.pooled_width = pooled.shape[1]

    @classmethod
    def pretrained(cls, source: str, pixels: int) -> VisionNetwork:
        """With the weights in the folder, or of the name on the hub, `source`; gradients off.

        Of a model of pictures and texts (CLIP, SigLIP) only the side of the pictures is read.

        Raises:
            InputError: no such folder, no vision model, pickled or missing weights, a wrong size.
        """
        config = model_config(source)
        config = getattr(config, "vision_config", config)
        _check_vision(source, config)
        model, missing = pretrained(source, config)
        if missing and all(name.startswith("pooler.") for name in missing):
            model.pooler = None  # trained without one: do not use a random one
        elif missing:
            raise InputError(
                f"{source}: its file has no weights for {', '.join(sorted(missing)[:3])}; "
                "expected the whole model"
            )
        return cls(model, pixels, Preparation.of(source), name=source)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, 3, pixels, pixels), 0 to 255 -> grid (B, C, H, W), pooled (B, P)."""
        x = (x.float() * self.preparation.scale - self.mean) / self.std
        if self.preparation.bgr:
            x = x.flip(1)
        given = self.model(pixel_values=x, return_dict=True, **self.options)
        states: Tensor = given.last_hidden_state
        extra = getattr(self.model.config, "num_register_tokens", 0)
        cells = self.pixels // self.patch if self.patch else 0
        grid = states if states.ndim == 4 else lay_out(states, cells, most=2 + extra)
        pooled = getattr(given, "pooler_output", None)
        if pooled is None:
            has_cls = states.ndim == 3 and states.shape[1] > grid.shape[2] * grid.shape[3]
            pooled = states[:, 0] if has_cls else grid.mean((2, 3))
        return grid, pooled.flatten(1)

    @torch.no_grad()
    def _probe(self) -> tuple[Tensor, Tensor]:
        """What it gives of one black picture."""
        black = torch.zeros(1, 3, self.pixels, self.pixels, dtype=torch.uint8)
        try:
            grid, pooled = self(black)
        except InputError as error:
            raise InputError(f"{self.name} at {self.pixels} pixels: {error}") from error
        except (ValueError, TypeError, AttributeError, RuntimeError, IndexError) as error:
            size = _size(self.model.config)
            hint = f"; it was made for {size} pixels" if size else ""
            raise InputError(
                f"{self.name} gives no features of pictures of {self.pixels} pixels "
                f"({brief(error)}){hint}; expected a model that is called with pixel_values alone"
            ) from error
        return grid, pooled


def lay_out(states: Tensor, cells: int, *, most: int) -> Tensor:
    """Tokens as the patches lay, without those in front that stand for no place.

    Args:
        states: (B, L, C), patches row by row.
        cells: patches in a row and in a column; 0 if that is not known.
        most: how many other tokens there may be.

    Returns:
        (B, C, H, W).

    Raises:
        InputError: the tokens are no square.

    >>> lay_out(torch.arange(5.0).view(1, 5, 1), 2, most=1)
    tensor([[[[1., 2.],
              [3., 4.]]]])
    """
    length = states.shape[1]
    others = length - cells**2
    if not cells or not 0 <= others <= most:  # networks that merge patches, such as Swin
        cells, others = math.isqrt(length), 0
        if cells**2 != length:
            raise InputError(
                f"{length} tokens are no square; expected a model that keeps all patches of a "
                "square picture"
            )
    grid: Tensor = states[:, others:].transpose(1, 2).unflatten(2, (cells, cells))
    return grid


def _check_vision(source: str, config: Any) -> None:
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    kind = MODEL_MAPPING.get(type(config), None)
    if getattr(kind, "main_input_name", None) != "pixel_values":
        raise InputError(
            f"{source} is no vision model ({getattr(config, 'model_type', 'unknown')}); expected "
            "one that takes pictures, such as ResNet, ConvNeXt, ViT, DINOv2, CLIP or SigLIP"
        )


def _patch(config: Any) -> int:
    return _first(getattr(config, "patch_size", None))


def _size(config: Any) -> int:
    return _first(getattr(config, "image_size", None))


def _first(found: Any) -> int:
    if isinstance(found, Sequence) and found:
        found = found[0]
    return found if isinstance(found, int) else 0


def _three(values: Any) -> tuple[float, ...]:
    if isinstance(values, int | float):
        values = [values] * 3
    one, two, three = (float(value) for value in values)
    return one, two, three
