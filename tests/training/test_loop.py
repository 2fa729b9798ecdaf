"""Training goes on after an interruption as if there had been none, to the last bit."""

from __future__ import annotations

import json
import os
import signal

import pytest
import torch
from torch import nn

from facetwise.errors import InputError
from facetwise.training import loop
from facetwise.training.loop import train


class Line(nn.Module):
    """Fits a line through dropout; remembers the steps it was asked for."""

    what = "a line"
    clip = 1.0

    def __init__(self, steps=12):
        super().__init__()
        self.steps = steps
        g = torch.Generator().manual_seed(0)
        self.model = nn.Sequential(nn.Dropout(0.5), nn.Linear(16, 1))
        self.model[1].weight.data = torch.randn(1, 16, generator=g)
        self.model[1].bias.data.zero_()
        self.x = torch.randn(64, 16, generator=g)
        self.asked = []
        self.at = {}

    def loss(self, step):
        self.asked.append(step)
        torch.rand(3)  # what else draws from the global generator makes no difference
        loss = (self.model(self.x) - self.x.sum(1, keepdim=True)).square().mean()
        self.at.get(step, lambda: None)()
        return loss, {"figure": float(step)}

    def parameter_groups(self):
        return [{"params": list(self.model.parameters()), "lr": 0.1, "weight_decay": 0.01}]

    def schedule(self, step):
        return 1 - step / self.steps


def interrupt():
    raise KeyboardInterrupt


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    task = Line()
    train(task, folder, "line", seed=3)
    return task, (folder / "log.jsonl").read_text()


def weights(task):
    return [value.clone() for value in task.state_dict().values()]


def test_the_loss_falls(whole):
    _, log = whole
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert [line["figure"] for line in lines] == list(range(12))
    assert lines[-1]["loss"] < lines[0]["loss"]


@pytest.mark.parametrize("how", [interrupt, ctrl_c])
@pytest.mark.parametrize("step", [0, 7, 11])
def test_interrupted_and_resumed_is_uninterrupted(whole, tmp_path, how, step):
    task = Line()
    task.at[step] = how
    with pytest.raises(KeyboardInterrupt):
        train(task, tmp_path, "line", seed=3)
    # an exception throws the step away, Ctrl-C waits for its end
    first = step if how is interrupt else step + 1
    task = Line()
    train(task, tmp_path, "line", seed=3)
    assert task.asked == list(range(first, 12))
    assert all(map(torch.equal, weights(task), weights(whole[0])))
    assert (tmp_path / "log.jsonl").read_text() == whole[1]


def test_a_killed_process_loses_what_it_did_since_the_last_checkpoint(whole, tmp_path, monkeypatch):
    task = Line()
    task.at[5] = interrupt
    with pytest.raises(KeyboardInterrupt):
        train(task, tmp_path, "line", seed=3)
    # as if the process had then done two more steps, and died while it logged the next
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"task": "line", "step": 6}\n{"task": "line", "step": 7}\n{"task": "li')
    task = Line()
    train(task, tmp_path, "line", seed=3)
    assert all(map(torch.equal, weights(task), weights(whole[0])))
    assert (tmp_path / "log.jsonl").read_text() == whole[1]


def test_a_step_that_was_left_half_done_is_not_kept(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_EVERY_SECONDS", 0)  # a checkpoint after each step
    step = torch.optim.AdamW.step
    count = 0

    def dying(self, closure=None):
        nonlocal count
        out = step(self, closure)
        count += 1
        if count == 4:
            raise KeyboardInterrupt  # the weights have moved, the step is not counted
        return out

    monkeypatch.setattr(torch.optim.AdamW, "step", dying)
    with pytest.raises(KeyboardInterrupt):
        train(Line(), tmp_path, "line", seed=3)
    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    task = Line()
    train(task, tmp_path, "line", seed=3)
    assert task.asked == list(range(3, 12))
    assert all(map(torch.equal, weights(task), weights(whole[0])))


def test_what_is_finished_is_not_trained_again(whole, tmp_path):
    train(Line(), tmp_path, "line", seed=3)
    task = Line()
    train(task, tmp_path, "line", seed=3)
    assert task.asked == []
    assert all(map(torch.equal, weights(task), weights(whole[0])))


def test_another_seed_drops_other_things(whole, tmp_path):
    task = Line()
    train(task, tmp_path, "line", seed=4)
    assert not all(map(torch.equal, weights(task), weights(whole[0])))


def test_the_world_outside_is_left_as_it_was(tmp_path):
    task = Line(2)
    state, handler = torch.get_rng_state(), signal.getsignal(signal.SIGINT)
    task.at[1] = ctrl_c
    with pytest.raises(KeyboardInterrupt):
        train(task, tmp_path, "line", seed=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_training(tmp_path, bad):
    task = Line()
    task.at[2] = lambda: task.x.fill_(bad)
    with pytest.raises(InputError, match="loss of line is not a number at step 4; lower line"):
        train(task, tmp_path, "line", seed=0)


def test_a_damaged_checkpoint_names_the_file(tmp_path):
    (tmp_path / "line.checkpoint.safetensors").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"line\.checkpoint\.safetensors cannot be read .* delete"):
        train(Line(), tmp_path, "line", seed=0)


def test_a_checkpoint_of_another_model_names_the_file(tmp_path):
    train(Line(2), tmp_path, "line", seed=0)
    task = Line(3)
    task.model[1] = nn.Linear(16, 2)
    with pytest.raises(InputError, match=r"line\.checkpoint\.safetensors cannot be read"):
        train(task, tmp_path, "line", seed=0)
