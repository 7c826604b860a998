"""All kinds of teachers and students as types."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from kdtune.settings.factories import ModuleShape, SklearnTeacher, TeacherModule
from kdtune.settings.models import CNN, MLP, StudentMLP, TeacherCNN, TeacherMLP
from kdtune.settings.outputs import GivenLogits, GivenProbabilities


def _get_kind(block: Any) -> str:
    """Return the kind of a network: ``mlp`` if the block does not say."""
    kind = block.get("kind", "mlp") if isinstance(block, dict) else getattr(block, "kind", "mlp")
    return kind if isinstance(kind, str) else "not text"


# The kinds of teachers and students by their names in a sweep file; the first is the default.
TEACHER_KINDS: dict[str, Any] = {
    "mlp": TeacherMLP,
    "cnn": TeacherCNN,
    "logits": GivenLogits,
    "probabilities": GivenProbabilities,
    "sklearn": SklearnTeacher,
    "python": TeacherModule,
}
STUDENT_KINDS: dict[str, Any] = {"mlp": StudentMLP, "cnn": CNN, "python": ModuleShape}

# The architecture of any network, as a type for annotations; the next three are types that pydantic validates.
Shape = MLP | CNN | GivenLogits | GivenProbabilities | SklearnTeacher | ModuleShape
TeacherSetting: Any = Annotated[
    Annotated[TeacherMLP, Tag("mlp")]
    | Annotated[TeacherCNN, Tag("cnn")]
    | Annotated[GivenLogits, Tag("logits")]
    | Annotated[GivenProbabilities, Tag("probabilities")]
    | Annotated[SklearnTeacher, Tag("sklearn")]
    | Annotated[TeacherModule, Tag("python")],
    Discriminator(_get_kind),
]
StudentSetting: Any = Annotated[
    Annotated[StudentMLP, Tag("mlp")] | Annotated[CNN, Tag("cnn")] | Annotated[ModuleShape, Tag("python")],
    Discriminator(_get_kind),
]
# Networks that kdtune has trained by steps, as their weights describe them.
ShapeSetting: Any = Annotated[
    Annotated[MLP, Tag("mlp")] | Annotated[CNN, Tag("cnn")] | Annotated[ModuleShape, Tag("python")],
    Discriminator(_get_kind),
]
