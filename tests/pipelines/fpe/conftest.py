"""The databases and storages that every test of these programs can ask for.

How they are started stands in postgres.py and s3.py.
"""

from tests.pipelines.fpe.postgres import (  # noqa: F401
    database,
    database_address,
    postgres_server,
    postgres_url,
)
from tests.pipelines.fpe.s3 import s3_endpoint, s3_url, storage, storage_address  # noqa: F401
