"""Find settings that need the labels of training examples, where these have none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kdtune.errors import Mistake
from kdtune.settings import Distill, Transfer
from kdtune.spec.variants import BlockVariant


def find_label_mistakes(variants: Mapping[str, Sequence[BlockVariant]]) -> Iterator[Mistake]:
    """Find settings of a sweep on an unlabelled transfer set that only labels make possible."""
    for variant in variants["distill"]:
        if isinstance(variant.settings, Distill) and variant.settings.hard_weight > 0:
            location = variant.node.descendant(("hard_weight",)).location
            yield Mistake(
                location, "distill.hard_weight", "needs labels, and the training examples have none; 0 is right"
            )
    for variant in variants["transfer"]:
        if isinstance(variant.settings, Transfer) and variant.settings.written_classes:
            location = variant.node.location
            yield Mistake(
                location, "transfer", "selects classes, and the training examples have no labels; leave it out"
            )
    for variant in variants["teacher"]:
        if variant.settings is not None and variant.settings.is_redrawn:
            message = (
                "is trained on labels, and the training examples have none; give its outputs (kind: logits or "
                "probabilities) or a module with trained: true"
            )
            yield Mistake(variant.node.descendant(("kind",)).location, "teacher.kind", message)
