"""The command `esrun`: every program under one name."""

import pytest

from pipelines.esrun.__main__ import PROGRAMS, main


def test_every_program_is_listed(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0 and all(f"  {name} " in said for name in PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_helps_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0 and "Example" in said


def test_without_a_program_it_helps(capsys):
    with pytest.raises(SystemExit) as end:
        main([])
    told = capsys.readouterr()
    assert end.value.code == 0 and told.err == "" and "\n  partition " in told.out


@pytest.mark.parametrize("argv", [["prepare_labelled_windows"], ["partition", "--nonsense"]])
def test_what_is_no_program_is_one_line(argv, capsys):
    with pytest.raises(SystemExit) as end:
        main(argv)
    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2 and line.startswith("error: ")
