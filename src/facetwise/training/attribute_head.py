"""A head that tells an item's attributes from its embedding, in training only (METHODS 1.5)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.data import AttributeTable
from facetwise.training.attribute_targets import item_targets

__all__ = ["AttributeHead"]


class AttributeHead(nn.Module):
    """Embeddings (B, d) to a logit for each of A attributes, and the loss of these.

    The baseline "siamese + attributes" of PAN's authors. It starts with the attributes' rates and
    weights of zero: at first nothing of it reaches the embedding, and it grows with what there is
    to say.

    Args:
        dim: d.
        attributes: of the training items.
    """

    def __init__(self, dim: int, attributes: AttributeTable) -> None:
        super().__init__()
        self._attributes = attributes
        targets, mask = item_targets(attributes, torch.arange(len(attributes)))
        rate = ((targets * mask).sum(0) + 1) / (mask.sum(0) + 2)
        self.weight = nn.Parameter(torch.zeros(len(attributes.names), dim))
        self.bias = nn.Parameter(torch.logit(rate))

    def forward(self, h: Tensor, rows: Tensor) -> Tensor:
        """Mean over the items of sum_m c_m BCE(logit_m, a_m) / (sum_m c_m + 1e-6).

        The paper's sum over the three images of a triplet is three times the mean; lambda takes
        that up.

        Args:
            h: (B, d) embeddings.
            rows: (B,) which training items they are of.
        """
        targets, mask = item_targets(self._attributes, rows)
        logits = F.linear(h, self.weight, self.bias)
        each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * mask
        return (each.sum(1) / (mask.sum(1) + 1e-6)).mean()
