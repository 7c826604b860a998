"""Turn plain tables into standard ones, step by step: those of sweeps, and those from elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pandas as pd

from kdtune.analysis.cells import find_cell_columns
from kdtune.analysis.row_numbers import RowNumbers
from kdtune.columns import (
    DESCRIPTIVE_COLUMNS,
    DONE,
    ECE,
    ID,
    LOSS,
    MODEL,
    NLL,
    NUM_ERROR,
    REPLICATE,
    RESULT_COLUMNS,
    RUN_COLUMNS,
    SCORE,
    STATUS,
    STUDENT,
    TEACHER_ID,
    TEMP,
    TEMP_RANGE,
    TRAINING_FIT_COLUMNS,
)
from kdtune.foreign.bookkeeping import OtherColumns, classify_columns, find_changing_columns
from kdtune.foreign.chart_exports import refuse_chart
from kdtune.foreign.confounded_settings import describe_confounded_settings
from kdtune.foreign.early_stops import describe_early_stops
from kdtune.foreign.idle_temperatures import read_idle_temperatures
from kdtune.foreign.infinite_values import describe_infinite_values
from kdtune.foreign.measures import MeasuredTable, read_measures
from kdtune.foreign.mending import join_sentences
from kdtune.foreign.merged_cells import find_merged_columns
from kdtune.foreign.metric_columns import refuse_metric_column
from kdtune.foreign.options import ReadingOptions, ReadTable
from kdtune.foreign.optuna_objective import describe_objective
from kdtune.foreign.own_names import (
    get_own_name,
    rename_known_columns,
    rename_model,
    rename_replicates,
    rename_reserved,
)
from kdtune.foreign.reading_notes import (
    describe_equivalent_settings,
    describe_errors,
    describe_others,
    describe_settings,
    describe_single_temperatures,
    describe_uncertain_settings,
)
from kdtune.foreign.repeated_rows import drop_repeated_rows
from kdtune.foreign.replicates import pair_replicates
from kdtune.foreign.roles import SETTING_SUFFIX, name_roles
from kdtune.foreign.run_states import read_states
from kdtune.foreign.scattered_temperatures import describe_scattered_temperatures
from kdtune.foreign.seed_texts import join_seed_texts
from kdtune.foreign.shared_replicates import refuse_shared_replicates
from kdtune.foreign.single_runs import refuse_epochs, refuse_schedules, refuse_splits
from kdtune.foreign.summary_rows import drop_summary_rows
from kdtune.foreign.summed_runs import refuse_summed_runs
from kdtune.foreign.temperature_texts import read_temperature_texts
from kdtune.foreign.temperatures import describe_near_temperatures, join_close_numbers, read_temperatures
from kdtune.foreign.unclear_columns import (
    KNOWN_COLUMNS,
    refuse_doubtful_copies,
    refuse_unknown_measure,
    refuse_used_cell_columns,
)
from kdtune.foreign.unfinished_runs import NO_NUMBER, describe_unfinished_runs
from kdtune.foreign.unlike_baselines import describe_unlike_baselines
from kdtune.foreign.unnumbered_logs import refuse_unnumbered_log
from kdtune.text import pluralize


def standardize_sweep_table(table: pd.DataFrame, options: ReadingOptions, notes: list[str]) -> ReadTable:
    """Standardize the table of a sweep of kdtune, whose columns are known."""
    notes = list(notes)
    if not _has_temperatures(table):  # The file has passed other hands.
        table, more_notes = read_temperatures(table)
        notes += more_notes
    if table[ID].duplicated().any():
        labels = [ID, *(name for name in RUN_COLUMNS if name in table.columns and name != STATUS)]
        table = _drop_repeats(table, labels, [], options, options.column_map, notes)
    table = _join_numbers(RowNumbers(table), [TEMP], notes).table
    measured = read_measures(table, options)
    table = measured.table
    notes += measured.notes
    if options.is_paired_by_order:
        cell_columns = find_cell_columns(table) if options.cell is None else options.cell
        table, pair_notes = pair_replicates(RowNumbers(table), cell_columns, True)
        notes += pair_notes
    return ReadTable(table, options.cell, notes, measured.measure)


def _has_temperatures(table: pd.DataFrame) -> bool:
    """Return whether T is a number in ``TEMP_RANGE`` in each row of a distilled student, as a sweep writes it."""
    if not pd.api.types.is_numeric_dtype(table[TEMP].dtype):
        return False
    temperatures = table.loc[table[MODEL] == STUDENT, TEMP]
    return bool(temperatures.between(*TEMP_RANGE).all())


def standardize_external_table(table: pd.DataFrame, options: ReadingOptions, notes: list[str]) -> ReadTable:
    """Find out what the columns and rows of a table from elsewhere mean, and say so in the notes.

    Raises
    ------
    RequestError
        If something cannot be understood; the message says how to mend it.
    """
    notes = list(notes)
    own_names = dict(options.column_map)
    own_columns = {own_names.get(name, name) for name in table.columns}
    measured, cell_columns = _recognize_columns(table, options, own_names, notes)
    unfinished = describe_unfinished_runs(measured.table)
    table = unfinished.table
    notes += unfinished.notes
    rows = RowNumbers(table)
    is_run = rows.find_rows(MODEL, STUDENT) & rows.find_rows(STATUS, DONE)
    unclear = _find_unclear_calibration(own_columns, options)
    others = _classify(rows if is_run.all() else RowNumbers(table[is_run]), cell_columns or [], unclear)
    rows = _join_numbers(rows, [TEMP, *_list_real_settings(table, others)], notes)
    notes += describe_near_temperatures(rows.list_values(TEMP, is_run), int(is_run.sum()))
    table = rows.table
    labels = [*others.bookkeeping, *others.unique, *others.changing]
    run_columns = _list_run_columns(table, others, cell_columns)
    if cell_columns is None:
        refuse_schedules(table, run_columns, [*others.bookkeeping, *others.unique], own_columns, own_names)
    has_single_runs = REPLICATE in table.columns and not rows.has_duplicates(run_columns)
    if REPLICATE not in table.columns and not rows.has_duplicates(run_columns):
        named = [name for name in own_columns if name not in (cell_columns or [])]
        settings = [get_own_name(name, own_names) for name in run_columns if name not in (MODEL, TEMP)]
        refuse_summed_runs(table, named, run_columns, settings)
    if not has_single_runs:
        refuse_epochs(table, run_columns, others.bookkeeping, own_columns, own_names)
        if cell_columns is None:
            refuse_unnumbered_log(table, run_columns, others.bookkeeping, own_columns, own_names)
        table = _drop_repeats(table, labels, others.measures, options, own_names, notes)
    notes += describe_early_stops(table, run_columns)
    no_settings = [name for name in (*labels, *others.measures, *unclear) if name not in (cell_columns or [])]
    standard = table.drop(columns=no_settings, errors="ignore")
    standard, cell_columns = rename_reserved(standard, cell_columns)
    rows = rows.follow(standard)
    if cell_columns is None:
        cell_columns = find_cell_columns(standard, rows)
    settings_notes = describe_settings(rows, cell_columns)
    if options.cell is None:
        settings_notes += describe_equivalent_settings(rows, cell_columns, own_names)
    settings_notes += describe_single_temperatures(rows, cell_columns, own_names)
    standard, pair_notes = pair_replicates(rows, cell_columns, options.is_paired_by_order)
    if not has_single_runs or options.cell is not None:
        refuse_shared_replicates(standard, table, cell_columns, others.measures, labels, own_columns, own_names)
    notes += [*settings_notes, *describe_others(others, cell_columns, own_names), *pair_notes]
    reserves = [
        unfinished.reserve,
        describe_unlike_baselines(standard, cell_columns),
        describe_scattered_temperatures(standard, cell_columns, own_columns, own_names),
    ]
    if options.cell is None:
        students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
        reserves += [
            describe_confounded_settings(students, others.changing, cell_columns, own_names),
            describe_uncertain_settings(others, cell_columns, own_names),
        ]
    return ReadTable(standard, cell_columns, notes, measured.measure, join_sentences(reserves))


def _recognize_columns(
    table: pd.DataFrame, options: ReadingOptions, own_names: dict[str, str], notes: list[str]
) -> tuple[MeasuredTable, list[str] | None]:
    """Give T, roles, states, replicates and measures the names of kdtune, and check their values.

    Parameters
    ----------
    table : Plain columns.
    options : What the user says about the table.
    own_names : kdtune's name of a column -> the table's own, where they differ; it is completed.
    notes : What was understood; it is completed.

    Returns
    -------
    The table with its measure, and the columns that name a cell; None if the user names none.
    """
    own_columns = list(table.columns)
    new_names = {}
    if LOSS in table.columns and table[LOSS].dtype.kind == "O":  # the kind of a loss, not its value
        new_names[LOSS] = f"{LOSS}{SETTING_SUFFIX}"
    if TEACHER_ID in table.columns and ID not in table.columns:  # the name of a teacher, which links no rows
        new_names[TEACHER_ID] = f"{TEACHER_ID}{SETTING_SUFFIX}"
    table = table.rename(columns=new_names)
    if options.cell is not None:
        options = replace(options, cell=[new_names.get(name, name) for name in options.cell])
    refuse_chart(table)
    refuse_unknown_measure(own_columns, options)
    refuse_metric_column(table, options)
    table, cell_columns = rename_known_columns(table, options, own_names, notes)
    merged = find_merged_columns(table)
    table, text_notes = read_temperature_texts(table, own_names)
    notes += text_notes
    named = name_roles(table, own_names)
    table, state_notes = read_states(named.table, own_names, where=options.where, cell_columns=cell_columns or [])
    table, summary_notes = drop_summary_rows(table, own_names, options.measure)
    table, seed_notes = join_seed_texts(table)
    table, replicate_notes = rename_replicates(table, own_names, cell_columns or [])
    notes += [*named.notes, *state_notes, *summary_notes, *seed_notes, *replicate_notes]
    cell_columns = rename_model(table, cell_columns)
    measured = read_measures(table, options)
    objective = describe_objective(own_columns, options.measure, *options.column_map.values())
    notes += [*describe_errors(table, options), *measured.notes, *filter(None, [objective])]
    table, step_notes = read_temperatures(_add_status(measured.table, notes), own_names, merged)
    notes += step_notes
    if not named.are_stated:
        table, weight_notes = read_idle_temperatures(table, cell_columns or [])
        notes += weight_notes
    refuse_used_cell_columns(table, cell_columns, options, own_names)
    refuse_doubtful_copies(table, own_columns, options)

    refuse_splits(table, options.cell)
    return measured._replace(table=table), cell_columns


def _add_status(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Mark the rows without any result as such; without a column of states, all others are done."""
    measures = [name for name in (*RESULT_COLUMNS, SCORE) if name in table.columns]
    notes += describe_infinite_values(table)
    has_results = table[measures].notna().any(axis=1)
    had_status = STATUS in table.columns
    if not had_status:
        table = table.assign(**{STATUS: DONE})
    if not has_results.all():
        n_without = int(((table[STATUS] == DONE) & ~has_results).sum())
        if n_without:
            notes.append(f"Left out: {pluralize(n_without, 'row')} without a result.")
        table = table.assign(**{STATUS: table[STATUS].where(has_results | (table[STATUS] != DONE), NO_NUMBER)})
    elif not had_status:
        return table.reset_index(drop=True)
    # A run that did not finish is a gap in its setting, unless nobody knows where.
    is_student = table[MODEL] == STUDENT
    is_placed = table[TEMP].notna() | ~is_student
    if REPLICATE in table.columns:
        is_placed &= table[REPLICATE].notna() | ~is_student
    return table[(table[STATUS] == DONE) | is_placed].reset_index(drop=True)


