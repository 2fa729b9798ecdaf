"""Layers in NumPy, one at a time, for the slow references of the heads."""

import math

import numpy as np
import torch


def values(parameter):
    return parameter.detach().double().numpy()


def layer_norm(x, norm):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
    return x * values(norm.weight) + values(norm.bias)


def linear(x, layer):
    y = x @ values(layer.weight).T
    return y if layer.bias is None else y + values(layer.bias)


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def gru_step(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    """Reset, update and new gate, in PyTorch's order; rows of x and h are independent."""
    of_x = np.split(x @ values(weight_ih).T + values(bias_ih), 3, -1)
    of_h = np.split(h @ values(weight_hh).T + values(bias_hh), 3, -1)
    r, z = sigmoid(of_x[0] + of_h[0]), sigmoid(of_x[1] + of_h[1])
    n = np.tanh(of_x[2] + r * of_h[2])
    return (1 - z) * n + z * h


def shaken(module, seed=7):
    """Every parameter moved: norms and biases start at ones and zeros, which hides mistakes."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=g)
    return module.eval()
