"""Turn plain tables into standard ones, step by step: those of sweeps, and those from elsewhere."""

from __future__ import annotations

import pandas as pd

from kdtune.analysis.cells import find_cell_columns
from kdtune.columns import (
    DONE,
    FAILED,
    ID,
    LOSS,
    MODEL,
    REPLICATE,
    RESULT_COLUMNS,
    RUN_COLUMNS,
    SCORE,
    STATUS,
    STUDENT,
    TEACHER_ID,
    TEMP,
    WIDTH,
)
from kdtune.errors import RequestError
from kdtune.foreign.bookkeeping import OtherColumns, classify_columns, find_changing_columns
from kdtune.foreign.column_names import find_width
from kdtune.foreign.measures import read_measures
from kdtune.foreign.options import ReadingOptions, ReadTable
from kdtune.foreign.reading_notes import describe_errors, describe_infinite_values, describe_others, describe_settings
from kdtune.foreign.repeated_rows import drop_repeated_rows
from kdtune.foreign.replicates import name_replicates, pair_replicates
from kdtune.foreign.roles import SETTING_SUFFIX, name_roles
from kdtune.foreign.run_states import read_states
from kdtune.foreign.single_runs import refuse_epochs, refuse_shared_replicates, refuse_splits
from kdtune.foreign.temperatures import join_close_numbers, read_temperatures
from kdtune.foreign.unclear_columns import (
    KNOWN_COLUMNS,
    choose_temperature,
    refuse_doubtful_copies,
    refuse_unknown_measure,
    refuse_used_cell_columns,
)
from kdtune.text import pluralize


def standardize_sweep_table(table: pd.DataFrame, options: ReadingOptions, notes: list[str]) -> ReadTable:
    """Standardize the table of a sweep of kdtune, whose columns are known."""
    notes = list(notes)
    if table[ID].duplicated().any():
        labels = [ID, *(name for name in RUN_COLUMNS if name in table.columns and name != STATUS)]
        table = _drop_repeats(table, labels, [], options, notes)
    table = _join_numbers(table, [TEMP], notes)
    measured = read_measures(table, options)
    table = measured.table
    notes += measured.notes
    if options.is_paired_by_order:
        table, pair_notes = pair_replicates(table, options.cell, True)
        notes += pair_notes
    return ReadTable(table, options.cell, notes, measured.measure)


def standardize_external_table(table: pd.DataFrame, options: ReadingOptions, notes: list[str]) -> ReadTable:
    """Find out what the columns and rows of a table from elsewhere mean, and say so in the notes.

    Raises
    ------
    RequestError
        If something cannot be understood; the message says how to mend it.
    """
    notes = list(notes)
    own_columns = list(table.columns)
    if LOSS in table.columns and table[LOSS].dtype.kind == "O":  # the kind of a loss, not its value
        table = table.rename(columns={LOSS: f"{LOSS}{SETTING_SUFFIX}"})
    refuse_unknown_measure(own_columns, options)
    table, cell_columns = _rename_known_columns(table, options, notes)
    for read_step in (name_roles, read_states, name_replicates):
        table, step_notes = read_step(table)
        notes += step_notes
    cell_columns = _rename_model(table, cell_columns)
    measured = read_measures(table, options)
    notes += [*describe_errors(table, options), *measured.notes]
    table, step_notes = read_temperatures(_add_status(measured.table, notes))
    notes += step_notes
    refuse_used_cell_columns(table, cell_columns, options)
    refuse_doubtful_copies(table, own_columns, options)

    refuse_splits(table, options.cell)
    others = _classify(table, cell_columns or [])
    table = _join_numbers(table, [TEMP, *_list_real_settings(table, others)], notes)
    labels = [*others.bookkeeping, *others.unique, *others.changing]
    run_columns = _list_run_columns(table, others, cell_columns)
    has_single_runs = REPLICATE in table.columns and not table.duplicated(run_columns).any()
    if not has_single_runs:
        refuse_epochs(table, run_columns, others.bookkeeping)
        table = _drop_repeats(table, labels, others.measures, options, notes)
    no_settings = [name for name in (*labels, *others.measures) if name not in (cell_columns or [])]
    standard = table.drop(columns=no_settings)
    standard, cell_columns = _rename_reserved(standard, cell_columns)
    if cell_columns is None:
        cell_columns = find_cell_columns(standard.assign(**{REPLICATE: 0}))
    standard, pair_notes = pair_replicates(standard, cell_columns, options.is_paired_by_order)
    if not has_single_runs or options.cell is not None:
        refuse_shared_replicates(standard, table, cell_columns)
    notes += [*describe_settings(standard, cell_columns), *describe_others(others), *pair_notes]
    return ReadTable(standard, cell_columns, notes, measured.measure)