def _find_unclear_calibration(own_columns: Collection[str], options: ReadingOptions) -> list[str]:
    """Return the measures of calibration that nobody says to be those on the test split at T = 1.

    They are that in tables of kdtune, which have numbers of errors, and where a user says so.
    """
    if NUM_ERROR in own_columns:
        return []
    return [name for name in (NLL, ECE) if name not in options.column_map and name != options.select]


def _classify(rows: RowNumbers, cell_columns: list[str], unclear: Collection[str]) -> OtherColumns:
    """Tell bookkeeping and other measures of students from settings; what the user names a setting is one."""
    names = rows.table.columns
    has_ids = ID in names and TEACHER_ID in names
    kept = {*KNOWN_COLUMNS, *cell_columns}
    # Only in the table of a sweep it is clear what they are: in others, the notes say that they are no settings.
    kept = kept | {ID} if has_ids else kept.difference(TRAINING_FIT_COLUMNS, unclear)
    others = classify_columns(rows, [name for name in names if name not in kept])
    if REPLICATE in names:
        others.changing.extend(find_changing_columns(rows, [n for n in names if n not in {*kept, *others.all_names}]))
    return others


def _list_run_columns(table: pd.DataFrame, others: OtherColumns, cell_columns: list[str] | None) -> list[str]:
    """Return the columns that name a run: its setting, T and replicate."""
    no_settings = {*others.all_names, SCORE, STATUS, *RESULT_COLUMNS, *DESCRIPTIVE_COLUMNS}
    settings = [name for name in table.columns if name not in no_settings]
    return (
        settings
        if cell_columns is None
        else [name for name in settings if name in (*cell_columns, TEMP, REPLICATE, MODEL)]
    )


