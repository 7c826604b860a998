"""The model card of an exported network, in Hugging Face's form: a block of YAML, then Markdown."""

from __future__ import annotations

import io
import math
from typing import Any

from ruamel.yaml import YAML

from kdtune.columns import BALANCED_ERROR, ECE, MULTIPLY_ADDS, N_PARAMS, NLL, NUM_ERROR
from kdtune.take_home.card_facts import CardFacts
from kdtune.take_home.card_origins import describe_data, describe_teacher
from kdtune.take_home.card_sentences import (
    describe_calibration,
    describe_classes,
    describe_preprocessing,
    describe_temperature,
    describe_versions,
    list_limits,
    name_network,
    write_command,
    write_result_sentences,
    write_summary,
)
from kdtune.take_home.environment import make_environment
from kdtune.take_home.preprocessing import ArrayPreprocessing
from kdtune.text import NOTHING


def write_card(facts: CardFacts) -> str:
    """Write the card."""
    row, teacher_row, settings = facts.choice.row, facts.choice.teacher_row, facts.taken.data_draw.settings
    name = f"{facts.sweep_name}: {name_network(row)}"
    template = make_environment().get_template("model_card.md.jinja")
    card = template.render(
        front_matter=_write_front_matter(facts, settings.dataset_name),
        title=name,
        summary=write_summary(facts, settings.dataset_name),
        inputs=facts.inputs,
        is_image=isinstance(facts.preprocessing, ArrayPreprocessing) and facts.preprocessing.is_image,
        code_lines=facts.code_lines,
        onnx=facts.onnx,
        files=list(facts.files.items()),
        preprocessing=describe_preprocessing(facts.preprocessing),
        classes=describe_classes(facts),
        data=describe_data(row, settings.dataset_name, settings, facts.replicates),
        teacher=describe_teacher(row, teacher_row, facts.replicates),
        temperature=describe_temperature(facts),
        results=_list_results(facts),
        result_sentences=write_result_sentences(facts),
        calibration=describe_calibration(facts),
        sizes=_list_sizes(facts),
        size_sentences=facts.timing_sentences,
        command=write_command(facts),
        versions=describe_versions(facts.versions),
        limits=list_limits(facts),
    )
    return card.rstrip("\n") + "\n"


def _write_front_matter(facts: CardFacts, dataset: str) -> str:
    # Hugging Face has no task for other examples, such as the windows of a sensor.
    tasks = {1: "tabular-classification", 3: "image-classification"}
    task = tasks.get(len(facts.preprocessing.shape))
    figures = facts.figures
    metrics = [
        {"type": "accuracy", "value": round(1 - figures.error, 6)},
        {"type": "balanced_error", "name": "balanced error", "value": round(figures.balanced_error, 6)},
        {"type": "nll", "name": "negative log-likelihood", "value": round(figures.nll, 6)},
        {"type": "ece", "name": "expected calibration error", "value": round(figures.ece, 6)},
    ]
    document = {
        "library_name": "pytorch",
        **({"pipeline_tag": task} if task else {}),
        "tags": ["knowledge-distillation", "kdtune"],
        "metrics": ["accuracy"],
        "model-index": [
            {
                "name": facts.sweep_name,
                "results": [
                    {
                        "task": {"type": task or "other"},
                        "dataset": {"name": dataset, "type": dataset, "split": "test"},
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = io.StringIO()
    yaml.dump(document, stream)
    return f"---\n{stream.getvalue()}---\n"


def _list_results(facts: CardFacts) -> list[tuple[str, str, str]]:
    """List name, own figure and the teacher's for the table of results."""
    figures, teacher = facts.figures, facts.choice.teacher_row or {}
    interval = f"{figures.error_low:.2%} to {figures.error_high:.2%}"
    teacher_errors = teacher.get(NUM_ERROR)
    n_test = figures.n_test
    return [
        ("errors", f"{figures.errors:,} of {n_test:,}", _format(teacher_errors, ",")),
        ("error rate", f"{figures.error:.2%} (95 % interval {interval})",
         NOTHING if teacher_errors is None else f"{teacher_errors / n_test:.2%}"),
        ("balanced error", f"{figures.balanced_error:.4f}", _format(teacher.get(BALANCED_ERROR), ".4f")),
        ("negative log-likelihood (nats)", f"{figures.nll:.4f}", _format(teacher.get(NLL), ".4f")),
        ("expected calibration error", f"{figures.ece:.4f}", _format(teacher.get(ECE), ".4f")),
    ]  # fmt: skip


def _format(value: Any, form: str) -> str:
    return NOTHING if value is None or (isinstance(value, float) and math.isnan(value)) else format(value, form)


def _list_sizes(facts: CardFacts) -> list[tuple[str, str, str]]:
    """List name, own figure and the teacher's for the table of sizes and speeds."""
    row, teacher = facts.choice.row, facts.choice.teacher_row or {}
    rows = [
        (name, _format(row.get(column), ","), _format(teacher.get(column), ","))
        for name, column in (("parameters", N_PARAMS), ("multiply-adds for one example", MULTIPLY_ADDS))
    ]
    for batch in facts.timings or {}:
        assert facts.timings is not None
        teacher_time = (facts.teacher_timings or {}).get(batch)
        name = f"microseconds for each example, in batches of {batch}"
        rows.append((name, f"{facts.timings[batch]:.3g}", _format(teacher_time, ".3g")))
    return rows
