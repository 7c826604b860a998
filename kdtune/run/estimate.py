"""Estimate what a sweep would cost, for `kdtune plan`: networks, time and disk. Nothing is trained to its end."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext

from kdtune.columns import BASELINE, STUDENT, TEACHER
from kdtune.cores import count_cores
from kdtune.errors import RequestError
from kdtune.inputs.user_code import describe_user_error
from kdtune.objects.places import refuse_storage_errors
from kdtune.objects.urls import is_object_url
from kdtune.plan.plan import Plan
from kdtune.results.places import open_store
from kdtune.results.store import Store
from kdtune.run.changes import list_changes
from kdtune.run.cost import SweepCounts, format_bytes, format_counts, format_disk, format_time
from kdtune.run.kept_students import choose_kept_students, estimate_kept_bytes
from kdtune.run.remaining_work import list_sweep_networks, load_request_spec, plan_missing, read_known_rows
from kdtune.run.request import Request
from kdtune.run.resources import choose_in_process_options, merge_resources
from kdtune.run.shares import NodeSize, count_needed_gpus, share_cluster
from kdtune.run.worker_options import WorkerOptions
from kdtune.settings import SklearnTeacher
from kdtune.spec.answer_facts import make_answer_facts
from kdtune.spec.sweep_spec import SweepSpec
from kdtune.table import get_final_ids
from kdtune.text import pluralize

ROW_BYTES = 400  # per network, in the table and in the parts together, without the confusion matrix


def estimate_cost(request: Request) -> Iterator[str]:
    """Yield the lines that ``kdtune plan`` prints: first what is to train, then the time, which is measured.

    Raises
    ------
    RequestError
        If the request is wrong, or a pack does not fit into the memory of this machine.
    """
    spec = load_request_spec(request, allow_download=False)
    networks = list_sweep_networks(spec, request)
    with refuse_storage_errors() if is_object_url(request.results) else nullcontext():
        store = open_store(request.results, spec.name, repair=False)
        rows = read_known_rows(networks, request, store)
    options = _choose_options(spec, request)
    plan = plan_missing(networks, request, store, rows, options)
    for warning in store.warnings:
        yield f"warning: {warning}"
    facts = make_answer_facts(spec.cases)
    for note in (*spec.notes, *facts.notes, *list_changes(store, networks, get_final_ids(rows))):
        yield f"note: {note}"
    yield from format_counts(_count_networks(spec, store, plan))
    if not plan.packs:
        return
    _refuse_too_large_packs(plan)

    from kdtune.run.estimate_time import estimate_time  # torch: seconds to import

    timed_packs = [pack for pack in plan.packs if pack.networks[0].shape.is_trained_by_steps]
    if timed_packs:
        try:
            time_estimate = estimate_time(timed_packs, options)
        except (MemoryError, RuntimeError) as error:  # torch says "not enough memory" as a RuntimeError
            raise RequestError(f"a pack cannot be built on this machine: {str(error).splitlines()[0]}") from None
        except Exception as error:
            if not any(pack.networks[0].facts for pack in timed_packs):
                raise
            raise RequestError(f"a step of training raised {describe_user_error(error)}") from None
        yield from format_time(time_estimate)
    n_untimed = sum(network.shape.kind == "sklearn" for network in plan.networks_to_train)
    if n_untimed:
        yield f"  Not timed: {pluralize(n_untimed, 'teacher')} that scikit-learn's fit trains."
    kept = choose_kept_students(request.keep_students, networks)
    yield format_disk(_estimate_disk_bytes(plan) + estimate_kept_bytes(kept, plan), kept.description)


def _choose_options(spec: SweepSpec, request: Request) -> WorkerOptions:
    """Return how the sweep would run on this machine, or on a larger one where all workers fit that are asked for."""
    import torch  # seconds to import

    resources = merge_resources(spec, request)
    if resources.workers == 0:
        return choose_in_process_options(resources, must_fit=False)
    workers = resources.workers or 1
    cpus = max(count_cores(), workers * (resources.cpus_per_worker or 1))
    gpus = max(torch.cuda.device_count(), count_needed_gpus(workers, resources.gpus_per_worker or 0.0))
    return share_cluster([NodeSize(cpus, gpus)], resources)


def _refuse_too_large_packs(plan: Plan) -> None:
    """Raise RequestError if a pack with its data cannot fit into this machine's memory, before any of it is built."""
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed_bytes = max((pack.estimated_bytes for pack in plan.packs), default=0)
    if needed_bytes > memory_bytes:
        raise RequestError(
            f"a pack needs about {format_bytes(needed_bytes)} of memory for its data and networks, and this machine "
            f"has {format_bytes(memory_bytes)}; make the data or the networks smaller, or train on a larger machine"
        )


def _count_networks(spec: SweepSpec, store: Store, plan: Plan) -> SweepCounts:
    """Count the networks of a sweep, and those that are still to train."""
    students_per_teacher = Counter(network.teacher.id for network in plan.networks if network.teacher).values()
    return SweepCounts(
        name=spec.name,
        folder=store.location,
        networks=len(plan.networks),
        replicates=spec.replicates.count,
        teachers=plan.count_model(TEACHER),
        baselines=plan.count_model(BASELINE),
        distilled_students=plan.count_model(STUDENT),
        min_students_per_teacher=min(students_per_teacher, default=0),
        max_students_per_teacher=max(students_per_teacher, default=0),
        to_train=len({network.id for network in plan.networks_to_train}),
        packs_by_size=dict(Counter(len(pack.networks) for pack in plan.packs)),
        work=plan.work,
        has_unlabelled_data=not all(case.dataset.has_training_labels for case in spec.cases),
        **_count_folds(plan),
    )


def _count_folds(plan: Plan) -> dict[str, int]:
    """Count the teachers whose soft targets are out of fold, and their folds, as ``SweepCounts`` calls them."""
    shapes = [network.shape for network in plan.networks if network.model == TEACHER]
    count = sum(isinstance(shape, SklearnTeacher) and shape.soft_targets == "out_of_fold" for shape in shapes)
    if not count:
        return {}
    from kdtune.train.sklearn_teachers import N_FOLDS  # scikit-learn: seconds to import

    return {"out_of_fold_teachers": count, "folds": N_FOLDS}


def _estimate_disk_bytes(plan: Plan) -> int:
    """Return the bytes of rows with their confusion matrices, and of teachers' logits and weights."""
    from kdtune.train.evaluate import MAX_CONFUSION_CLASSES  # torch: seconds to import

    total = 0
    for network in plan.networks_to_train:
        settings = network.data.settings
        total += ROW_BYTES + min(settings.n_classes, MAX_CONFUSION_CLASSES) ** 2
        if network.model == TEACHER:
            n_examples = settings.n_train + int(settings.val_size or 0) + int(settings.test_size or 0)
            total += 4 * (n_examples * settings.n_classes + (network.n_params or 0))
    return total
