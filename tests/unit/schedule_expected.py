#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints schedule_expected.h: learning rates of PyTorch's schedules, and what its optimizers make of a dense layer step
by step, in f64, for schedule_test.c. Run by hand."""
import torch
from torch.optim import swa_utils
from torch.optim import lr_scheduler as schedules

from expected import header, numbers, show


def rates(steps, make, *scores):
    """The rate of each step, or epoch; `scores` are told after each."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, seen = make(optimizer), []
    for step in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(*[score[step] for score in scores])
    return torch.tensor(seen)


def warm(optimizer, steps, then):
    first = schedules.LinearLR(optimizer, 1 / steps, 1.0, steps - 1)
    return schedules.SequentialLR(optimizer, [first, then(optimizer)], [steps])


LOSSES = [1.0, 0.9, 0.9, 0.89995, 0.91, 0.9, 0.8, 0.81, 0.85, 0.82, 0.83, 0.84, 0.7, 0.71]


def curves():
    show("cosine", rates(10, lambda o: schedules.CosineAnnealingLR(o, 10, 0.125)))
    show("warm_cosine", rates(14, lambda o: warm(o, 4, lambda p: schedules.CosineAnnealingLR(p, 10))))
    show("restarts", rates(30, lambda o: schedules.CosineAnnealingWarmRestarts(o, 4, 2, 0.25)))
    show("even_restarts", rates(13, lambda o: schedules.CosineAnnealingWarmRestarts(o, 5)))
    show("step", rates(11, lambda o: schedules.StepLR(o, 3, 0.3)))
    show("warm_step", rates(11, lambda o: warm(o, 2, lambda p: schedules.StepLR(p, 4, 0.5))))
    show("exponential", rates(8, lambda o: schedules.ExponentialLR(o, 0.8)))
    show("one_cycle", rates(20, lambda o: schedules.OneCycleLR(o, 1.0, 20, cycle_momentum=False)))
    show("one_cycle_late", rates(13, lambda o: schedules.OneCycleLR(o, 1.0, 13, pct_start=0.55, cycle_momentum=False)))
    for patience in (0, 2):
        show("plateau_%d" % patience, rates(len(LOSSES), lambda o: schedules.ReduceLROnPlateau(o, factor=0.5, patience=patience),
                                            LOSSES))


ROWS, INPUTS, CLASSES, STEPS = 4, 128, 3, 6


def batch(step):
    """The pictures' features and labels: see schedule_test.c."""
    return numbers(ROWS * INPUTS, step).reshape(ROWS, INPUTS), torch.tensor([step % 3, 0, 1, (step + 1) % 3])


def learn(name, make, clip=0.0, parts=1, one_cycle=False):
    """A dense layer: its bias has a third of the rate and a decay of its own; a moving average of 0.75."""
    layer = torch.nn.Linear(INPUTS, CLASSES)
    with torch.no_grad():
        layer.weight.copy_(numbers(CLASSES * INPUTS, 7).reshape(CLASSES, INPUTS) / 8)
        layer.bias.copy_(numbers(CLASSES, 9))
    groups = [{"params": [layer.weight], "lr": 0.1, "weight_decay": 0.25},
              {"params": [layer.bias], "lr": 0.025, "weight_decay": 0.125}]
    optimizer = make(groups)
    schedule = schedules.OneCycleLR(optimizer, [0.1, 0.025], STEPS, cycle_momentum=False) if one_cycle else None
    average = swa_utils.AveragedModel(layer, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.75))
    seen = []
    for step in range(1, STEPS + 1):
        x, labels = batch(step)
        optimizer.zero_grad()
        losses = []
        for rows in torch.arange(ROWS).chunk(parts):  # accumulation: the losses of the parts, by their number
            loss = torch.nn.functional.cross_entropy(layer(x[rows]), labels[rows]) / parts
            loss.backward()
            losses.append(loss.detach())
        norm = torch.nn.utils.clip_grad_norm_(layer.parameters(), clip) if clip else torch.zeros(())
        optimizer.step()
        average.update_parameters(layer)
        if schedule:
            schedule.step()
        numbers_now = [sum(losses), norm, *layer.weight.reshape(-1)[:3], *layer.bias, *average.module.weight.reshape(-1)[:3],
                       *average.module.bias]
        seen += [float(value) for value in numbers_now]
    show(name, torch.tensor(seen))


def optimizers():
    learn("sgd", lambda groups: torch.optim.SGD(groups, momentum=0.5, nesterov=True), parts=2)
    learn("adam", lambda groups: torch.optim.Adam(groups, betas=(0.875, 0.96875)), clip=0.5)
    learn("adamw", lambda groups: torch.optim.AdamW(groups, betas=(0.875, 0.96875)), clip=2.0, parts=4, one_cycle=True)
    learn("rmsprop", lambda groups: torch.optim.RMSprop(groups, alpha=0.96875))


header("GRAFT_TESTS_SCHEDULE_EXPECTED_H", "schedule_expected.py", curves, optimizers)
