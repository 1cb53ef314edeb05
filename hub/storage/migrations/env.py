"""What Alembic runs: the migrations, on the connection that the hub gave."""

from alembic import context

from hub.storage.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
