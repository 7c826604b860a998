"""Parts I and II of the tutorial in small, through the command line: two teachers, a transfer set, biases, curves."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

import kdtune as package
from kdtune.analysis.published_figures import ABOVE, BELOW
from kdtune.analysis.representatives import MAX_CELLS, choose_networks
from kdtune.columns import (
    ACCURACY,
    BASELINE,
    DATASET,
    DONE,
    EPOCHS,
    ID,
    MODEL,
    N_TRAIN,
    NUM_ERROR,
    STATUS,
    STUDENT,
    TEACHER,
    TEMP,
    TRANSFER,
    VAL_NUM_ERROR,
    WIDTH,
)
from kdtune.files.images import list_image_files
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.results.weights import load_weights
from kdtune.table import rows_to_arrow, to_frame
from kdtune.train.rows import make_row
from tests.conftest import environment, write_small
from tests.folders import table
from tests.idx import write_digits, write_idx

pytestmark = [pytest.mark.xdist_group("ray"), pytest.mark.slow]

SWEEP = {
    "name": "parts",
    "replicates": {"data": 1, "teacher": 1, "student": 2},
    "dataset": {"kind": "torchvision", "name": "MNIST"},
    "transfer": {"omit": [3]},
    "teacher": {
        "grid_search": [
            {"kind": "mlp", "hidden": [32], "dropout": 0.3, "init_std": 0.1, "max_norm": 4},
            {"kind": "cnn", "channels": [4, 8], "dropout": 0.2, "train": {"epochs": 6}},
        ]
    },
    "student": {"kind": "mlp", "hidden": [12]},
    "distill": {
        "grid_search": [
            {"T": 3},
            {"T": 3, "bias_start": {3: 2.0}},
            {"T": 3, "bias_shift": [3]},
            {"T": 5, "hard_weight": 0.4, "train": {"epochs": 7}},
        ]
    },
    "train": {"epochs": 8, "batch_size": 50, "lr": 0.005, "eval_every": 3},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, ray_address):
    """The results of the sweep, its data in files of their own."""
    place = tmp_path_factory.mktemp("parts")
    root = write_digits(place / "data")
    command = [sys.executable, "-m", "kdtune", "sweep", write_small(place / "parts.yaml", **SWEEP)]
    options = ["--data-root", root, "--address", ray_address, "--keep-students", "all"]
    run = subprocess.run(
        [*map(str, (*command, *options))], cwd=place, env=environment(True), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    return place / "results/parts"


def test_every_network_is_there(folder):
    found = table(folder)
    assert (found[STATUS] == DONE).all()
    assert found[MODEL].value_counts().to_dict() == {
        TEACHER: 2,
        BASELINE: 2,
        STUDENT: 16,
    }
    assert set(found[DATASET]) == {"MNIST"}
    students = found[found[MODEL] != TEACHER]
    assert set(students[TRANSFER]) == {"omit 3"}
    assert students[N_TRAIN].nunique() == 1
    assert students[N_TRAIN].iloc[0] < found[N_TRAIN].max() == 1080
    assert set(found["architecture"]) == {"mlp", "cnn"} == set(found["teacher_architecture"].dropna())
    assert "root" not in found.columns
    assert str(folder.parent.parent) not in (folder / "sweep.yaml").read_text()


def test_details_are_those_of_the_rows(folder):
    """Errors by class and confusion matrices add up to the table's; curves end in it."""
    rows = table(folder).set_index(ID)
    classes, confusion = (pd.read_parquet(folder / f"{name}.parquet") for name in ("per_class", "confusion"))
    assert classes.groupby(ID)[NUM_ERROR].sum().eq(rows[NUM_ERROR]).all()
    assert classes.groupby(ID)["n"].sum().eq(597).all()
    wrong = confusion[confusion["label"] != confusion["predicted"]].groupby(ID)["count"].sum()
    assert wrong.eq(rows[NUM_ERROR]).all()
    unseen = classes[~classes["seen"]].set_index(ID)
    assert set(unseen["label"]) == {3}
    assert set(rows.loc[unseen.index, MODEL]) == {BASELINE, STUDENT}
    assert (unseen[rows.loc[unseen.index, MODEL].eq(BASELINE).to_numpy()][ACCURACY] == 0).all()
    curves = pd.read_parquet(folder / "learning_curves.parquet")
    last = curves.groupby(ID).last()
    assert set(last.index) == set(rows.index)
    assert last["epoch"].eq(rows[EPOCHS]).all()
    unshifted = rows[rows["bias_shift"].isna()].index
    assert last.loc[unshifted, "val_num_error"].eq(rows.loc[unshifted, VAL_NUM_ERROR]).all()


