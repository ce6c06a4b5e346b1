"""The command lines that README and each `--help` offer to be copied are ones that the programs take."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import click
import pytest

from pipelines import cerulean
from pipelines.program import _spread

README = Path(__file__).parents[3] / "README.rst"
FOLDER = Path(cerulean.__file__).parent
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py") if "@click.command" in path.read_text())


def command_of(name: str) -> click.Command:
    return importlib.import_module(f"pipelines.cerulean.{name}").command


def calls(text: str) -> list[tuple[str, list[str]]]:
    """Programs and arguments of the command lines in a text."""
    found = re.findall(r"python -m pipelines\.cerulean\.(\w+) (.+)", re.sub(r"\\\n\s*", "", text))
    return [(name, shlex.split(line, comments=True)) for name, line in found]


def shown(name: str) -> list[tuple[str, list[str]]]:
    return calls(
        command_of(name).get_help(click.Context(command_of(name), info_name="x", max_content_width=200))
    )


def assert_taken(name: str, arguments: list[str]) -> None:
    command = command_of(name)
    command.make_context(name, _spread(command, arguments))


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_examples_of_a_program_are_for_it(name):
    examples = shown(name)
    assert examples and {one for one, _ in examples} == {name}
    for _, arguments in examples:
        assert_taken(name, arguments)


def test_the_examples_of_readme_name_all_steps_in_an_order_that_has_what_each_reads():
    there = {"sea/scenes", "sea/aux"}
    made = {"splits": ["splits/test.txt", "splits/$part.txt"]}
    steps = calls(README.read_text(encoding="utf-8"))
    for name, arguments in steps:
        assert_taken(name, arguments)
        given = dict(word.removeprefix("--").split("=") for word in arguments if "=" in word)
        if name == "generate":
            continue
        if name == "make_coco_dataset":
            assert there >= set(arguments[:2])
            there |= {"tiles/train", "tiles/val"}
            continue
        dst = given.pop("dst")
        assert there >= set(given.values()), (name, given)
        there |= {dst, *made.get(dst, [])}
    assert len(steps) == 9


def test_options_of_one_name_say_the_same_in_all_programs():
    for option in ("--aux", "--georeference", "--device"):
        texts = {
            one.help
            for name in PROGRAMS
            if name != "make_coco_dataset"  # which has it as an argument, too
            for one in command_of(name).params
            if isinstance(one, click.Option) and option in one.opts
        }
        assert len(texts) == 1
