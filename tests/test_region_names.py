"""Names of datasets whose files are called alike."""

from hypothesis import given
from hypothesis import strategies as st

from kwdag.region_names import region_names


def test_a_stem_of_its_own_is_left_alone():
    assert region_names(["/a/x.json", "/b/y.json", "/a/x.json"]) == {}


def test_as_many_folders_as_it_takes():
    paths = ["/a/k/x.json", "/b/k/x.json", "/b/j/x.json"]
    assert region_names(paths) == {"/a/k/x.json": "a/k/x", "/b/k/x.json": "b/k/x", "/b/j/x.json": "b/j/x"}


def test_files_that_differ_in_their_suffix_alone_keep_it():
    assert region_names(["/a/x.json", "/a/x.csv"]) == {"/a/x.json": "/a/x.json", "/a/x.csv": "/a/x.csv"}


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), max_size=8))
def test_no_two_paths_share_a_name(parts):
    paths = {"/" + "/".join(one) for one in parts}
    found = region_names(paths)
    assert len(set(found.values())) == len(found)
    assert found.keys() <= paths