def test_what_was_not_recorded_is_said(call, write, ray_address):
    """A sweep that is done does not train again for the sake of its curves."""
    asked = "sweep", write(dataset={"kind": "digits"}), "--address", ray_address
    assert call(*asked).exit_code == 0
    again = call(*asked, "--set", "train.eval_every=1")
    advice = "recorded no learning curve in an earlier run; to record it, train again with --fresh and --fresh"
    assert advice in again.output


def test_networks_and_their_data_come_back(folder):
    rows = table(folder)
    for _, one in rows.groupby(["architecture", MODEL]).first().reset_index().iterrows():
        data = package.load_data(folder, one[ID])
        net = package.load(folder, one[ID])
        wrong = net(torch.from_numpy(data.x_test)).argmax(dim=1).numpy() != data.y_test
        assert wrong.sum() == one[NUM_ERROR]


def test_data_that_moved_are_found_where_they_are_now(folder, tmp_path):
    name = table(folder)[ID].iloc[0]
    moved = write_digits(tmp_path)
    assert len(package.load_data(folder, name, data_root=moved).y_test) == 597
    labels = list_image_files("MNIST", None, moved)[3]
    labels.unlink()
    write_idx(labels, package.load_data(folder, name).y_test[:5].astype("uint8"))
    with pytest.raises(package.RequestError, match="5 labels"):
        package.load_data(folder, name, data_root=moved)
    with pytest.raises(package.RequestError, match="are not those that it saw"):
        package.load_data(folder, name, data_root=write_digits(tmp_path / "more", n_train=1100))


def test_it_is_shown_and_drawn(folder, call, tmp_path):
    shown = call("show", folder, "--per-class", "--where", "not seen", "--format", "csv", "-o", tmp_path / "unseen.csv")
    assert shown.exit_code == 0, shown.output
    unseen = pd.read_csv(tmp_path / "unseen.csv")
    assert len(unseen) == 18
    assert set(unseen["label"]) == {3}
    assert {"transfer", "teacher_architecture", "bias_shift", "accuracy"} <= set(unseen.columns)
    plotted = call("plot", folder, "-o", tmp_path)
    assert plotted.exit_code == 0, plotted.output
    for name in ("per_class", "confusion", "learning"):
        assert (tmp_path / f"{name}.png").stat().st_size > 20_000
    series = choose_networks(table(folder))[0]["series"]
    assert series.nunique() == 2 + 1 + 8
    assert series.str.startswith("teacher, ").sum() == 2


def test_it_is_compared(folder, call, tmp_path):
    figures = tmp_path / "mine.csv"
    threes = int(package.read_table(folder, per_class=True).query("label == 3")["n"].iloc[0])
    columns = "source,part,network,model,teacher_architecture,temp,bias_start,bias_shift,label,n,num_error,note"
    figures.write_text(
        f"{columns}\n"
        "me,A,baseline,student,,,,,,597,0,so few\n"
        "me,A,soft,distilled_student,cnn,3,none,none,,597,100000,\n"
        f"me,A,shifted on 3s,distilled_student,mlp,3,none,3,3,{threes},1,\n"
        "me,A,of another test set,student,,,,,,10000,1,\n"
        "me,A,teacher,teacher,,,,,,597,9,\n"
        "me,A,nothing like it,distilled_student,cnn,4,,,,597,9,\n"
    )
    run = call("compare", folder, "--with", figures, "-o", tmp_path / "out.csv")
    assert run.exit_code == 0, run.output
    found = pd.read_csv(tmp_path / "out.csv").set_index("network")
    assert list(found.index) == ["baseline", "soft", "shifted on 3s", "teacher"]
    assert found["spread"].to_dict()["baseline"] == BELOW
    assert found["spread"].to_dict()["soft"] == ABOVE
    rows = table(folder)
    own = rows[rows[MODEL] == BASELINE][NUM_ERROR]
    assert found.loc["baseline", ["mean", "lowest", "highest", "replicates"]].tolist() == [
        own.mean(),
        own.min(),
        own.max(),
        2,
    ]
    assert found.loc["teacher", "mean"] == rows[rows[MODEL] == TEACHER][NUM_ERROR].mean(), "both of replicate 0"
    assert "Wrote" in run.output
    assert "so few" in run.output


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("me,A,x,,597,abc,", "line 2: num_error: must be a whole number, not 'abc'"),
        ("me,A,x,three,597,9,", "line 2: label: must be a whole number, not 'three'"),
        ("me,A,x,,,9,", "line 2: n: must be a whole number, not ''"),
    ],
)
def test_figures_that_are_none(folder, call, tmp_path, row, expected):
    (tmp_path / "bad.csv").write_text(f"source,part,network,label,n,num_error,note\n{row}\n")
    run = call("compare", folder, "--with", tmp_path / "bad.csv")
    assert run.exit_code == 2
    assert expected in run.output


