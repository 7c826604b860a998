"""Modules whose ``forward`` returns no tensor: the message says what it returns and what to return."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdtune.api.dataset_objects import DescribedData
from kdtune.api.network_objects import describe_teacher
from kdtune.inputs.convert_data import convert_data
from kdtune.inputs.errors import InputError
from kdtune.stacked.probe import measure_trained_module, probe_module

Heads = namedtuple("Heads", "hidden scores")


@dataclass
class Output:
    """An output with fields, as Hugging Face's models return."""

    loss: Tensor | None
    logits: Tensor


FORMS = {
    "tuple": (
        lambda z: (z, None),
        "a tuple of 2 (a tensor (#, 4) and None); one tensor of logits (n, 4) is needed: return the first",
    ),
    "second": (lambda z: [z[:, :2], z], "a list of 2 (a tensor (#, 2) and a tensor (#, 4)); .*: return the second"),
    "no logits": (lambda z: (z[:, :2],), "a tuple of 1 (a tensor (#, 2)); .*: return the logits alone"),
    "empty": (lambda z: (), "a tuple of 0; .*: return the logits alone"),
    "dict": (lambda z: {"logits": z}, "a dict (logits: a tensor (#, 4)); .*: return output['logits']"),
    "ordered": (lambda z: OrderedDict(out=z), "an OrderedDict (out: a tensor (#, 4)); .*: return output['out']"),
    "named": (lambda z: Heads(None, z), "a Heads (hidden: None and scores: a tensor (#, 4)); .*: return output.scores"),
    "object": (
        lambda z: Output(None, z),
        "an Output (loss: None and logits: a tensor (#, 4)); .*: return output.logits",
    ),
    "none": (lambda z: None, "None; one tensor of logits (n, 4) is needed: return it"),
}


class Shaped(nn.Module):
    """A linear layer whose logits come in another form: always, or in training alone."""

    def __init__(self, n_classes, form, only_in_training=False):
        super().__init__()
        self.layer, self.form, self.only_in_training = nn.Linear(3, n_classes), form, only_in_training

    def forward(self, x):
        logits = self.layer(x)
        return logits if self.only_in_training and not self.training else FORMS[self.form][0](logits)


def fill(form: str, n_examples: int) -> list[str]:
    """Return the two parts of the message about a form, for a batch of this size."""
    return FORMS[form][1].replace("#", str(n_examples)).split(".*")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("try_module", [probe_module, lambda *about: measure_trained_module(*about, None)])
def test_a_form_of_outputs_is_named_with_its_remedy(form, try_module):
    with pytest.raises(ValueError, match=r"^forward of Shaped returns ") as error:
        try_module(Shaped, {"form": form}, (3,), 4)
    assert all(part in str(error.value) for part in fill(form, 2))
    assert str(error.value).endswith(", or wrap the module")


def test_a_second_output_in_training_alone_is_named():
    with pytest.raises(ValueError, match=r"^in training, forward of Shaped returns a tuple of 2 \(a tensor \(4, 4\)"):
        probe_module(Shaped, {"form": "tuple", "only_in_training": True}, (3,), 4)


def test_a_module_object_as_a_teacher_is_told_the_same(tmp_path):
    data: Any = convert_data({"x": torch.randn(8, 3), "y": [0, 1, 2, 3] * 2}, [])
    with pytest.raises(InputError, match=r"^forward of Shaped returns a tuple of 2 \(a tensor \(8, 4\) and None\)"):
        describe_teacher(Shaped(4, "tuple"), DescribedData({}, data.parts), tmp_path)
