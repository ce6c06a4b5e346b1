"""The results of a run as one page that needs no network: tables, linked plots, pipeline and timeline.

What the page holds stands in the modules here; how it looks and behaves in `assets/`.
"""

from __future__ import annotations

from kwdag.report.html.page import check, write_page

__all__ = ["check", "write_page"]
