"""SGD whose weights are drawn back every few steps to where they were: VirTex's optimiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import torch

__all__ = ["LookAheadSGD"]


class LookAheadSGD(torch.optim.SGD):
    """SGD with momentum (the fast weights theta), and LookAhead around it (Zhang et al. 2019).

    After every k steps the slow weights go a part of the way, phi += alpha (theta - phi), and the
    fast ones start again from there, with the momentum that they have. The model has the fast
    weights; right after a k-th step the two are equal.

    Args:
        params: parameters, or groups of them with options of their own.
        lr: of the groups that name none.
        momentum: .9 in VirTex.
        weight_decay: of the groups that name none; 1e-4 in VirTex.
        alpha: .5 in VirTex.
        k: 5 in VirTex.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        alpha: float = 0.5,
        k: int = 5,
    ) -> None:
        super().__init__(params, lr, momentum=momentum, weight_decay=weight_decay)
        self.alpha, self.k = alpha, k

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One step of SGD; every k-th ends at the slow weights."""
        # Before the step: a parameter's first slow weights are those that it starts from.
        for theta in self._moving():
            state = self.state[theta]
            if "slow" not in state:
                state["slow"], state["steps"] = theta.detach().clone(), torch.zeros(())
        loss: float | None = super().step(closure)
        for theta in self._moving():
            state = self.state[theta]
            state["steps"] += 1
            if int(state["steps"]) % self.k == 0:
                theta.copy_(state["slow"].lerp_(theta, self.alpha))
        return loss

    def _moving(self) -> list[torch.Tensor]:
        return [p for group in self.param_groups for p in group["params"] if p.requires_grad]
