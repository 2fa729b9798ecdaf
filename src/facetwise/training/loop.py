"""The one LightningModule, and what surrounds it: progress, log, checkpoints without pickle.

A checkpoint is a safetensors file: the task's tensors, the optimiser's, the state of the random
generator and the number of steps done. Batches depend on the step alone, so training that was
interrupted goes on as if it had not been.
"""

from __future__ import annotations

import json
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from facetwise.data.sampling import generator_of
from facetwise.errors import InputError
from facetwise.files import write_bytes
from facetwise.progress import Bar, bar
from facetwise.training.tasks import Task

__all__ = ["train"]

_EVERY_SECONDS: Final = 20.0
"""Between checkpoints; what a killed process loses at most."""


def train(task: Task, folder: Path, name: str, *, seed: int) -> None:
    """Train `task` to its last step, from its checkpoint in `folder` if there is one.

    Args:
        task: model, data and loss; its model is changed in place.
        folder: where ``NAME.checkpoint.safetensors`` and ``log.jsonl`` go.
        name: of the task, for these files.
        seed: of dropout; batches have the task's own.

    Raises:
        KeyboardInterrupt: after writing a checkpoint.
        InputError: the loss is no longer a number, or the checkpoint cannot be read.
    """
    module = _Module(task)
    checkpoint = folder / f"{name}.checkpoint.safetensors"
    with _own_randomness(seed), bar(task.what, task.steps) as progress:
        done = _restore(module, checkpoint) if checkpoint.exists() else 0
        progress.advance(done)
        if done >= task.steps:
            return
        follower = _Follower(module, checkpoint, folder / "log.jsonl", name, progress)
        trainer = lightning.Trainer(
            max_steps=task.steps - done,
            accelerator="cpu",  # frozen features are in main memory, and the heads are small
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            gradient_clip_val=task.clip,
            callbacks=[follower],
        )
        steps = DataLoader(_Steps(done, task.steps), batch_size=None)
        with warnings.catch_warnings():
            # One worker is right: a batch is a number, features are in memory.
            warnings.filterwarnings("ignore", ".*does not have many workers.*")
            warnings.filterwarnings("ignore", ".*GPU available but not used.*")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=FutureWarning)
            try:
                trainer.fit(module, steps)
            except SystemExit:  # Lightning's answer to Ctrl-C
                raise KeyboardInterrupt from None
        if trainer.interrupted:
            raise KeyboardInterrupt
        follower.save()


class _Steps(Dataset[int]):
    """The numbers of the steps that are left."""

    def __init__(self, first: int, end: int) -> None:
        self.first, self.end = first, end

    def __len__(self) -> int:
        return self.end - self.first

    def __getitem__(self, index: int) -> int:
        return self.first + index


class _Module(lightning.LightningModule):
    """A task as Lightning wants it."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        self.done = 0
        self.figures: dict[str, float] = {}
        self.optimizer = torch.optim.AdamW(task.parameter_groups())

    def training_step(self, step: int) -> Tensor:
        loss, self.figures = self.task.loss(int(step))
        self.figures = {"loss": float(loss.detach()), **self.figures}
        return loss

    def configure_optimizers(self) -> Any:
        # The schedule counts steps from the very first, also after an interruption.
        first = self.done
        schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: self.task.schedule(first + step)
        )
        return {
            "optimizer": self.optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class _Follower(lightning.Callback):
    """Progress, log lines and checkpoints."""

    def __init__(
        self, module: _Module, checkpoint: Path, log: Path, name: str, progress: Bar
    ) -> None:
        self.module, self.checkpoint, self.log_file, self.name = module, checkpoint, log, name
        self.progress = progress
        self.last = time.monotonic()

    def on_train_batch_end(self, *_: Any) -> None:
        module = self.module
        module.done += 1
        loss = module.figures["loss"]
        if loss != loss:  # NaN
            raise InputError(
                f"{self.log_file.parent}: the loss of {self.name} is not a number at step "
                f"{module.done}; lower {self.name}.training.lr"
            )
        self.progress.note(f"loss {loss:.3f}")
        self.progress.advance()
        steps = module.task.steps
        if module.done % max(1, steps // 60) == 0 or module.done == steps:
            line = {"task": self.name, "step": module.done, **module.figures}
            with self.log_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        if time.monotonic() - self.last > _EVERY_SECONDS:
            self.save()

    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt | SystemExit):
            self.save()

    def save(self) -> None:
        from safetensors.torch import save

        module = self.module
        tensors = {f"task.{name}": value for name, value in _state(module).items()}
        for index, state in module.optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value)
        tensors["random"] = torch.get_rng_state()
        tensors["done"] = torch.tensor(module.done)
        whole = {name: value.detach().contiguous() for name, value in tensors.items()}
        write_bytes(self.checkpoint, save(whole))
        self.last = time.monotonic()


def _state(module: _Module) -> dict[str, Tensor]:
    assert isinstance(module.task, nn.Module)
    return dict(module.task.state_dict())


def _restore(module: _Module, checkpoint: Path) -> int:
    """Bring everything back to where the checkpoint was written; returns the steps done."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    assert isinstance(module.task, nn.Module)
    try:
        tensors = load_file(checkpoint)
        own = {k.removeprefix("task."): v for k, v in tensors.items() if k.startswith("task.")}
        module.task.load_state_dict(own)
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                state.setdefault(int(index), {})[key] = value
        options = module.optimizer.state_dict()["param_groups"]
        module.optimizer.load_state_dict({"state": state, "param_groups": options})
        torch.set_rng_state(tensors["random"])
        module.done = int(tensors["done"])
    except (SafetensorError, RuntimeError, KeyError, ValueError, OSError) as error:
        raise InputError(
            f"{checkpoint} cannot be read ({' '.join(str(error).split())[:120]}); delete it to "
            "train anew"
        ) from error
    return module.done


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Dropout draws from the global generator: give it a state of our own, then the old back."""
    loggers = [logging.getLogger(f"lightning.{name}") for name in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    before = torch.get_rng_state()
    torch.set_rng_state(generator_of(seed, -1).get_state())
    try:
        yield
    finally:
        torch.set_rng_state(before)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
