"""NMI: do clusters of the embeddings find the classes? (METHODS 3.10, section 5)"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

__all__ = ["nmi", "nmi_of"]


def nmi(vectors: Tensor, labels: Tensor, *, seed: int = 0, starts: int = 1) -> float:
    """Normalised mutual information of labels and of k-means with as many clusters as labels.

    Args:
        vectors: (N, d) embeddings, as the metric compares them (unit length for the cosine).
        labels: (N,) int64 classes.
        seed: of k-means++, whose result hangs on it.
        starts: how often k-means starts; the best inertia wins.

    Returns:
        Between 0 and 1. Embeddings that have all collapsed give 0.

    Raises:
        ValueError: shapes do not fit, a value is not finite, or all labels are the same.

    >>> two = torch.tensor([[0.0, 1.0], [0.0, 1.1], [5.0, 0.0], [5.1, 0.0]])
    >>> round(nmi(two, torch.tensor([3, 3, 7, 7])), 6)
    1.0
    """
    from sklearn.cluster import KMeans  # takes a second to load, and few need it
    from sklearn.exceptions import ConvergenceWarning

    if vectors.dim() != 2 or labels.shape != vectors.shape[:1]:
        raise ValueError(
            f"expected vectors (N, d) and labels (N,), "
            f"not {tuple(vectors.shape)} and {tuple(labels.shape)}"
        )
    if not bool(vectors.isfinite().all()):
        raise ValueError("the vectors contain NaN or infinite values, which have no cluster")
    classes = len(labels.unique())
    if classes < 2:
        raise ValueError("NMI needs at least two classes")
    means = KMeans(classes, n_init=starts, random_state=seed)
    with warnings.catch_warnings():
        # Collapsed embeddings hold fewer different points than classes: that is their NMI's news.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = means.fit_predict(vectors.detach().cpu().float().numpy())
    return nmi_of(torch.from_numpy(found).long(), labels)


def nmi_of(clusters: Tensor, labels: Tensor) -> float:
    """I(clusters; labels) / sqrt(H(clusters) H(labels)), of (N,) and (N,) int64.

    The geometric mean below the line, as in the metric-learning papers; scikit-learn's default is
    the arithmetic one, which is never smaller, so that its NMI is never larger.

    >>> nmi_of(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]))
    0.0
    """
    from sklearn.metrics import normalized_mutual_info_score

    if clusters.dim() != 1 or clusters.shape != labels.shape or len(labels) == 0:
        raise ValueError(
            f"expected clusters (N,) and labels (N,), "
            f"not {tuple(clusters.shape)} and {tuple(labels.shape)}"
        )
    found = normalized_mutual_info_score(
        labels.cpu().numpy(), clusters.cpu().numpy(), average_method="geometric"
    )
    return float(found)
