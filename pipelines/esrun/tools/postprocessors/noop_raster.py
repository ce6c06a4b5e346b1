"""The raster post-processor that does nothing."""

from __future__ import annotations

from pipelines.esrun.tools.postprocessors.postprocess_interface import PostprocessInterfaceRaster


class NoopRaster(PostprocessInterfaceRaster):
    """Keeps the file of each window as it is; as a partition's or dataset's stage it yields no file."""
