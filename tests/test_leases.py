"""Claims of other hosts: a heartbeat, judged by one's own clock."""

import errno
import json
import os
import time
from pathlib import Path

import pytest

from kwdag import claims, leases


@pytest.fixture
def abroad(tmp_path, monkeypatch):
    """A job that another host claimed, whose lock is not seen here; its clock is a day ahead."""
    monkeypatch.setattr(leases, "LEASE", 0.2)
    claim = tmp_path / ".claim-1"
    claim.write_text(json.dumps({"host": "elsewhere/12345678", "pid": 1, "since": time.time() + 86400}))
    os.utime(claim, (time.time() + 86400,) * 2)
    return claim


def test_a_claim_of_another_host_is_respected_until_its_lease_is_over(abroad):
    folder = str(abroad.parent)
    assert claims.acquire(folder, 1) is None
    time.sleep(0.1)
    assert claims.acquire(folder, 1) is None
    time.sleep(0.15)
    claim = claims.acquire(folder, 1)
    assert isinstance(claim, claims.Claim) and claim.attempt == 2
    claim.release()


def test_a_heartbeat_keeps_it(abroad):
    folder = str(abroad.parent)
    for _ in range(6):
        assert claims.acquire(folder, 1) is None
        time.sleep(0.1)
        leases.beat(str(abroad))


def test_one_that_has_ended_is_not_held(abroad):
    Path(abroad.parent, "job_status.json").write_text('{"state": "failed", "attempt": 1}')
    claim = claims.acquire(str(abroad.parent), 1)
    assert isinstance(claim, claims.Claim)
    claim.release()


def test_a_claim_of_this_host_in_another_boot_is_free(tmp_path):
    host = claims.host_id().partition("/")[0]
    (tmp_path / ".claim-1").write_text(json.dumps({"host": f"{host}/0ld", "pid": 1}))
    claim = claims.acquire(str(tmp_path), 1)
    assert isinstance(claim, claims.Claim)
    claim.release()


def test_a_holder_that_was_overtaken_has_its_result_refused(tmp_path):
    claim = claims.acquire(str(tmp_path), 0)
    assert claim.holds()
    (tmp_path / ".claim-2").write_text("{}")
    assert not claim.holds()
    claim.release()


def test_a_job_that_fails_is_tried_again_when_asked(lab):
    lab.node("a", "echo x >> {tries}; [ $(wc -l < {tries}) -ge 3 ]; echo done > {dst}",
             perf_params={"tries": str(lab.folder / "tries")}, setup=["set -e"])  # fmt: skip
    assert lab.schedule({}, retries=1).counts == {"failed": 1}
    assert lab.schedule({}, retries=1).complete
    status = json.loads((lab.job("a") / "job_status.json").read_text())
    assert status["attempt"] == 3 and status["state"] == "done"


def test_a_claim_that_was_stalled_while_others_came_and_went_is_refused(tmp_path):
    (tmp_path / ".claim-3").write_text('{"host": "elsewhere/1"}')
    with pytest.raises(FileExistsError):
        claims._create(str(tmp_path), 2)
    assert [path.name for path in tmp_path.iterdir()] == [".claim-3"]


def test_the_end_of_an_attempt_is_not_told_before_it_has_ended(abroad):
    """Or its result would be missed, and the job run again."""
    folder = str(abroad.parent)
    assert claims.acquire(folder, 0) is None
    Path(folder, "job_status.json").write_text('{"state": "done", "attempt": 1}')
    assert claims.acquire(folder, 0) == 1


def test_without_hard_links_a_claim_is_created_exclusively(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    claim = claims.acquire(str(tmp_path), 0)
    assert claims.holder(str(tmp_path))["pid"] == os.getpid()
    with pytest.raises(FileExistsError):
        claims._create(str(tmp_path), 1)
    claim.release()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".claim-1", ".lock"]
