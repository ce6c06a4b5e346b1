"""The vector post-processor that puts features together with what was asked of their windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.esrun.features import Feature, FeatureCollection, collection
from pipelines.esrun.tools.postprocessors.postprocess_interface import PostprocessInterfaceVector

SOURCES = ("request", "result")


class CombineGeojson(PostprocessInterfaceVector):
    """All features in one collection; those of a window with the request's geometry and properties.

    Args:
        geometry_source: "request": each result takes the geometry of the feature that asked for its window;
            "result": it keeps its own.
        include_request_properties: add the request's properties; a result's own win over them.
    """

    def __init__(self, geometry_source: str = "request", include_request_properties: bool = True):
        if geometry_source not in SOURCES:
            raise ValueError(f"geometry_source: {geometry_source!r} is neither {' nor '.join(SOURCES)}")
        self.geometry_source = geometry_source
        self.include_request_properties = include_request_properties

    def process_window(self, window_request: Feature, window_result: FeatureCollection) -> FeatureCollection:
        return collection(self._merged(window_request, feature) for feature in window_result)

    def _merged(self, request: Feature, result: Feature) -> Feature:
        geometry = request.geometry if self.geometry_source == "request" else result.geometry
        properties: Mapping[str, Any] = result.properties
        if self.include_request_properties:
            properties = {**request.properties, **properties}
        return Feature(geometry, properties, result.id)
