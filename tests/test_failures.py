"""Failed jobs in groups, and the value that each group goes with."""

from __future__ import annotations

import json
import random
import sys

import pytest

from kwdag import jobdir
from kwdag.errors import RootError
from kwdag.failures import find_failures, log_path
from tests.test_resources import lay


def fail(root, node, name, config, log, reason="exit code 1", cause="exit", **status) -> str:
    """A failed job directory and its log."""
    job_id = lay(root, node, name, config, state="failed", reason=reason, cause=cause, exit_code=1, **status)
    (root / node / job_id / jobdir.LOG).write_text(log)
    return job_id


def noise(rng) -> str:
    """Lines such as a job prints while all is well."""
    lines = [f"2026-11-{rng.randint(1, 30):02} 1{rng.randint(0, 9)}:05:1{rng.randint(0, 9)} epoch {i} loss "
             f"{rng.random():.4f} lr 1e-{rng.randint(2, 5)} validation error {rng.random():.3f}"
             for i in range(rng.randint(0, 20))]  # fmt: skip
    return "".join(f"{line}\n" for line in lines)


def traceback(rng) -> str:
    at = "".join(f'  File "/opt/v{rng.randint(1, 9)}/m{i}.py", line {rng.randint(1, 900)}, in f\n    f(x)\n'
                 for i in range(rng.randint(1, 6)))  # fmt: skip
    return (
        f"{noise(rng)}Traceback (most recent call last):\n{at}"
        f"ValueError: cannot reshape array of size {rng.randint(9, 9999)} into shape "
        f"({rng.randint(1, 9)},{rng.randint(1, 99)})\n" + rng.choice(["", "cleaning up 3 workers\n"])
    )


#: cause -> (log, reason, recorded cause), for one job.
CAUSES = {
    "traceback": lambda rng: (traceback(rng), "exit code 1", "exit"),
    "bash": lambda rng: (
        f"{noise(rng)}/tmp/job.{rng.randint(1, 9999)}/run.sh: line {rng.randint(1, 99)}: gdalwarp: "
        "command not found\n",
        "exit code 127", "exit",
    ),
    "segfault": lambda rng: (noise(rng), "killed by SIGSEGV", "exit"),
    "memory": lambda rng: (noise(rng) + "loading\n", "out of memory", "memory"),
    "timeout": lambda rng: (noise(rng), f"timeout after {rng.choice([60, 120])} s", "time"),
    "assertion": lambda rng: (
        f"{noise(rng)}Traceback (most recent call last):\n  File \"<stdin>\", line 1\n"
        f"AssertionError: overlap {rng.random():.3f} of "
        f"/data/{rng.randint(1, 999)}/tile_{rng.randint(1, 99)}.tif is not above 0.5\n",
        "exit code 1", "exit",
    ),
}  # fmt: skip
GUILTY = {
    "traceback": ("fit.model", "unet"),
    "bash": ("eval.tool", "warp"),
    "segfault": ("fit.lr", 0.1),
    "memory": ("fit.batch", 64),
    "timeout": ("fit.src", "/data/huge.txt"),
    "assertion": ("eval.tile", 512),
}


def configs(rng):
    """Parameters of a job of `fit` and of one of `eval`; all values occur with all others."""
    fit = {
        "fit.model": rng.choice(["unet", "resnet50", "vit"]), "fit.lr": rng.choice([0.001, 0.01, 0.1]),
        "fit.batch": rng.choice([8, 16, 32, 64]), "fit.seed": rng.randint(0, 10**6),
        "fit.src": rng.choice(["/data/a.txt", "/data/b.txt", "/data/huge.txt", "/data/d.txt"]), "fit.wd": 0,
    }  # fmt: skip
    own = {"eval.tool": rng.choice(["warp", "copy"]), "eval.tile": rng.choice([128, 256, 512, True])}
    return fit, {**fit, **own}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """500 failures of six causes among 1,200 jobs; the guilty value fails four jobs of five that have it."""
    root, rng = tmp_path_factory.mktemp("planted"), random.Random(4)
    truth: dict[str, str] = {}
    done = 0
    while len(truth) < 500 or done < 700:
        fit, ev = configs(rng)
        node, config = rng.choice([("fit", fit), ("eval", ev)])
        causes = [cause for cause, (key, value) in GUILTY.items()
                  if key.startswith(f"{node}.") and config[key] == value]  # fmt: skip
        cause = rng.choice(causes) if causes and rng.random() < 0.8 else None
        name = f"j{len(truth)}x{done}"
        if cause is None and done < 700:
            lay(root, node, name, config)
            done += 1
        elif cause is not None and len(truth) < 500:
            log, reason, recorded = CAUSES[cause](rng)
            truth[fail(root, node, name, config, log, reason, recorded)] = cause
    return root, truth


