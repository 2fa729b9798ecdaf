"""The one LightningModule, and what surrounds it: progress, log, checkpoints without pickle.

A checkpoint is a safetensors file: the tensors of the task and of the optimiser, and the number of
steps done. Batches and dropout depend on the seed and the step alone, and a checkpoint is written
between steps only: interrupted training goes on as if it had not been, to the last bit.
"""

from __future__ import annotations

import json
import logging
import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from facetwise.data.sampling import generator_of
from facetwise.errors import InputError
from facetwise.files import write_bytes, write_text
from facetwise.progress import Bar, bar
from facetwise.training.task import Task
from facetwise.training.watch import Watch

__all__ = ["train"]

_EVERY_SECONDS: Final = 20.0
"""Between checkpoints; what a killed process loses at most."""


def train(task: Task, folder: Path, name: str, *, seed: int, watch: Watch | None = None) -> None:
    """Train `task` to its last step, from its checkpoint in `folder` if there is one.

    Args:
        task: model, data and loss; its model is changed in place.
        folder: where ``NAME.checkpoint.safetensors`` and ``log.jsonl`` go.
        name: of the task, for these files.
        seed: of dropout; batches have the task's own.
        watch: measures the model on the way; at the end it has the weights of its best moment.

    Raises:
        KeyboardInterrupt: at the end of the step, after writing a checkpoint.
        InputError: the loss is no longer a number, or the checkpoint cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    module = _Module(task, seed)
    checkpoint, log = folder / f"{name}.checkpoint.safetensors", folder / "log.jsonl"
    with (
        _quiet(),
        _deterministic(),
        _between_steps() as interrupted,
        bar(task.what, task.steps) as progress,
    ):
        done = _restore(module, checkpoint) if checkpoint.exists() else 0
        _rewind(log, name, done)
        progress.advance(done)
        best = _Best(task, watch, folder / f"{name}.best.safetensors") if watch else None
        if done >= task.steps:
            if best is not None:
                best.restore()
            return
        follower = _Follower(module, checkpoint, log, name, progress, interrupted, best)
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
            # A pretrained tower's batch norms keep their statistics.
            warnings.filterwarnings("ignore", ".*in eval mode at the start of training.*")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=FutureWarning)
            try:
                trainer.fit(module, steps)
            except SystemExit:  # Lightning's answer to Ctrl-C
                raise KeyboardInterrupt from None
        if trainer.interrupted:
            raise KeyboardInterrupt
        follower.save()
        if best is not None:
            best.restore()


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

    def __init__(self, task: Task, seed: int) -> None:
        super().__init__()
        self.task = task
        self.seed = seed
        self.done = 0
        self.whole = True
        """False while the weights are between two steps."""
        self.figures: dict[str, float] = {}
        own: Callable[[], torch.optim.Optimizer] | None = getattr(task, "optimizer", None)
        self.optimizer = own() if own else torch.optim.AdamW(task.parameter_groups())

    def training_step(self, step: int) -> Tensor:
        # Dropout draws from the global generator. Seeded by the step (and unlike the batches),
        # it does not care what was drawn before.
        torch.set_rng_state(generator_of(-1 - self.seed, int(step)).get_state())
        loss, self.figures = self.task.loss(int(step))
        self.figures = {"loss": float(loss.detach()), **self.figures}
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        self.whole = False

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
        self,
        module: _Module,
        checkpoint: Path,
        log: Path,
        name: str,
        progress: Bar,
        interrupted: Callable[[], bool],
        best: _Best | None,
    ) -> None:
        self.best = best
        self.module, self.checkpoint, self.log_file, self.name = module, checkpoint, log, name
        self.progress, self.interrupted = progress, interrupted
        self.last = time.monotonic()

    def on_train_batch_end(self, *_: Any) -> None:
        module = self.module
        module.done += 1
        module.whole = True
        loss = module.figures["loss"]
        if not math.isfinite(loss):
            raise InputError(
                f"{self.log_file.parent}: the loss of {self.name} is not a number at step "
                f"{module.done}; lower {self.name}.training.lr"
            )
        measured = self.best.measure(module.done) if self.best is not None else None
        if measured is not None:
            module.figures["watched"] = measured
        self.progress.note(f"loss {loss:.3f}")
        self.progress.advance()
        steps = module.task.steps
        if module.done % max(1, steps // 60) == 0 or module.done == steps or measured is not None:
            line = {"task": self.name, "step": module.done, **module.figures}
            with self.log_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        if self.interrupted():
            raise KeyboardInterrupt
        if time.monotonic() - self.last > _EVERY_SECONDS:
            self.save()

    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt | SystemExit) and self.module.whole:
            self.save()

    def save(self) -> None:
        from safetensors.torch import save

        module = self.module
        tensors = {f"task.{name}": value for name, value in _state(module).items()}
        for index, state in module.optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value)
        tensors["done"] = torch.tensor(module.done)
        whole = {name: value.detach().contiguous() for name, value in tensors.items()}
        write_bytes(self.checkpoint, save(whole))
        self.last = time.monotonic()


class _Best:
    """The weights of the best moment so far, on disk beside the checkpoint."""

    def __init__(self, task: Task, watch: Watch, file: Path) -> None:
        self.task, self.watch, self.file = task, watch, file

    def measure(self, done: int) -> float | None:
        """Measure if it is time to, and keep the weights if they are the best."""
        from safetensors.torch import save

        if done % self.watch.every and done != self.task.steps:
            return None
        model = self.task.model
        model.eval()
        # The batches and dropout of the next step must not depend on whether somebody measured.
        state = torch.get_rng_state()
        with torch.no_grad():
            score = self.watch.score()
        torch.set_rng_state(state)
        model.train()
        if score > self._kept():
            tensors = {k: v.detach().contiguous() for k, v in model.state_dict().items()}
            about = {"score": repr(score), "step": str(done)}
            write_bytes(self.file, save(tensors, metadata=about))
        return score

    def restore(self) -> None:
        """Give the model its best weights back."""
        from safetensors.torch import load_file

        if self.file.exists():
            self.task.model.load_state_dict(load_file(self.file))

    def _kept(self) -> float:
        from safetensors import safe_open

        if not self.file.exists():
            return -math.inf
        with safe_open(self.file, "pt") as file:
            return float(file.metadata()["score"])


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
        module.done = int(tensors["done"])
    except (SafetensorError, RuntimeError, KeyError, ValueError, OSError) as error:
        raise InputError(
            f"{checkpoint} cannot be read ({' '.join(str(error).split())[:120]}); delete it to "
            "train anew"
        ) from error
    return module.done


def _rewind(log: Path, name: str, done: int) -> None:
    """Drop the lines of steps that a killed process had logged but not kept."""

    def kept(line: str) -> bool:
        try:
            entry = json.loads(line)
        except ValueError:  # the process died while it wrote
            return False
        return bool(entry["task"] != name or entry["step"] <= done)

    if log.exists():
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if kept(line)]
        if whole != lines:
            write_text(log, "".join(whole))


@contextmanager
def _between_steps() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C wait for the end of the step, so that none is left half done; a second one acts.

    Yields:
        Tells whether somebody is waiting.
    """
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield asked.is_set
        return

    def handle(*_: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, handle)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Equal bits from equal seeds; the global generator and the switches are put back after."""
    state, strict = torch.get_rng_state(), torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    # Some gradients are else added up by several threads in whatever order they come.
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.set_rng_state(state)
        torch.use_deterministic_algorithms(strict)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning says what it found of GPUs and workers; that is not the user's business."""
    loggers = [logging.getLogger(f"lightning.{name}") for name in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
