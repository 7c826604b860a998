"""What messages suggest for a file can be typed as it stands, and answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.errors import RequestError
from tests.mended_tables import run_command
from tests.planted_tables import BEST, find_best, make_runs


def refuse(path, **options) -> str:
    with pytest.raises(RequestError) as refusal:
        kdtune.analyze(path, **options)
    return str(refusal.value)


def make_wide() -> pd.DataFrame:
    wide = make_runs().assign(temp=lambda runs: "T=" + runs["temp"].astype(int).astype(str))
    return wide.pivot(index=["width", "replicate"], columns="temp", values="num_error").reset_index()


def make_log() -> pd.DataFrame:
    runs = make_runs().drop(columns="num_error")
    log = pd.concat([runs.assign(epoch=epoch) for epoch in range(1, 6)], ignore_index=True)
    log["val_num_error"] += 1000 * (5 - log["epoch"])
    return log[(log["epoch"] < 5) | (log["replicate"] > 1)].rename(columns={"replicate": "seed"})


@pytest.mark.parametrize("make", [make_wide, make_log])
def test_refused_tables_are_mended_by_the_command_of_the_message(make, tmp_path):
    path = tmp_path / "runs.csv"
    make().to_csv(path, index=False)
    assert find_best(run_command(refuse(path).replace("accuracy", "num_error"))) == BEST


def test_notes_and_reserves_have_commands_too(tmp_path):
    runs = make_runs().assign(use_kd=True)
    path = tmp_path / "runs.csv"
    pd.concat([runs, runs[runs["temp"] == 4].assign(use_kd=False)]).to_csv(path, index=False)
    note = next(note for note in kdtune.analyze(path).reading_notes if "single temperature" in note)
    assert find_best(run_command(note)) == BEST
    random = np.random.default_rng(0)
    scattered = runs.assign(temp=runs["temp"] * random.uniform(0.9, 1.1, len(runs)), use_kd=None)
    scattered.to_csv(path, index=False)
    reserve = str(kdtune.analyze(path))
    assert "import pandas, numpy" in reserve
    assert find_best(run_command(reserve)) == BEST


def test_a_file_that_pandas_reads_otherwise_is_read_by_kdtune(tmp_path):
    path = tmp_path / "runs.txt"
    make_wide().to_csv(path, index=False, sep="|")
    message = refuse(path)
    assert "kdtune.show(" in message
    assert find_best(run_command(message.replace("accuracy", "num_error"))) == BEST


def make_labeled(label: str) -> pd.DataFrame:
    runs = make_runs()
    baselines = runs[runs["temp"] == 1].assign(what="CE", num_error=900, val_num_error=900)
    runs = runs.assign(what=runs["temp"].map(lambda T: label.format(int(T))))
    return pd.concat([baselines, runs]).drop(columns="temp").reset_index(drop=True)


def test_words_for_labels_alone_beside_temperatures_are_baselines():
    answer = kdtune.analyze(make_labeled("T={}"), map={"temp": "what"})
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
    assert "'CE' in what is read as no temperature" in " ".join(answer.reading_notes)
    assert "10 baselines" in " ".join(answer.reading_notes)


def test_temperatures_in_longer_texts_are_taken_by_the_command(tmp_path):
    path = tmp_path / "runs.csv"
    make_labeled("KD (T={})").to_csv(path, index=False)
    mended = run_command(refuse(path, map={"temp": "what"}))
    answer = kdtune.analyze(mended, map={"temp": "what"})
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
    assert "10 baselines" in " ".join(answer.reading_notes)


def test_titles_with_commas_above_the_names_are_left_out(tmp_path):
    path = tmp_path / "runs.csv"
    text = make_runs().to_csv(index=False)
    path.write_text(f"Distillation study, spring 2025,,,\nexported by Jane,,,,\n,,,,\n{text}")
    answer = kdtune.analyze(path)
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
    assert "'Distillation study, spring 2025' and 'exported by Jane'" in " ".join(answer.reading_notes)