def test_500_planted_failures_are_grouped_right_and_the_guilty_value_is_named(planted):
    root, truth = planted
    found = find_failures([root])
    assert (found.jobs, found.failed) == (1200, 500)
    groups = {truth[group.jobs[0].job_id]: group for group in found.groups}
    assert len(found.groups) == len(groups) == 6
    for cause, group in groups.items():
        assert {job.job_id for job in group.jobs} == {job for job, why in truth.items() if why == cause}
        assert group.culprit is not None and dict(group.culprit.values) == dict([GUILTY[cause]]), cause
        assert group.culprit.recall == 1 and group.culprit.p < 1e-6
    assert [len(group.jobs) for group in found.groups] == sorted(map(len, (g.jobs for g in groups.values())))[
        ::-1
    ]


def test_the_symptoms_read_well(planted):
    root, _ = planted
    assert {group.symptom for group in find_failures([root]).groups} == {
        "ValueError: cannot reshape array of size <n> into shape (<n>...)",
        "<path>: line <n>: gdalwarp: command not found",
        "killed by SIGSEGV",
        "out of memory",
        "timeout after <span>",
        "AssertionError: overlap <n> of <path> is not above <n>",
    }


def test_real_jobs_that_fail_in_six_ways(lab):
    """What a worker records and bash prints, not what we think they do."""
    program = lab.file("fail.sh", """\
for word; do key=${word%%=*}; declare "${key#--}=${word#*=}"; done
case $how in
1) echo "reading $rep"; nosuchprogram_$RANDOM 2> /dev/null; nosuchprogram ;;
2) kill -SEGV $$ ;;
3) exec sleep 30 ;;
4) {python} -I -S -c "import sys; assert len(sys.argv) == $RANDOM, f'{len(sys.argv)} of $rep'" ;;
5) echo '{"metrics":' > "$out" ;;
6) echo "seed $RANDOM"; exit 3 ;;
*) echo '{"metrics": {"acc": 1}}' > "$out" ;;
esac
""".replace("{python}", sys.executable))  # fmt: skip
    lab.spec["nodes"]["a"] = {
        "executable": f"bash {program}", "out_paths": {"out": "a.json"}, "algo_params": {"how": 0, "rep": 0},
        "resources": {"time": "0.3s"},
    }  # fmt: skip
    lab.schedule({"a.how": [0, 1, 2, 4, 5, 6], "a.rep": [1, 2, 3]})
    lab.schedule({"a.how": 3, "a.rep": 1}, resource_retries=0)
    found = find_failures([lab.root])
    by_how = {tuple({job.config["a.how"] for job in group.jobs}): group for group in found.groups}
    assert sorted(by_how) == [(1,), (2,), (3,), (4,), (5,), (6,)]
    assert all(len(group.jobs) == (1 if how == (3,) else 3) for how, group in by_how.items())
    assert {how[0]: group.symptom for how, group in by_how.items()} == {
        1: "<path>: line <n>: nosuchprogram: command not found",
        2: "killed by SIGSEGV",
        3: "timeout after <span>",
        4: "AssertionError: <n> of <n>",
        5: "invalid result: output 'out' (<path>) is not whole JSON",
        6: "seed <n>",
    }
    for how, group in by_how.items():
        if how != (3,):  # a single job proves nothing
            assert group.culprit is not None and group.culprit.values == {"a.how": how[0]}
    assert by_how[(3,)].culprit is None


def test_nothing_is_claimed_where_chance_will_do(tmp_path):
    rng = random.Random(0)
    for i in range(60):
        config = {f"fit.p{k}": rng.randint(0, 4) for k in range(6)} | {"fit.seed": i}
        if i % 3:
            lay(tmp_path, "fit", f"j{i}", config)
        else:
            fail(tmp_path, "fit", f"j{i}", config, "Error: bad luck\n")
    (group,) = find_failures([tmp_path]).groups
    assert len(group.jobs) == 20 and group.culprit is None


def test_where_every_job_failed_no_value_is_to_blame(tmp_path):
    for i in range(8):
        fail(tmp_path, "fit", f"j{i}", {"fit.lr": i % 2}, "Error: always\n")
    (group,) = find_failures([tmp_path]).groups
    assert group.culprit is None and group.ended == 8