def test_details_of_other_networks_are_not_drawn(folder, call, tmp_path):
    """Curves of networks that no figure shows, a table from elsewhere by our name: the figures are left out."""
    other = tmp_path / "other"
    other.mkdir()
    for path in folder.glob("*.parquet"):
        (other / path.name).write_bytes(path.read_bytes())
    curves = pd.read_parquet(folder / "learning_curves.parquet")
    curves.assign(id="another").to_parquet(other / "learning_curves.parquet")
    assert call("plot", other).exit_code == 0
    assert {path.stem for path in (other / "figures").iterdir()} >= {"networks", "per_class", "confusion"}
    assert not (other / "figures/learning.png").exists()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    table(folder).drop(columns=["id", "teacher_id"]).to_parquet(foreign / "table.parquet")
    run = call("plot", foreign / "table.parquet")
    assert run.exit_code == 0, run.output


def test_single_networks_of_many_cells(spec):
    """The first cells, each at the temperature with the fewest errors on validation, with their own baselines."""
    random = np.random.default_rng(0)
    widths = {"grid_search": list(range(1, 31))}
    overrides = {"dataset": {"kind": "digits"}, "student": {"depth": 1, "width": widths}, "replicates": 2}
    networks = list(enumerate_networks(spec("distill.T=[1, 4]", **overrides)))
    errors = random.integers(1, 99, len(networks)).tolist()
    rows = [make_row(n, {NUM_ERROR: 1, VAL_NUM_ERROR: e}) for n, e in zip(networks, errors, strict=True)]
    whole = to_frame(rows_to_arrow(rows))
    found, left_out = choose_networks(whole)
    assert left_out == 30 - MAX_CELLS
    students = found[found[MODEL] == STUDENT]
    assert set(students[WIDTH]) == set(found[found[MODEL] == BASELINE][WIDTH]) == set(range(1, MAX_CELLS + 1))
    for width, own in students.groupby(WIDTH):
        all_of_it = whole[(whole[MODEL] == STUDENT) & (whole[WIDTH] == width)]
        best = all_of_it.groupby(TEMP)[VAL_NUM_ERROR].mean().idxmin()
        assert set(own[TEMP]) == {best}
        assert set(own["series"]) == {f"student, width {width}, T {best:g} (chosen)"}


def test_what_is_not_there(folder, call, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("source,part,network,dataset,label,n,num_error,note\nme,A,one,KMNIST,,597,9,\n")
    assert f"none of its networks has a published figure in {other}" in call("compare", folder, "--with", other).output
    assert (
        "no bundled figures of that name; did you mean 'tutorial'?"
        in call("compare", folder, "--with", "tutorail").output
    )
    assert call("compare", folder, "--with", "tutorail").exit_code == 2
    lone = tmp_path / "lone"
    lone.mkdir()
    (lone / "table.parquet").write_bytes((folder / "table.parquet").read_bytes())
    assert "there are no errors by class" in call("show", lone, "--per-class").output
    assert (
        "`train: {eval_every: 1}` in the sweep file records learning curves"
        in call("plot", lone, "-f", "learning").output
    )


def test_weights_of_earlier_versions_come_back(tmp_path):
    """Written when there were perceptrons only."""
    net = torch.nn.Sequential()
    net.add_module("hidden_1", torch.nn.Linear(4, 3))
    net.add_module("act", torch.nn.Tanh())
    net.add_module("logit", torch.nn.Linear(3, 2))
    about = {"layers": json.dumps([[4, 3], [3, 2]]), "dropout": "0.2", "activation": '"tanh"', "id": "x"}
    save_file(dict(net.state_dict()), tmp_path / "old.safetensors", metadata=about)
    x = torch.rand(5, 4)
    torch.testing.assert_close(load_weights(tmp_path / "old.safetensors")(x), net(x), rtol=0, atol=0)
