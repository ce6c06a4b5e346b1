"""The journal: whole lines only, whatever byte a file was cut at."""

from __future__ import annotations

from pathlib import Path

from kwdag.journal import Reader, Writer


def test_a_reader_hears_the_others_once(tmp_path):
    folder = str(tmp_path / "journal")
    mine, other = Writer(folder, "mine"), Writer(folder, "other")
    reader = Reader(folder, but="mine")
    mine.write(1.0, "start", "a_id_1")
    other.write(2.0, "failed", "a_id_2", "exit code 3\nand more")
    assert [(e.writer, e.what, e.job_id, e.note) for e in reader.news()] == [
        ("other", "failed", "a_id_2", "exit code 3 and more")
    ]
    assert list(reader.news()) == []
    other.write(3.0, "bye")
    assert [e.what for e in reader.news()] == ["bye"]


def test_a_journal_that_is_cut_at_any_byte_still_loads(tmp_path):
    folder = tmp_path / "journal"
    writer = Writer(str(folder), "w")
    for i in range(3):
        writer.write(float(i), "done", f"a_id_{i}", "0.1")
    whole = (folder / "w.log").read_bytes()
    for size in range(len(whole) + 1):
        (folder / "w.log").write_bytes(whole[:size])
        jobs = [event.job_id for event in Reader(str(folder)).news()]
        assert jobs == [f"a_id_{i}" for i in range(whole[:size].count(b"\n"))]


def test_no_journal_is_no_news(tmp_path):
    assert list(Reader(str(Path(tmp_path, "nowhere"))).news()) == []
