"""PAN's conditional similarity: conditions, and how relevant each is to a pair (METHODS 1.1)."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ConditionalSimilarity", "PairScore", "steer"]


class PairScore(NamedTuple):
    """What is known about P pairs; `score` is the sum of `conditions * relevance`."""

    score: Tensor  # p: (P,) in [0, 1]
    conditions: Tensor  # s: (P, M) in [0, 1], how much the pair agrees under each condition
    relevance: Tensor  # w: (P, M), non-negative, sums to 1


class ConditionalSimilarity(nn.Module):
    """Similarity of pairs of feature vectors under M learned conditions (PAN; METHODS 1.1).

    g = |h1 - h2|,  s = sigmoid(W1 g + b1),  w = softmax(W2 g + b2),  p = sum_m s_m w_m

    Symmetric in the two items. W1 and W2 are (M, d): a row for each condition. With `power` q,
    ours, g = |h1 - h2|^q: with q = 2 a condition starts as the cosine of unit vectors, which most
    features are made for, with q = 1 as their L1 distance; between the two lies a bit of either.

    Args:
        dim: d, width of the features.
        conditions: M, how many.
        init: `"metric"` starts at a distance: every row of W1 is -a / (d * mean|difference|), b1 =
            .9 a, W2 is near 0, so that training can only improve on (negated) L1; call `calibrate`
            to set the scale from the data. `"xavier"` is the paper's start, Xavier-uniform weights
            and zero biases; on frozen features it ends 13 to 23 points lower (FIELDNOTES, PAN 1).
        generator: randomness of the start.
        a: steepness of the metric start; an average pair starts at sigmoid(-a / 10).
        power: q, from 1, the paper's, to 2.
        soft_minimum: start of kappa (M,) in w = softmax(W2 g + b2 + kappa (1 - s)): the respects in
            which a pair differs count more, so that relevance depends on the pair from the first
            step. Ours; 0 is the paper's, and then there is nothing to learn.
    """

    def __init__(
        self,
        dim: int,
        conditions: int,
        *,
        init: Literal["metric", "xavier"] = "metric",
        generator: torch.Generator | None = None,
        a: float = 10.0,
        power: float = 1.0,
        soft_minimum: float = 0.0,
    ) -> None:
        super().__init__()
        if dim < 1 or conditions < 1:
            raise ValueError(f"dim and conditions must be positive, not {dim} and {conditions}")
        self.W1 = nn.Parameter(torch.empty(conditions, dim))
        self.b1 = nn.Parameter(torch.zeros(conditions))
        self.W2 = nn.Parameter(torch.empty(conditions, dim))
        self.b2 = nn.Parameter(torch.zeros(conditions))
        self.a = a
        if not 1 <= power <= 2:
            raise ValueError(f"power must be from 1 to 2, not {power}")
        self.power = float(power)
        kappa = torch.full((conditions,), float(soft_minimum))
        if soft_minimum:
            self.kappa = nn.Parameter(kappa)
        else:
            self.register_buffer("kappa", kappa)
        if init == "metric":
            # The difference of two random unit vectors has variance 2 / d in a coordinate: this is
            # the mean of its absolute value to the power q, if it is normal.
            moment = math.gamma((self.power + 1) / 2) / math.sqrt(math.pi)
            self._start_as_metric((4 / dim) ** (self.power / 2) * moment, generator)
        elif init == "xavier":
            nn.init.xavier_uniform_(self.W1, generator=generator)
            nn.init.xavier_uniform_(self.W2, generator=generator)
        else:
            raise ValueError(f'init must be "metric" or "xavier", not {init!r}')

    @torch.no_grad()
    def _start_as_metric(
        self, mean_difference: float, generator: torch.Generator | None = None
    ) -> None:
        self.W1.fill_(-self.a / (self.W1.shape[1] * mean_difference))
        self.b1.fill_(0.9 * self.a)
        # Small, so that all conditions start about equally relevant; not zero, or they would all
        # get the same gradient and stay one condition.
        self.W2.normal_(std=0.01, generator=generator)
        self.b2.zero_()

    @torch.no_grad()
    def calibrate(
        self, features: Tensor, generator: torch.Generator | None = None, *, pairs: int = 10_000
    ) -> None:
        """Start (again) as a metric, at the scale of `features`, (N, d), over random pairs of them.

        Raises:
            ValueError: features of another width, fewer than two, or all the same.
        """
        mean_difference = self._mean_difference(features, generator, pairs).mean().item()
        self._start_as_metric(mean_difference, generator)

    @torch.no_grad()
    def start_in_blocks(
        self,
        features: Tensor,
        generator: torch.Generator | None = None,
        *,
        widths: Sequence[int] | None = None,
        shares: Tensor | None = None,
        pairs: int = 10_000,
    ) -> None:
        """Start (again) as M metrics, each on blocks of the features, (N, d).

        Row m of W1 is -a c_mb / (width_b * mean|difference in block b|) in block b, where the
        shares c_m sum to 1. By default there are M equal blocks, one for each condition.
        Ours, not the paper's: conditions that start alike on the same features stay alike, and
        then weighing one against another changes nothing.

        Args:
            features: (N, d).
            generator: of the pairs, and of the start of W2.
            widths: of the B blocks; they sum to d.
            shares: (M, B) how much of each block a condition looks at.
            pairs: random ones that tell the mean difference.

        Raises:
            ValueError: blocks or shares do not fit, or the features do not (as in `calibrate`).
        """
        conditions, dim = self.W1.shape
        if widths is None:
            if dim % conditions:
                raise ValueError(f"{dim} features cannot be cut into {conditions} equal blocks")
            widths = [dim // conditions] * conditions
        shares = torch.eye(conditions) if shares is None else shares
        if sum(widths) != dim or shares.shape != (conditions, len(widths)):
            raise ValueError(
                f"blocks {list(widths)} and shares {tuple(shares.shape)} do not fit {conditions} "
                f"conditions on {dim} features"
            )
        parts = self._mean_difference(features, generator, pairs).split(list(widths))
        totals = torch.stack([part.sum() for part in parts]).clamp_min(1e-12)
        self._start_as_metric(1.0, generator)
        each = -self.a * shares.to(totals) / totals
        self.W1.copy_(each.repeat_interleave(torch.tensor(list(widths)), dim=1))

    def _mean_difference(
        self, features: Tensor, generator: torch.Generator | None, pairs: int
    ) -> Tensor:
        """(d,) mean g over random pairs of the features (N, d)."""
        n = len(features)
        if features.dim() != 2 or features.shape[1] != self.W1.shape[1] or n < 2:
            raise ValueError(
                f"features must be (N, {self.W1.shape[1]}) with N > 1, not {tuple(features.shape)}"
            )
        i = torch.randint(n, (pairs,), generator=generator)
        j = (i + torch.randint(1, n, (pairs,), generator=generator)) % n  # never i itself
        i, j = i.to(features.device), j.to(features.device)
        difference = self._joint_(features[i].float() - features[j].float()).mean(0)
        if not difference.mean() > 0 or not difference.isfinite().all():
            raise ValueError(f"the mean difference of features is {difference.mean().item()}")
        return difference

    def forward(self, h1: Tensor, h2: Tensor) -> PairScore:
        """h1, h2: (P, d) -> score (P,), conditions (P, M), relevance (P, M), in float32 at least.

        >>> pan = ConditionalSimilarity(2, conditions=3)
        >>> h = torch.tensor([[0.6, 0.8], [1.0, 0.0]])
        >>> score, conditions, relevance = pan(h, h.flip(0))
        >>> score.shape, conditions.shape, relevance.shape
        (torch.Size([2]), torch.Size([2, 3]), torch.Size([2, 3]))
        """
        if h1.dim() != 2 or h1.shape != h2.shape or h1.shape[1] != self.W1.shape[1]:
            raise ValueError(
                f"pairs must be two (P, {self.W1.shape[1]}), "
                f"not {tuple(h1.shape)} and {tuple(h2.shape)}"
            )
        g = (h1 - h2).abs() if self.power < 2 else (h1 - h2).square()
        if 1 < self.power < 2:
            g = g**self.power
        g = g.to(self.W1.dtype)
        s = torch.sigmoid(_wide(F.linear(g, self.W1, self.b1)))
        w = torch.softmax(_wide(F.linear(g, self.W2, self.b2)) + self.kappa * (1 - s), dim=-1)
        return PairScore((s * w).sum(-1), s, w)

    @torch.no_grad()
    def against(
        self,
        query: Tensor,
        gallery: Tensor,
        *,
        factors: Tensor | Sequence[float] | None = None,
        tile: int = 1024,
    ) -> Tensor:
        """Scores of all pairs, query (Q, d) and gallery (N, d) -> (Q, N); for search, no gradients.

        At most about `tile` rows of |differences| are in memory at a time, multiplied by W1 and W2
        in one product while they are still in the processor's cache. `factors` (M,) steer as in
        `steer`.
        """
        d = self.W1.shape[1]
        if query.dim() != 2 or gallery.dim() != 2 or query.shape[1] != d or gallery.shape[1] != d:
            raise ValueError(
                f"query and gallery must be (Q, {d}) and (N, {d}), "
                f"not {tuple(query.shape)} and {tuple(gallery.shape)}"
            )
        if tile < 1:
            raise ValueError(f"tile must be at least 1, not {tile}")
        q, n = len(query), len(gallery)
        query, gallery = query.to(self.W1.dtype), gallery.to(self.W1.dtype)
        weight, bias = self._stacked(factors)
        columns = max(1, min(n, tile))
        rows = max(1, min(q, tile // columns))
        score = torch.empty(q, n, dtype=_wide(self.b1).dtype, device=query.device)
        differences = torch.empty(rows * columns, d, dtype=weight.dtype, device=query.device)
        for i in range(0, q, rows):
            for j in range(0, n, columns):
                h1, h2 = query[i : i + rows, None], gallery[None, j : j + columns]
                pairs = len(h1) * h2.shape[1]
                g = differences[:pairs].view(len(h1), -1, d)
                self._joint_(torch.sub(h1, h2, out=g))
                found = _scores(g.view(pairs, d), weight, bias, self.kappa)
                score[i : i + rows, j : j + columns] = found.view(len(h1), -1)
        return score

    @torch.no_grad()
    def listed(
        self,
        h: Tensor,
        r: Tensor,
        c: Tensor,
        *,
        factors: Tensor | Sequence[float] | None = None,
        tile: int = 1024,
    ) -> Tensor:
        """Scores (P,) of the listed pairs of rows r (P,) and c (P,) of h (N, d); no gradients.

        As `against`: at most `tile` rows of |differences| are in memory at a time.
        """
        d = self.W1.shape[1]
        if h.dim() != 2 or h.shape[1] != d or r.dim() != 1 or r.shape != c.shape:
            raise ValueError(
                f"expected features (N, {d}) and two lists of P rows, "
                f"not {tuple(h.shape)}, {tuple(r.shape)} and {tuple(c.shape)}"
            )
        h = h.to(self.W1.dtype)
        weight, bias = self._stacked(factors)
        score = torch.empty(len(r), dtype=_wide(self.b1).dtype, device=h.device)
        pairs = torch.stack([r, c], dim=1)
        signs = h.new_tensor([1.0, -1.0]).repeat(min(tile, len(r)), 1)
        for start in range(0, len(r), tile):
            part = pairs[start : start + tile]
            # A weighted bag of two rows is their difference, without a copy of either row.
            g = F.embedding_bag(part, h, mode="sum", per_sample_weights=signs[: len(part)])
            score[start : start + tile] = _scores(self._joint_(g), weight, bias, self.kappa)
        return score

    @torch.no_grad()
    def against_many(
        self, query: Tensor, gallery: Tensor, factors: Tensor, *, tile: int = 1024
    ) -> Tensor:
        """`against` for F ways to steer at once: factors (F, M) -> (F, Q, N).

        Conditions and relevance of a pair are found once; each way to steer is then one more row of
        a matrix product: p_f = sum_m f_m e_m s_m / sum_m f_m e_m with e = exp(W2 g + b2 - max).

        >>> pan = ConditionalSimilarity(2, conditions=2)
        >>> h = torch.tensor([[0.6, 0.8], [1.0, 0.0], [0.0, 1.0]])
        >>> pan.against_many(h[:1], h, torch.tensor([[1.0, 1.0], [3.0, 1.0]])).shape
        torch.Size([2, 1, 3])
        """
        if factors.dim() != 2 or len(factors) == 0:
            raise ValueError(f"expected factors (F, M), not {tuple(factors.shape)}")
        f = torch.stack([_log_factors(row, _wide(self.b2)).exp() for row in factors])
        weight, bias = self._stacked(None)
        q, n, m = len(query), len(gallery), len(self.b1)
        query, gallery = query.to(self.W1.dtype), gallery.to(self.W1.dtype)
        score = torch.empty(len(f), q, n, dtype=f.dtype, device=query.device)
        for i in range(q):
            for j in range(0, n, tile):
                g = self._joint_(query[i] - gallery[j : j + tile])
                u = _wide(torch.addmm(bias, weight, g.T))
                s = u[:m].sigmoid()
                e = u[m:].add_(self.kappa[:, None] * (1 - s))
                e = (e - e.amax(0)).exp_()
                mass = f @ e
                part = (f @ (e * s)).div_(mass)
                # Where what is left of the relevance is too little to divide by, the slow way.
                thin = mass < 1e-20
                if bool(thin.any()):
                    way, pair = thin.nonzero(as_tuple=True)
                    left = torch.softmax(u[m:, pair].T + f[way].log(), dim=-1)
                    part[way, pair] = (left * s[:, pair].T).sum(-1)
                score[:, i, j : j + tile] = part
        return score

    def _joint_(self, difference: Tensor) -> Tensor:
        """g, in the place of h1 - h2; without gradients."""
        if self.power == 2:
            return difference.square_()
        g = difference.abs_()
        return g if self.power == 1 else g.pow_(self.power)

    def _stacked(self, factors: Tensor | Sequence[float] | None) -> tuple[Tensor, Tensor]:
        """W1 over W2 (2M, d) and b1 over b2 (2M, 1), steered."""
        m = len(self.b1)
        weight = torch.cat([self.W1, self.W2])
        bias = torch.cat([self.b1, self.b2]).unsqueeze(1)
        if factors is not None:
            bias[m:, 0] += _log_factors(factors, self.b2)
        return weight, bias


def _scores(g: Tensor, weight: Tensor, bias: Tensor, kappa: Tensor) -> Tensor:
    """|differences| (P, d) -> p (P,), with one product for conditions and relevance."""
    m = len(bias) // 2
    # (2M, P), so that what follows runs along whole rows of pairs; the product is faster this way
    # round, too.
    u = _wide(torch.addmm(bias, weight, g.T))
    s, w = u[:m].sigmoid_(), u[m:]
    if bool(kappa.any()):
        w = w.add_(kappa[:, None] * (1 - s))
    w = w.sub_(w.amax(0)).exp_()
    return s.mul_(w).sum(0).div_(w.sum(0))


def steer(pairs: PairScore, factors: Tensor | Sequence[float]) -> PairScore:
    """Multiply the relevance by the user's factors (M,), renormalise, and score again.

    A factor of 1 leaves a condition as it is, 3 makes it count three times as much, 0 not at all.

    Raises:
        ValueError: not M factors, a negative or infinite one, or all of them 0.

    >>> half = torch.tensor([[0.5, 0.5]])
    >>> steered = steer(PairScore(torch.tensor([0.5]), torch.tensor([[1.0, 0.0]]), half), [3, 1])
    >>> steered.score, steered.relevance
    (tensor([0.7500]), tensor([[0.7500, 0.2500]]))
    """
    w = pairs.relevance
    # In logs, so that weights too small to multiply still share what the others give up.
    log_w = w.clamp_min(torch.finfo(w.dtype).tiny).log() + _log_factors(factors, w)
    w = torch.softmax(log_w, dim=-1)
    return PairScore((pairs.conditions * w).sum(-1), pairs.conditions, w)


def _log_factors(factors: Tensor | Sequence[float], like: Tensor) -> Tensor:
    f = torch.as_tensor(factors, dtype=like.dtype, device=like.device)
    if f.shape != like.shape[-1:]:
        raise ValueError(f"expected {like.shape[-1]} factors, not {tuple(f.shape)}")
    if not bool((f >= 0).all() & f.isfinite().all() & (f > 0).any()):
        raise ValueError(f"factors must be finite and not negative, with one above 0: {f.tolist()}")
    return f.log()


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
