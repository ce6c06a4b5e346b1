"""The libraries that the page carries, as text to inline: DataTables out of itables, Bokeh out of bokeh.

Their licences stay in the text as they wrote them, and those that stand apart are put in front.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata, resources
from importlib.util import find_spec

from kwdag.errors import ResultError

_NEEDED = ("bokeh", "itables", "jinja2")
_EXPORTS = re.compile(r"export\s*\{([^{}]*)\}\s*;?")


@dataclass(frozen=True, slots=True)
class Libraries:
    """`tables` runs as a module and leaves `window.kwdagLibraries`; `plots` is run when first needed."""

    tables: str
    tables_css: str
    plots: str


def check() -> None:
    """Raises ResultError unless all that a page needs is installed."""
    for name in _NEEDED:
        if find_spec(name) is None:
            raise ResultError(f"needs {name}", where="report.html", hint="pip install 'kwdag[html]'")


def libraries() -> Libraries:
    check()
    bokeh = resources.files("bokeh").joinpath("server", "static", "js")
    itables = resources.files("itables").joinpath("html")
    scripts = [
        _in_page(bokeh.joinpath(f"{name}.min.js").read_text("utf-8")) for name in ("bokeh", "bokeh-api")
    ]
    return Libraries(
        tables=_licence("itables") + _as_global(itables.joinpath("dt_bundle.js").read_text("utf-8")),
        tables_css=_licence("itables")
        + itables.joinpath("dt_bundle.css").read_text("utf-8").replace("</", "<\\/"),
        plots=_licence("bokeh") + "\n".join(scripts),
    )


def _as_global(bundle: str) -> str:
    """An ES module whose exports become the properties of one global: a page cannot import from itself."""
    exported = list(_EXPORTS.finditer(bundle))
    if not exported:
        raise ResultError(
            "this version of itables is not known: its bundle exports nothing", where="report.html"
        )
    last = exported[-1]
    pairs = (re.split(r"\s+as\s+", item.strip()) for item in last[1].split(","))
    members = ", ".join(f"{pair[-1]!r}: {pair[0]}" for pair in pairs)
    return _in_page(bundle[: last.start()] + f"window.kwdagLibraries = {{{members}}};" + bundle[last.end() :])


def _in_page(script: str) -> str:
    """A script that does not end the element it stands in; no map of sources is looked for."""
    script = re.sub(r"^//# sourceMappingURL=.*$", "", script, flags=re.MULTILINE)
    return re.sub(r"<(?=/script|!--)", r"\\x3c", script, flags=re.IGNORECASE)


def _licence(package: str) -> str:
    """The licence of a Python package as a comment."""
    found = metadata.distribution(package)
    texts = [
        found.read_text(f"licenses/{name}") or found.read_text(name)
        for name in ("LICENSE", "LICENSE.txt", "LICENSE.md")
    ]
    text = (
        next((text for text in texts if text), "see its web page").replace("*/", "* /").replace("</", "< /")
    )
    return f"/*! {package} {found.version}\n{text}\n*/\n"