def _rename_known_columns(
    table: pd.DataFrame, options: ReadingOptions, notes: list[str]
) -> tuple[pd.DataFrame, list[str] | None]:
    """Rename the columns of T and of the student's width; return the columns that name a cell by their new names."""
    new_names = {}
    temperature = choose_temperature(table, options)
    notes.append(f"The temperature is the column {options.column_map.get(TEMP, temperature)}.")
    if temperature != TEMP:
        new_names[temperature] = TEMP
    width = find_width(table.columns)
    if width not in (None, WIDTH):
        new_names[str(width)] = WIDTH
        notes.append(f"The student's width is the column {width}.")
    cell = options.cell
    return table.rename(columns=new_names), None if cell is None else [new_names.get(name, name) for name in cell]


def _rename_reserved(table: pd.DataFrame, cell_columns: list[str] | None) -> tuple[pd.DataFrame, list[str] | None]:
    """Rename the settings that are called as a sweep calls something else, such as ``device``."""
    new_names = {name: f"{name}{SETTING_SUFFIX}" for name in table.columns if name in RUN_COLUMNS and name != STATUS}
    cell = None if cell_columns is None else [new_names.get(name, name) for name in cell_columns]
    return table.rename(columns=new_names), cell


def _rename_model(table: pd.DataFrame, cell_columns: list[str] | None) -> list[str] | None:
    """Return the columns that name a cell, with the new name of a setting that is called ``model``."""
    if cell_columns is None or MODEL not in cell_columns:
        return cell_columns
    setting = f"{MODEL}{SETTING_SUFFIX}"
    if setting not in table.columns:
        raise RequestError(f"--cell: {MODEL} cannot name a setting: it says which networks are teachers and baselines")
    return [setting if name == MODEL else name for name in cell_columns]


def _add_status(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Mark the rows without any result as failed; without a column of states, all others are done."""
    measures = [name for name in (*RESULT_COLUMNS, SCORE) if name in table.columns]
    describe_infinite_values(table, measures, notes)
    has_results = table[measures].notna().any(axis=1)
    status = (
        table[STATUS].where(has_results, FAILED)
        if STATUS in table.columns
        else has_results.map({True: DONE, False: FAILED})
    )
    was_done = table[STATUS] == DONE if STATUS in table.columns else pd.Series(True, index=table.index)
    n_without = int((was_done & ~has_results).sum())
    if n_without:
        notes.append(f"Left out: {pluralize(n_without, 'row')} without a result.")
    table = table.assign(**{STATUS: status})
    # A run that did not finish is a gap in its setting, unless nobody knows where.
    is_placed = table[TEMP].notna() | (table[MODEL] != STUDENT)
    if REPLICATE in table.columns:
        is_placed &= table[REPLICATE].notna() | (table[MODEL] != STUDENT)
    return table[(table[STATUS] == DONE) | is_placed].reset_index(drop=True)


def _classify(table: pd.DataFrame, cell_columns: list[str]) -> OtherColumns:
    """Tell bookkeeping and other measures from settings; what the user names a setting is one."""
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    has_ids = ID in table.columns and TEACHER_ID in table.columns
    kept = {*KNOWN_COLUMNS, *cell_columns, *([ID] if has_ids else [])}
    others = classify_columns(students, [name for name in table.columns if name not in kept])
    if REPLICATE in students.columns:
        settings = [name for name in table.columns if name not in {*kept, *others.all_names}]
        others.changing.extend(find_changing_columns(students, settings))
    return others


def _list_run_columns(table: pd.DataFrame, others: OtherColumns, cell_columns: list[str] | None) -> list[str]:
    """Return the columns that name a run: its setting, T and replicate."""
    no_settings = {*others.all_names, SCORE, STATUS, *RESULT_COLUMNS}
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


def _join_numbers(table: pd.DataFrame, names: list[str], notes: list[str]) -> pd.DataFrame:
    """Make numbers one that differ in their last digits only."""
    for name in names:
        joined, count = join_close_numbers(table[name])
        if count:
            title = "temperatures" if name == TEMP else f"values of {name}"
            notes.append(f"{pluralize(count, 'pair')} of {title} agree to 6 digits: each pair is read as one.")
            table = table.assign(**{name: joined})
    return table


def _drop_repeats(
    table: pd.DataFrame, labels: list[str], other_measures: list[str], options: ReadingOptions, notes: list[str]
) -> pd.DataFrame:
    repeats = drop_repeated_rows(
        table,
        measures=[*(name for name in (*RESULT_COLUMNS, SCORE) if name in table.columns), *other_measures],
        labels=labels,
        replicate=REPLICATE if REPLICATE in table.columns else None,
        repeats=options.repeats,
    )
    notes += repeats.notes
    return repeats.table.reset_index(drop=True)
