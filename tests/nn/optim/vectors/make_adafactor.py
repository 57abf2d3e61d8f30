"""Writes adafactor.json: 20 steps of transformers' Adafactor (relative_step=False) on two matrices and a vector.

Usage: python make_adafactor.py > adafactor.json
"""
import json
import sys

import torch
from transformers.optimization import Adafactor

torch.manual_seed(3)
shapes = [(4, 3), (1, 5), (7,)]
start = [torch.randn(s) for s in shapes]
# Sizes that differ, so that clipping acts in some steps and not in others; a row of zeros as unused tokens have.
gradients = [[torch.randn(s) * 10.0 ** (step % 5 - 3) for s in shapes] for step in range(20)]
for step in gradients:
    step[0][2] = 0


def numbers(tensors):
    return [[float(x) for x in t.flatten()] for t in tensors]


runs = []
for scale_parameter, weight_decay in ((False, 0.0), (False, 0.1), (True, 0.01)):
    parameters = [torch.nn.Parameter(t.clone()) for t in start]
    optimizer = Adafactor(parameters, lr=0.05, relative_step=False, warmup_init=False, scale_parameter=scale_parameter,
                          weight_decay=weight_decay)
    values = []
    for step in gradients:
        for p, g in zip(parameters, step):
            p.grad = g.clone()
        optimizer.step()
        values.append(numbers(p.detach() for p in parameters))
    runs.append({"scale_parameter": scale_parameter, "weight_decay": weight_decay, "values": values[::5] + values[-1:]})
json.dump({"lr": 0.05, "shapes": shapes, "start": numbers(start), "gradients": [numbers(g) for g in gradients],
           "after_steps": [1, 6, 11, 16, 20], "runs": runs}, sys.stdout, separators=(",", ":"))
print()
