"""What the original pipeline fell for, by the programs from the seed to the metrics.

Other traps are in tests of their own part: the split's seed (rank_input, splitting), gaps on both sides
(interpolation, rank_dataset), a batch of one and checkpoints without code (networks), switches (training).
"""

from __future__ import annotations

import csv
import json
import math
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta

import pandas as pd
import pytest
import torch

from kwdag.metrics import Metric
from kwdag.ranking import rank
from pipelines.fpe.local_times import Window, within, zone
from pipelines.fpe.storage import UPLOADING, Storage
from tests.pipelines.fpe.chain_cases import (
    COUNT,
    ODD,
    START,
    call,
    chain,
    contents,
    import_and_collect,
    metrics,
    names,
    photograph,
    picture,
    scene_seed,
    step,
)
from tests.pipelines.fpe.seed_cases import make_seed, station_folder


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    torch.set_num_threads(1)
    for name in ("FPE_DATABASE_URL", "FPE_STORAGE_URL", "DB_HOST", "BUCKET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def clock(monkeypatch):
    """Sets the time zone of this machine, which is not the station's."""

    def turn(timezone):
        monkeypatch.setenv("TZ", timezone)
        time.tzset()

    yield turn
    monkeypatch.undo()
    time.tzset()


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_odd_names_come_through_all_programs(tmp_path):
    """Spaces, parentheses, commas, quotes, and what an address would take for something else."""
    model, said = chain(scene_seed(tmp_path / "seed"), tmp_path / "root")
    assert said == [""] * len(said)
    keys = [f"imagesets/set-0/images/{name}" for name in names()]
    rows = rows_of(model / "transform/predictions.csv")
    assert [row["filename"] for row in rows] == keys
    assert all(math.isfinite(float(row["score"])) for row in rows)
    for name in ODD:
        assert (model / f"transform/out/imagesets/set-0/images/{name}.out").is_file()
    assert json.loads((model / "transform/manifest.json").read_text())[1:] == keys
    assert metrics(model)["missing_scores"] == 0


def test_grey_empty_and_corrupt_images_on_the_way_to_the_metrics(tmp_path):
    seed = scene_seed(tmp_path / "seed")
    grey, empty, torn, text = names()[4:8]
    picture(photograph(seed, grey), 4, grey=True)
    photograph(seed, empty).write_bytes(b"")
    photograph(seed, torn).write_bytes(photograph(seed, torn).read_bytes()[:-60])
    photograph(seed, text).write_text("a text that somebody has called JPG")
    model, said = chain(seed, tmp_path / "root")
    broken = sorted(f"imagesets/set-0/images/{name}" for name in (empty, torn, text))
    training = json.loads((model / "train/train.json").read_text())
    assert sorted(training["unreadable"]) == broken
    assert training["result"]["metrics"]["grey_images"] == 1
    assert sorted(json.loads((model / "transform/transform.json").read_text())["unreadable"]) == broken
    for words in said[1:3]:
        assert f"3 of {COUNT} images" in words and broken[0] in words and words.count("\n") == 1
    scores = {row["filename"]: row["score"] for row in rows_of(model / "transform/predictions.csv")}
    assert sorted(name for name, score in scores.items() if not score) == broken
    assert metrics(model)["missing_scores"] == 3 and metrics(model)["n_all"] == COUNT - 3


def test_a_station_without_observations_is_never_the_best(tmp_path):
    model, _ = chain(scene_seed(tmp_path / "seed", observed=False), tmp_path / "root")
    found = metrics(model)
    assert {value for key, value in found.items() if key.startswith(("tau", "rho"))} == {None}
    rows = [{"param_hashid": "without", **found}, {"param_hashid": "bad", "tau_all": -0.9}]
    for table in (rows, rows[::-1]):
        ranked = rank(pd.DataFrame(table), [Metric("tau_all", "tau_all")])
        assert list(ranked["param_hashid"]) == ["without", "bad"]  # best last


def test_the_clock_of_the_machine_changes_nothing(tmp_path, clock, database_address, monkeypatch):
    """Whoever takes local times for UTC has other hours, dates and values for each zone."""
    monkeypatch.setenv("FPE_DATABASE_URL", database_address)
    seed, root = scene_seed(tmp_path / "seed"), tmp_path / "root"
    found = []
    for timezone in ("Asia/Kathmandu", "America/Los_Angeles"):
        clock(timezone)
        monkeypatch.setenv("PGTZ", timezone)
        import_and_collect(seed, root, f"--storage={tmp_path / 'storage'}")
        assert step(root, "rank_input", "-D", "DATA", "MODEL", "--max-hour=22").code == 0
        found.append(contents(root / "29"))
        for path in (root / "29").rglob("*.*"):
            path.unlink()
    assert found[0] == found[1]
    images = [line.split(",") for line in found[0]["datasets/DATA/images.csv"].decode().splitlines()[1:]]
    assert images[0][1] == "2023-01-02T12:00:00Z" and images[0][-1] == "1.0"
    kept = rows_of_text(found[0]["models/MODEL/input/images.csv"])
    local = [START + timedelta(hours=hour - 5) for hour in range(COUNT)]  # US/Eastern in January
    assert [row["image_id"] for row in kept] == [
        str(1001 + hour) for hour, time in enumerate(local) if 7 <= time.hour <= 22
    ]


def rows_of_text(content):
    return list(csv.DictReader(content.decode().splitlines()))


@pytest.mark.parametrize(
    ("day", "first", "last", "hours"),
    [
        # On 12 March 2023 2:00 EST became 3:00 EDT; 7:00 to 18:59 is all EDT, UTC-4. The day has 23 hours.
        ("2023-03-12", "2023-03-12T05:00Z", "2023-03-13T03:00Z", ["11:00", "22:00"]),
        # On 5 November 2:00 EDT became 1:00 EST; 7:00 to 18:59 is all EST, UTC-5. The day has 25 hours.
        ("2023-11-05", "2023-11-05T04:00Z", "2023-11-06T04:00Z", ["12:00", "23:00"]),
    ],
)
def test_hours_on_the_days_when_the_clocks_change(day, first, last, hours):
    times = pd.Series(pd.date_range(f"{day}T00:00Z", periods=48, freq="h"))
    date = datetime.fromisoformat(day).date()
    new_york = zone("America/New_York")
    its = times[within(times, Window(0, 23, start=date, end=date), new_york)]
    assert (its.min(), its.max()) == (pd.Timestamp(first), pd.Timestamp(last))
    kept = times[within(times, Window(start=date, end=date), new_york)]
    assert [kept.min(), kept.max()] == [pd.Timestamp(f"{day}T{hour}Z") for hour in hours]
    assert len(kept) == 12
    # the hour that comes twice counts twice, that which is left out not at all
    assert within(times, Window(1, 1, start=date, end=date), new_york).sum() == (1 if "03-12" in day else 2)
    assert within(times, Window(2, 2, start=date, end=date), new_york).sum() == (0 if "03-12" in day else 1)


def test_an_upload_to_s3_that_is_killed_goes_on(tmp_path, s3_url):
    seed = make_seed(tmp_path / "seed", stations=1, names=[f"West Brook {n} (1).JPG" for n in range(24)])
    words = [f"--data={seed}", f"--root={tmp_path}", f"--storage={s3_url}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.fpe.import_seed", *words], stdout=subprocess.DEVNULL
    )
    storage, until = Storage(s3_url), time.monotonic() + 40
    while process.poll() is None and time.monotonic() < until and len(storage.list()) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = stored(storage)
    assert 3 <= len(before) < 25
    for key in before:  # none half there
        assert storage.read(key) == (station_folder(seed) / "storage" / key).read_bytes()
    assert call("import_seed", *words) == (0, "")
    after = stored(storage)
    assert len(after) == 25 and before.items() <= after.items()  # and none sent again
    assert not storage._files.find(f"{storage._root}/{UPLOADING}")


def stored(storage):
    """When each key came, by the server."""
    return {key: storage._files.info(storage._path(key))["LastModified"] for key in storage.list()}