def test_jobs_of_other_nodes_are_not_compared(tmp_path):
    for i in range(12):
        lay(tmp_path, "prepare", f"j{i}", {"prepare.x": i})
        fail(tmp_path, "fit", f"j{i}", {"prepare.x": i}, "Error: always\n")
    (group,) = find_failures([tmp_path]).groups
    assert group.ended == 12 and group.culprit is None


def test_one_symptom_in_several_nodes_is_one_group(tmp_path):
    for node in ("fit", "eval"):
        for i in range(3):
            fail(
                tmp_path,
                node,
                f"j{i}",
                {"fit.x": i},
                f"OSError: [Errno 28] No space left on device: '/d/{i}'\n",
            )
    (group,) = find_failures([tmp_path]).groups
    assert group.nodes == {"eval": 3, "fit": 3} and "OSError: [Errno <n>] No space left" in group.symptom


def test_blocked_jobs_wait_behind_their_cause(tmp_path):
    from tests.conftest import Engine, Lab

    made = Lab(tmp_path, Engine())
    made.node("a", "[ {x} != 2 ] && echo > {dst}", algo_params={"x": 0})
    made.node("b", "[ {y} != 5 ] && cp {src} {dst}", ins=["src"], algo_params={"y": 0})
    made.node("c", ins=["src"], algo_params={"z": 0}).edge("a.dst -> b.src", "b.dst -> c.src")
    schedule = made.schedule({"a.x": [1, 2], "b.y": [4, 5], "c.z": [1, 2, 3]})
    record(schedule)
    found = find_failures([made.root])
    assert found.waiting == 3 + 2 + 6
    assert {group.jobs[0].node: group.waiting for group in found.groups} == {"a": 8, "b": 3}
    made.schedule({"a.x": [1], "b.y": [4], "c.z": [1, 2, 3]})
    assert find_failures([made.root]).waiting == 11  # what is done waits for nothing


def record(schedule):
    """Write the run down as the backends of several processes do, and the serial one does not."""
    from kwdag import runs
    from kwdag.tasks import TaskMaker

    plan = schedule.outlook.plan
    jobs = list(plan.jobs.values())
    run = runs.create(str(plan.root), {"backend": "serial"}, plan.wiring.nodes.values())
    runs.write_round(run, 1, jobs, {}, map(TaskMaker(plan).task, jobs))
    return run


def test_a_damaged_run_record_costs_only_the_count(tmp_path):
    fail(tmp_path, "fit", "a", {}, "Error: x\n")
    folder = tmp_path / "_kwdag" / "runs" / "20260101T000000-1-1" / "round-1"
    folder.mkdir(parents=True)
    (folder.parent / "run.json").write_text("{}")
    (folder / "jobs.json").write_text('{"jobs": [[1')
    assert find_failures([tmp_path]).failed == 1
    (folder / "jobs.json").write_text('{"jobs": [["a"]], "groups": []}')
    assert find_failures([tmp_path]).waiting == 0


def test_several_roots_and_one_given_twice(tmp_path):
    for root in ("one", "two"):
        fail(tmp_path / root, "fit", "a", {"fit.x": 1}, "Error: x\n")
    found = find_failures([tmp_path / "one", tmp_path / "two", tmp_path / "one"])
    assert (found.jobs, found.failed, len(found.groups)) == (2, 2, 1)
    with pytest.raises(RootError, match="no such folder"):
        find_failures([tmp_path / "three"])


def test_the_example_leads_to_its_log(tmp_path):
    fail(tmp_path, "fit", "a", {}, "one\nError: x\n")
    (group,) = find_failures([tmp_path]).groups
    assert open(log_path(group.jobs[0])).read() == "one\nError: x\n"  # noqa: PTH123, SIM115


def test_jobs_without_a_log_are_told_by_their_reasons(tmp_path):
    job = fail(tmp_path, "fit", "a", {}, "")
    (tmp_path / "fit" / job / jobdir.LOG).unlink()
    fail(tmp_path, "fit", "b", {}, "\n \n", reason="exit code 3")
    assert {group.symptom for group in find_failures([tmp_path]).groups} == {"exit code 1", "exit code 3"}


def test_a_log_of_any_bytes(tmp_path):
    job = fail(tmp_path, "fit", "a", {}, "")
    (tmp_path / "fit" / job / jobdir.LOG).write_bytes(bytes(range(256)) * 100)
    (group,) = find_failures([tmp_path]).groups
    assert json.dumps(group.symptom)
