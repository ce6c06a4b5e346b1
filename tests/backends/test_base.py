"""The order in which jobs become ready, held against a scheduler too simple to be wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kwdag.backends.base import Frontier
from kwdag.node import ProcessNode
from kwdag.plan import Group, Job, Output


class Naive:
    """Looks at all jobs each time."""

    def __init__(self, jobs, absent):
        self.state = dict.fromkeys(jobs, "waiting")
        self.absent = absent

    def _is(self, job, state):
        if job.id in self.absent:
            return state == "lost"
        return self.state.get(job, "done") == state

    def ready(self):
        return [job for job, state in self.state.items() if state == "waiting" and self._can_start(job)]

    def _can_start(self, job):
        for group in job.groups:
            members = [member.job for member in group.members]
            here = [member for member in members if self._is(member, "done")]
            settled = [member for member in members if self._is(member, "done") or self._is(member, "lost")]
            enough = here if job.node.partial_gather else len(here) == len(members)
            if len(settled) < len(members) or not enough:
                return False
        return all(self._is(up, "done") for up in job.upstream)

    def blocked(self):
        """Those that can no longer run, marked as lost."""
        found = []
        while new := [job for job, state in self.state.items() if state == "waiting" and self._lost(job)]:
            for job in new:
                self.state[job] = "lost"
            found += new
        return found

    def _lost(self, job):
        if any(self._is(up, "lost") for up in job.upstream):
            return True
        for group in job.groups:
            lost = [member for member in group.members if self._is(member.job, "lost")]
            if lost and (not job.node.partial_gather or len(lost) == len(group.members)):
                return True
        return False


@st.composite
def dags(draw):
    """Jobs in layers, some of which gather; some are done or lost before the run begins."""
    nodes = [
        ProcessNode(name=f"n{i}", executable="x", partial_gather=draw(st.booleans()), out_paths={"o": "o"})
        for i in range(4)
    ]
    layers: list[list[Job]] = []
    for depth, node in enumerate(nodes):
        earlier = [job for layer in layers for job in layer]
        groups = []
        if earlier:
            members = st.lists(st.sampled_from(earlier), min_size=1, max_size=4, unique=True)
            groups = [
                Group(tuple(Output(job, "o") for job in draw(members)), str(i))
                for i in range(draw(st.integers(0, 2)))
            ]
        layer = []
        for i in range(draw(st.integers(1, 3))):
            ups = draw(st.lists(st.sampled_from(earlier), max_size=2, unique=True)) if earlier else []
            sources = {f"s{k}": Output(up, "o") for k, up in enumerate(ups)}
            if groups and draw(st.booleans()):
                sources["g"] = draw(st.sampled_from(groups))
            layer.append(Job(f"n{depth}_id_{i}", "", node, {}, sources, (i, depth)))
        layers.append(layer)
    jobs = [job for layer in layers for job in layer]
    first = [job.id for job in layers[0]]
    done = draw(st.sets(st.sampled_from(first)))
    absent = draw(st.sets(st.sampled_from(first))) - done
    return jobs, done, absent


@given(dags(), st.data())
def test_against_a_naive_scheduler(dag, data):
    jobs, done, absent = dag
    chosen = [job for job in jobs if job.id not in done | absent]
    naive = Naive(chosen, absent)
    naive.blocked()  # select.py leaves these out before a run
    chosen = [job for job in chosen if naive.state[job] == "waiting"]
    absent = absent | {job.id for job, state in naive.state.items() if state == "lost"}
    frontier, naive = Frontier(chosen, frozenset(absent)), Naive(chosen, absent)
    running = []
    while True:
        ready = [job for job in naive.ready() if job not in running]
        job = frontier.pop()
        assert job is (min(ready, key=lambda job: (job.order, job.id)) if ready else None)
        if job is not None:
            running.append(job)
            if data.draw(st.booleans(), "start another one first"):
                continue
        if not running:
            break
        ending = running.pop(data.draw(st.integers(0, len(running) - 1), "which ends"))
        naive.state[ending] = "done" if data.draw(st.booleans(), "it succeeds") else "lost"
        if naive.state[ending] == "done":
            frontier.done(ending)
        else:
            blocked = frontier.failed(ending)
            assert sorted(j.id for j in blocked) == sorted(j.id for j in naive.blocked())
    assert len(frontier) == 0
    assert "waiting" not in naive.state.values()


@given(dags())
def test_a_partial_gather_is_told_whom_it_goes_without(dag):
    jobs, _, _ = dag
    frontier = Frontier(jobs)
    lost = set()
    while (job := frontier.pop()) is not None:
        members = {member.job.id for group in job.groups for member in group.members}
        assert frontier.absent(job) == members & lost
        if job.order[0] == 1:
            lost |= {job.id, *(blocked.id for blocked in frontier.failed(job))}
        else:
            frontier.done(job)
