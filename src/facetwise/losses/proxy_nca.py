"""ProxyNCA++ (Teh et al., ECCV 2020): every class has a learned vector, and each item picks its."""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["TEMPERATURE", "proxy_nca"]

TEMPERATURE: Final = 1 / 9
"""T: both vectors have the length 3 = sqrt(1 / T), so that squared distances count nine times."""


def proxy_nca(
    x: Tensor, proxies: Tensor, labels: Tensor, *, temperature: float = TEMPERATURE
) -> Tensor:
    """Mean of -log softmax over all proxies of -d(x, p)^2 / T at the true class (METHODS 3.10).

    d is the Euclidean distance of the directions: x and p are scaled to length 1 here. The true
    proxy is in the denominator, unlike in the first ProxyNCA. 1 / T multiplies *squared* distances;
    with 3 in its place the loss is another one (T-45).

    Args:
        x: (B, d) of any length.
        proxies: (C, d), one for each class, of any length.
        labels: (B,) the class of each; items with -1 do not count.
        temperature: T.

    Returns:
        A scalar, float32 at least; 0 where no item has a class.

    Raises:
        ValueError: shapes or labels do not fit.

    >>> x = torch.tensor([[2.0, 0.0]])
    >>> apart = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> proxy_nca(x, apart, torch.tensor([1]))  # log(1 + exp(18))
    tensor(18.)
    >>> proxy_nca(x, apart, torch.tensor([0]), temperature=1)  # log(1 + exp(-2))
    tensor(0.1269)
    """
    if x.dim() != 2 or proxies.dim() != 2 or x.shape[1] != proxies.shape[1]:
        raise ValueError(
            f"expected (B, d) and (C, d), not {tuple(x.shape)} and {tuple(proxies.shape)}"
        )
    if labels.shape != x.shape[:1] or bool((labels >= len(proxies)).any()):
        raise ValueError(f"labels must be ({len(x)},) and below {len(proxies)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, not {temperature}")
    some = labels >= 0
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    a, b = F.normalize(x[some].to(wide), dim=-1), F.normalize(proxies.to(wide), dim=-1)
    if not len(a):
        return a.sum() + 0 * b.sum()
    logits = (2 * (a @ b.T) - 2) / temperature  # -d^2 / T of unit vectors
    rest = torch.logsumexp(logits, dim=1) - logits.gather(1, labels[some].unsqueeze(1)).squeeze(1)
    return rest.mean()
