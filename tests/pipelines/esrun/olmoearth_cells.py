"""What olmoearth-runner's partitioners make of requests; run by a Python that has it.

stdin: JSON list of [module, class, init_args, method, request]; stdout: for each a list of
[crs, x_resolution, y_resolution, WKT], or a text where it fails.
"""

import importlib
import json
import sys

TOOLS = "olmoearth_run.runner.tools.partitioners"


def main() -> None:
    from olmoearth_shared.api.run.prediction_geometry import PredictionRequestCollection

    found = []
    for module, name, args, method, request in json.load(sys.stdin):
        kind = getattr(importlib.import_module(f"{TOOLS}.{module}"), name)
        asked = PredictionRequestCollection.model_validate(request)
        try:
            found.append(listed(getattr(kind(**projected(args)), method)(asked)))
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    json.dump(found, sys.stdout)


def projected(args: dict) -> dict:
    from rasterio.crs import CRS
    from rslearn.utils.geometry import Projection

    where = args.get("output_projection")
    if where is None:
        return args
    made = Projection(CRS.from_string(where["crs"]), where["x_resolution"], where["y_resolution"])
    return {**args, "output_projection": made}


def listed(answer: list) -> list:
    """Windows as (feature, geometry in a projection), partitions as collections in lon/lat."""
    from shapely.geometry import shape

    if answer and isinstance(answer[0], tuple):
        return [
            [g.projection.crs.to_string(), g.projection.x_resolution, g.projection.y_resolution, g.shp.wkt]
            for _, g in answer
        ]
    return [
        ["EPSG:4326", 1, 1, shape(json.loads(one.geometry.model_dump_json())).wkt]
        for part in answer
        for one in part.features
    ]


if __name__ == "__main__":
    main()