def _list_real_settings(table: pd.DataFrame, others: OtherColumns) -> list[str]:
    """Return the settings that are real numbers."""
    no_settings = {*KNOWN_COLUMNS, *others.all_names}
    return [name for name in table.columns if name not in no_settings and table[name].dtype.kind == "f"]


def _join_numbers(rows: RowNumbers, names: list[str], notes: list[str]) -> RowNumbers:
    """Make numbers one that differ in their last digits only."""
    for name in names:
        joined, count = join_close_numbers(rows.table[name], rows.list_values(name))
        if count:
            title = "temperatures" if name == TEMP else f"values of {name}"
            notes.append(f"{pluralize(count, 'pair')} of {title} agree to 6 digits: each pair is read as one.")
            rows = RowNumbers(rows.table.assign(**{name: joined}))
    return rows


def _drop_repeats(
    table: pd.DataFrame,
    labels: list[str],
    other_measures: list[str],
    options: ReadingOptions,
    own_names: Mapping[str, str],
    notes: list[str],
) -> pd.DataFrame:
    repeats = drop_repeated_rows(
        table,
        measures=[*(name for name in (*RESULT_COLUMNS, SCORE) if name in table.columns), *other_measures],
        labels=labels,
        replicate=REPLICATE if REPLICATE in table.columns else None,
        repeats=options.repeats,
        own_names=own_names,
    )
    notes += repeats.notes
    return repeats.table.reset_index(drop=True)
