"""Projects with annotations for tests: shapes given in metres of UTM zone 13 north."""

import json

import shapely
from pyproj import Transformer

_lonlat = Transformer.from_crs("EPSG:32613", "EPSG:4326", always_xy=True)
SPAN = {"es_start_time": "2024-01-01T00:00:00+00:00", "es_end_time": "2024-02-01T00:00:00+00:00"}
DATASET = {"layers": {"image": {"type": "raster", "band_sets": [{"bands": ["B1"], "dtype": "uint8"}]}}}
SPLITTER = """
  data_splitter:
    class_path: esrun.runner.tools.data_splitters.random_data_splitter.RandomDataSplitter
    init_args: {train_prop: 0.5, val_prop: 0.25, test_prop: 0.25, seed: 3}
"""
POLYGONS = f"""
window_prep:
  sampler:
  labeled_window_preparer:
    class_path: esrun.runner.tools.labeled_window_preparers.polygon_to_raster_window_preparer.\
PolygonToRasterWindowPreparer
    init_args: {{window_resolution: 10.0}}
{SPLITTER}
"""
POINTS = f"""
window_prep:
  labeled_window_preparer:
    class_path: esrun.runner.tools.labeled_window_preparers.point_to_pixel_window_preparer.\
PointToPixelWindowPreparer
{SPLITTER}
"""


def box(left, bottom, right, top):
    """A rectangle of UTM 13 north in lon/lat."""
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return shapely.Polygon([_lonlat.transform(x, y) for x, y in corners])


def point(x, y):
    return shapely.Point(*_lonlat.transform(x, y))


def task(task_id, shape, **properties):
    return feature(shape, {"es_annotations_task_id": task_id, **SPAN, **properties})


def annotation(task_id, shape, label, **properties):
    return feature(shape, {"es_annotations_task_id": task_id, "es_label": label, **properties})


def feature(shape, properties):
    return {"type": "Feature", "geometry": json.loads(shapely.to_geojson(shape)), "properties": properties}


def write_project(folder, config, tasks, annotations, dataset=DATASET):
    """A project directory in ``folder``; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "esrun.yaml").write_text(config)
    (folder / "dataset.json").write_text(json.dumps(dataset))
    for name, features in (("task_", tasks), ("", annotations)):
        data = {"type": "FeatureCollection", "features": features}
        (folder / f"annotation_{name}features.geojson").write_text(json.dumps(data))
    return folder
