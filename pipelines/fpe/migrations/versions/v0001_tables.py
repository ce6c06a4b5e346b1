"""The first schema: users, stations and what belongs to them.

Frozen: a change of tables.py is a further step beside this one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "model_types",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_types")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("affiliation_code", sa.Text(), nullable=True),
        sa.Column("affiliation_name", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_table(
        "variables",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variables")),
    )
    op.create_table(
        "stations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("nwis_id", sa.Text(), nullable=True),
        sa.Column("waterbody_type", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_stations_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stations")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_stations_user_id_name")),
    )
    op.create_index(op.f("ix_stations_user_id"), "stations", ["user_id"], unique=False)
    op.create_table(
        "annotations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("flag", sa.Boolean(), nullable=False),
        sa.Column("variable", sa.String(length=16), nullable=True),
        sa.CheckConstraint(
            "status IN ('CREATED', 'UPLOADING', 'QUEUED', 'PROCESSING', 'DONE', 'FAILED')",
            name=op.f("ck_annotations_status"),
        ),
        sa.ForeignKeyConstraint(
            ["station_id"], ["stations.id"], name=op.f("fk_annotations_station_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["variable"], ["variables.id"], name=op.f("fk_annotations_variable")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotations")),
        sa.UniqueConstraint("uuid", name=op.f("uq_annotations_uuid")),
    )
    op.create_index(op.f("ix_annotations_station_id"), "annotations", ["station_id"], unique=False)
    op.create_table(
        "datasets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('CREATED', 'UPLOADING', 'QUEUED', 'PROCESSING', 'DONE', 'FAILED')",
            name=op.f("ck_datasets_status"),
        ),
        sa.ForeignKeyConstraint(
            ["station_id"], ["stations.id"], name=op.f("fk_datasets_station_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("uuid", name=op.f("uq_datasets_uuid")),
    )
    op.create_index(op.f("ix_datasets_station_id"), "datasets", ["station_id"], unique=False)
    op.create_table(
        "imagesets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("n_images", sa.Integer(), nullable=True),
        sa.Column("pii_status", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('CREATED', 'UPLOADING', 'QUEUED', 'PROCESSING', 'DONE', 'FAILED')",
            name=op.f("ck_imagesets_status"),
        ),
        sa.ForeignKeyConstraint(
            ["station_id"], ["stations.id"], name=op.f("fk_imagesets_station_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imagesets")),
        sa.UniqueConstraint("uuid", name=op.f("uq_imagesets_uuid")),
    )
    op.create_index(op.f("ix_imagesets_station_id"), "imagesets", ["station_id"], unique=False)
    op.create_table(
        "models",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("model_type_id", sa.String(length=16), nullable=False),
        sa.Column("variable_id", sa.String(length=16), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("default", sa.Boolean(), nullable=False),
        sa.Column("diagnostics_url", sa.Text(), nullable=True),
        sa.Column("predictions_url", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('CREATED', 'UPLOADING', 'QUEUED', 'PROCESSING', 'DONE', 'FAILED')",
            name=op.f("ck_models_status"),
        ),
        sa.ForeignKeyConstraint(["model_type_id"], ["model_types.id"], name=op.f("fk_models_model_type_id")),
        sa.ForeignKeyConstraint(
            ["station_id"], ["stations.id"], name=op.f("fk_models_station_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["variable_id"], ["variables.id"], name=op.f("fk_models_variable_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("uuid", name=op.f("uq_models_uuid")),
    )
    op.create_index(op.f("ix_models_station_id"), "models", ["station_id"], unique=False)
    op.create_index(
        "uq_models_default",
        "models",
        ["station_id", "variable_id"],
        unique=True,
        postgresql_where=sa.text('"default"'),
        sqlite_where=sa.text('"default"'),
    )
    op.create_table(
        "images",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("imageset_id", sa.Integer(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("full_s3", sa.JSON(), nullable=False),
        sa.Column("full_url", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("pii_person", sa.Double(), nullable=True),
        sa.Column("pii_vehicle", sa.Double(), nullable=True),
        sa.Column("pii_on", sa.Boolean(), nullable=False),
        sa.Column("pii_off", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "status IN ('CREATED', 'UPLOADING', 'QUEUED', 'PROCESSING', 'DONE', 'FAILED')",
            name=op.f("ck_images_status"),
        ),
        sa.ForeignKeyConstraint(
            ["imageset_id"], ["imagesets.id"], name=op.f("fk_images_imageset_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
        sa.UniqueConstraint("imageset_id", "filename", name=op.f("uq_images_imageset_id_filename")),
    )
    op.create_index(op.f("ix_images_imageset_id"), "images", ["imageset_id"], unique=False)
    op.create_index(op.f("ix_images_timestamp"), "images", ["timestamp"], unique=False)
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("variable_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_series_dataset_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["variable_id"], ["variables.id"], name=op.f("fk_series_variable_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("dataset_id", "variable_id", name=op.f("uq_series_dataset_id_variable_id")),
    )
    op.create_index(op.f("ix_series_dataset_id"), "series", ["dataset_id"], unique=False)
    op.create_index(op.f("ix_series_variable_id"), "series", ["variable_id"], unique=False)
    op.create_table(
        "values",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("flag", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name=op.f("fk_values_series_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_values")),
    )
    op.create_index(op.f("ix_values_series_id_timestamp"), "values", ["series_id", "timestamp"], unique=False)
