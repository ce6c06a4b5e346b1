"""What alembic runs to migrate over the connection that `database.upgrade` hands to it.

Connecting and the transaction stand there; no URL and no ini file are read.
"""

from __future__ import annotations

from alembic import context


def migrate() -> None:
    """Run the migrations, in the transaction that the connection is in."""
    connection = context.config.attributes["connection"]
    # SQLite can roll back changes of the schema; alembic takes it that it cannot
    context.configure(connection=connection, transactional_ddl=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # so alembic calls it; whoever else imports this file wants nothing to happen
    migrate()
