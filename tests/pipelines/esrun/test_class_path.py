"""Tools by class_path: built in, nested, the user's own, and those that are none."""

import sys

import pytest

from pipelines.errors import BadInput
from pipelines.esrun.class_path import build, find_class
from pipelines.esrun.projection import Projection

USERS = """\
class Base: pass
class Own(Base):
    def __init__(self, size: float, other: "Base | None" = None, flag: bool = False):
        if size <= 0:
            raise ValueError(f"size must be above 0, not {size!r}")
        self.size, self.other, self.flag = size, other, flag
class Placed(Base):
    def __init__(self, output_projection: "Projection | None" = None):
        self.projection = output_projection
class Listed(Base):
    def __init__(self, sizes: list[int]):
        self.sizes = sizes
from pipelines.esrun.projection import Projection
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "users_tools.py").write_text(USERS)
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("users_tools")
    sys.modules.pop("users_tools", None)


def made(mine, spec):
    return build(spec, mine.Base, "a.b", "/p/esrun.yaml")


def test_the_users_own_with_one_inside(mine):
    inner = {"class_path": "users_tools.Own", "init_args": {"size": 2}}
    found = made(mine, {"class_path": "users_tools.Own", "init_args": {"size": 1.5, "other": inner}})
    assert (found.size, found.other.size) == (1.5, 2)


@pytest.mark.parametrize("nested", [True, False])
def test_a_projection_as_a_mapping_or_by_its_class(mine, nested):
    args = {"crs": "EPSG:32613", "x_resolution": 10, "y_resolution": -10}
    spec = {"class_path": "rslearn.utils.geometry.Projection", "init_args": args} if nested else args
    found = made(mine, {"class_path": "users_tools.Placed", "init_args": {"output_projection": spec}})
    assert found.projection == Projection(**args)


def test_a_list_is_given_as_it_is(mine):
    found = made(mine, {"class_path": "users_tools.Listed", "init_args": {"sizes": [1, 2]}})
    assert found.sizes == [1, 2]


def test_no_init_args_is_none(mine):
    assert made(mine, {"class_path": "users_tools.Placed", "init_args": None}).projection is None


def test_a_module_beside_the_file_is_found(tmp_path):
    (tmp_path / "beside.py").write_text("class Here: pass\n")
    assert find_class("beside.Here", "k", tmp_path / "esrun.yaml").__name__ == "Here"
    sys.modules.pop("beside")
    assert str(tmp_path) not in sys.path


def test_each_project_has_modules_of_its_own(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "beside_helper.py").write_text(f"NAME = {name!r}\n")
        (tmp_path / name / "beside_tools.py").write_text(
            "from beside_helper import NAME\nclass Here:\n    name = NAME\n"
        )
    names = [
        find_class("beside_tools.Here", "k", tmp_path / name / "esrun.yaml").name
        for name in ("one", "two", "one")
    ]
    assert names == ["one", "two", "one"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "a.b: needs a class_path"),
        (
            {"class_path": "users_tools.Own", "args": {}},
            "no key 'args' beside class_path; did you mean 'init_args'",
        ),
        ({"class_path": "users_tools.Nothing"}, "a.b: no class 'users_tools.Nothing'"),
        ({"class_path": "no.such.Module"}, "a.b: no class 'no.such.Module'"),
        ({"class_path": ".users_tools.Own"}, "a.b: no class '.users_tools.Own'"),
        ({"class_path": "GridPartitioner"}, "did you mean '.*[.]grid_partitioner[.]GridPartitioner'"),
        (
            {
                "class_path": "users_tools.Own",
                "init_args": {"size": 1, "other": {"class_path": "builtins.dict"}},
            },
            "init_args.other.init_args: dict does not say what it takes",
        ),
        ({"class_path": "json.JSONDecoder"}, "json.JSONDecoder is no Base"),
        ({"class_path": "users_tools.Own"}, "missing a required argument: 'size'"),
        ({"class_path": "users_tools.Own", "init_args": {"sise": 1}}, "takes no 'sise'; did you mean 'size'"),
        (
            {"class_path": "users_tools.Own", "init_args": {"size": "big"}},
            "init_args.size: 'big' is no number",
        ),
        ({"class_path": "users_tools.Own", "init_args": {"size": True}}, "size: True is no number"),
        ({"class_path": "users_tools.Own", "init_args": {"size": 1, "flag": 1}}, "flag: 1 is no truth value"),
        ({"class_path": "users_tools.Own", "init_args": {"size": 0}}, "size must be above 0, not 0"),
        ({"class_path": "users_tools.Own", "init_args": [1]}, "init_args: must be a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(mine, spec, said):
    with pytest.raises(BadInput, match=said) as error:
        made(mine, spec)
    assert str(error.value).startswith("/p/esrun.yaml: a.b")


def test_a_module_that_fails_is_told_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "failing.py").write_text("import no_such_library\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadInput, match="needs no_such_library, which is not installed"):
        find_class("failing.X", "k", "/p/esrun.yaml")
    (tmp_path / "elsewhere.py").write_text("from esrun.runner.tools.samplers import sampler_interface\n")
    with pytest.raises(
        BadInput, match="elsewhere.X needs esrun.*; import pipelines.esrun.tools in place of esrun"
    ):
        find_class("elsewhere.X", "k", "/p/esrun.yaml")
    with pytest.raises(BadInput, match="broken cannot be imported .ZeroDivisionError"):
        find_class("broken.X", "k", "/p/esrun.yaml")
