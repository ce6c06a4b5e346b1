"""Why a job failed, in one line that is the same for all jobs that failed alike.

Of the end of a log the line that tells most, without what differs from job to job: numbers, paths, times,
ids, and the job's own parameters. Pure text work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kwdag import again

#: So many last lines of a log are looked at, and so many characters of one are kept.
LINES, LONGEST = 60, 240

_TRACEBACK = "Traceback (most recent call last):"
# An exception as Python, Java and others name it: `package.SomeError: text`.
_EXCEPTION = re.compile(
    r"(?:Caused by: )?(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit)(?::|$)"
)
_TROUBLE = re.compile(
    # `error 0.12` and `0 errors` are figures, no trouble
    r"(?<!\b0 )(?<!\bno )\b(?:errors?(?!\s*[=:]?\s*[-+]?\.?\d)|fatal|fail(?:ed|ure)?|assert\w*|abort\w*"
    r"|panic\w*|exception|terminate called|bus error|segmentation fault|core dumped|killed|denied|refused"
    r"|not found|no such|no space|cannot|could not|unable to|invalid|illegal|out of memory|unbound variable"
    r"|syntax error|unrecognized|unknown|missing)\b",
    re.IGNORECASE,
)
# What a program that ends by a signal says before; its usual lines do not count.
_LAST_WORDS = re.compile(
    r"terminate called|what\(\):|assert\w*.*fail|fatal|panic|double free|stack smashing|corrupt|\berror: ",
    re.IGNORECASE,
)
_FRAME = re.compile(r"\s+(?:at |File |\^|\.\.\. )")
# How bash tells of a program's end by a signal: `run.sh: line 3: 1234 Killed    program --key=value`.
_OBITUARY = re.compile(r"^.*: line \d+: +\d+ ([A-Z][a-z]+(?: [a-z]+)?(?: \(core dumped\))?)(?: {2,}.*)?$")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_RANK = re.compile(r"^\[(?:\w+:)?\w*\d+\]:? ?")

_DATA_FILES = (
    "bin|bmp|ckpt|csv|dat|fits|geojson|gif|gpkg|gz|h5|hdf5|html|jpe?g|jsonl?|log|mp4|nc|nii|npy|npz|onnx|parquet"
    "|pdf|pickle|pkl|png|pt|pth|safetensors|shp|svg|tar|tiff?|tmp|toml|tsv|txt|wav|xml|ya?ml|zarr|zip"
)
_NUMBER = r"[-+]?(?:\d[\d_]*(?:,\d{3})*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
#: What differs from job to job, and what is put in its place; in this order.
MASKS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), mask)
    for pattern, mask in (
        (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<uuid>"),
        (r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", "<url>"),
        (r"\b\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?", "<time>"),
        (r"\b\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?\b", "<time>"),
        (r"\b0[xX][0-9a-fA-F]+\b", "<hex>"),
        (r"(?<![\w>])(?:~|\.{1,2})?(?:/[^\s/'\"`:,;()\[\]{}<>|=]+)+/?", "<path>"),
        (r"(?<![\w/])(?:[\w.@+-]+/){2,}[\w.@+-]*|(?<![\w/])(?:[\w.@+-]+/)+[\w@+-]+\.\w+", "<path>"),
        (rf"(?<![\w./-])[\w@+-][\w.@+-]*\.(?:{_DATA_FILES})\b", "<path>"),
        (r"\b[\w.-]+_id_[a-z2-7]{8,}\b", "<job>"),
        (r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b", "<hex>"),
        (r"(?<![\w.])[A-Za-z]\w*?(?:[_-][A-Z]*\d\w*)(?:[_-]\w+)*\b", "<id>"),
        (rf"(?<![\w<.]){_NUMBER}\s?(?:[kKMGT]i?B|[kMG]?bytes?|B)\b", "<size>"),
        (rf"(?<![\w<.]){_NUMBER}\s?(?:[mun]?s|secs?|seconds?|min|minutes?|h|hours?|days?)\b", "<span>"),
        (rf"(?<![\w<]){_NUMBER}(?![\w>])%?|(?<![\w<]){_NUMBER}(?=[A-Za-z])", "<n>"),
        (r"<n>(?:(?:, ?| |x|/|:)<n>)+", "<n>..."),
    )
)


def symptom(status: Mapping[str, Any], log: Sequence[str], config: Mapping[str, Any]) -> tuple[str, bool]:
    """What a failed job suffers from, and whether its own log says so.

    Args:
        status: what it recorded, with ``reason`` and, where known, ``cause``.
        log: the last lines that it printed.
        config: its parameters.
    """
    reason = str(status.get("reason") or "no reason is recorded")
    if status.get("cause") in (again.TIME, again.MEMORY) or reason.startswith(("invalid result", "timeout")):
        return masked(reason, config), False
    by_signal = reason.startswith("killed by")
    lines = [_RANK.sub("", _ANSI.sub("", line)) for line in log[-LINES:]]
    if by_signal:
        lines = [line for line in lines if not _OBITUARY.match(line)]
        line = exception_line(lines) or _last(lines, lambda line: _LAST_WORDS.search(line) is not None)
    else:
        line = telling_line(lines)
    if line is None:
        return reason, False
    return f"{reason}: {masked(line, config)}" if by_signal else masked(line, config), True


def exception_line(lines: Sequence[str]) -> str | None:
    """The last exception of a log, None where it holds none."""
    lines = [line for line in lines if line.strip()]
    return _after_traceback(lines) or _last(lines, lambda line: _EXCEPTION.match(line) is not None)


def telling_line(lines: Sequence[str]) -> str | None:
    """The last exception, else the last line that speaks of trouble, else the last line with words in it."""
    lines = [line for line in lines if line.strip()]
    return (
        exception_line(lines)
        or _last(lines, lambda line: bool(_TROUBLE.search(line)) and not _FRAME.match(line))
        or _last(lines, lambda line: len(re.findall(r"[^\W\d]{2,}", line)) > 1)
        or _last(lines, bool)
    )


def _after_traceback(lines: Sequence[str]) -> str | None:
    """The exception that ends the last traceback."""
    starts = [i for i, line in enumerate(lines) if line.strip() == _TRACEBACK]
    after = lines[starts[-1] + 1 :] if starts else []
    indent = len(lines[starts[-1]]) - len(lines[starts[-1]].lstrip()) if starts else 0
    return next((line for line in after if not line[: indent + 1].isspace()), None)


def _last(lines: Iterable[str], wanted: Callable[[str], bool]) -> str | None:
    return next((line for line in reversed(list(lines)) if wanted(line)), None)


def masked(line: str, config: Mapping[str, Any] | None = None) -> str:
    """A line without what differs from job to job.

    >>> masked("step 12: cannot read /data/a.tif (0x7f3a, 3.5 s)")
    'step <n>: cannot read <path> (<hex>, <span>)'
    >>> masked("ValueError: no model 'resnet50'", {"fit.model": "resnet50"})
    "ValueError: no model '<value>'"
    """
    line = _OBITUARY.sub(r"\1", _ANSI.sub("", line).rstrip())
    for value in sorted(
        {v for v in (config or {}).values() if isinstance(v, str) and v}, key=len, reverse=True
    ):
        if value in line and not value.startswith(("/", ".", "~")):
            # Only where it is quoted as a value: a common word may be one by chance.
            line = re.sub(rf"(?<=['\"`=]){re.escape(value)}(?=['\"`\s,;)]|$)", "<value>", line)
    for pattern, mask in MASKS:
        line = pattern.sub(mask, line)
    return " ".join(line.split())[:LONGEST]
