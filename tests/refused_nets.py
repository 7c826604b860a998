"""Modules as users write them that kdtune refuses, for the tests: a copy would compute or learn something else."""

from __future__ import annotations

import torch
from torch import nn

from tests.user_nets import TwoLayers


class GradientHook(TwoLayers):
    def extend(self):
        self.hidden.weight.register_hook(lambda gradient: gradient * 0.5)


class LambdaThatKeepsItself(TwoLayers):
    def extend(self):
        self.slope = nn.Parameter(torch.full((6,), 0.25))
        self.activation = lambda h: torch.where(h > 0.3, h, self.slope * h)

    def change(self, h):
        return self.activation(h)


class HookThatKeepsItself(TwoLayers):
    def extend(self):
        self.slope = nn.Parameter(torch.full((6,), 0.25))
        self.hidden.register_forward_hook(lambda layer, inputs, output: output * self.slope)


class LambdaThatKeepsABuffer(TwoLayers):
    """Another buffer is loaded into the copy than the lambda uses."""

    def extend(self):
        self.register_buffer("slope", torch.full((6,), 0.25))
        slope = self.slope
        self.activation = lambda h: slope * h

    def change(self, h):
        return self.activation(h)


class LambdaOfTheMode(TwoLayers):
    def extend(self):
        self.activation = lambda h: 2 * h if self.training else h

    def change(self, h):
        return self.activation(h)


class ComplexParameter(TwoLayers):
    def extend(self):
        self.factor = nn.Parameter(torch.polar(torch.ones(3), torch.arange(3.0)))

    def change(self, h):
        return torch.view_as_real(torch.view_as_complex(h.reshape(-1, 3, 2)) * self.factor).flatten(1)


class EmptyParameter(TwoLayers):
    def extend(self):
        self.branch = nn.Linear(6, 0)


class NewParameter(TwoLayers):
    def forward(self, x):
        self.hidden.weight = nn.Parameter(self.hidden.weight.detach().clamp(-0.1, 0.1))
        return super().forward(x)


REFUSED = {
    GradientHook: "registers a hook on its parameter hidden.weight",
    LambdaThatKeepsItself: "computes something else when kdtune copies it",
    HookThatKeepsItself: "computes something else when kdtune copies it",
    LambdaThatKeepsABuffer: "computes something else when kdtune copies it",
    LambdaOfTheMode: "computes something else when kdtune copies it",
    ComplexParameter: "trains the complex parameter factor",
    EmptyParameter: "has a parameter without numbers: branch.weight is 0 x 6",
    NewParameter: "puts another parameter in the place of hidden.weight in forward",
}
