"""`kwdag cancel` on a run in tmux sessions: the workers end their jobs, and no session is left."""

from __future__ import annotations

import json

from kwdag.cancel import cancel
from tests.backends import test_tmux
from tests.backends.test_tmux import finish, sessions, start, wait_for

pytestmark = test_tmux.pytestmark


def test_a_run_is_cancelled_and_goes_on_later(lab):
    lab.node("a", "[ -e '{gate}' ] || {{ echo up; sleep 300; }}; echo {x} > {dst}", algo_params=["x", "gate"])
    matrix = {"a.x": [1, 2, 3, 4], "a.gate": str(lab.folder / "gate")}
    run = start(lab, matrix)
    wait_for(lambda: len(list(lab.root.glob("a/*/job.log"))) == 2)
    done = cancel(str(lab.root))
    assert (len(done.ended), done.workers, done.left) == (2, 2, {})
    wait_for(lambda: not sessions())
    states = [json.loads(path.read_text())["state"] for path in lab.root.glob("a/*/job_status.json")]
    assert states == ["interrupted"] * 2
    assert finish(run)[0] == 1
    lab.file("gate")
    code, out = finish(start(lab, matrix))
    assert code == 0, out
    assert len(list(lab.root.glob("a/*/a.txt"))) == 4
