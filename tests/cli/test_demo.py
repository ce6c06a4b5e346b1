from __future__ import annotations


def test_the_demo_runs_from_grid_to_ranked_table(kwdag, folder):
    found = kwdag("demo", "first")
    assert (found.code, found.err) == (0, "")
    assert "$ cd first && kwdag schedule --params=params.yaml --root_dpath=out --run=1" in found.out
    assert "16 done of 16 jobs" in found.out
    assert "Top 8 / 8 for stage1_evaluate, unknown" in found.out


def test_the_demo_a_second_time_runs_nothing_and_keeps_what_was_changed(kwdag, folder):
    kwdag("demo", "first")
    params = folder / "first" / "params.yaml"
    params.write_text(params.read_text().replace("32, 33", "32"))
    found = kwdag("demo", "first")
    assert found.code == 0
    assert "nothing to run: all 12 jobs are done" in found.out
