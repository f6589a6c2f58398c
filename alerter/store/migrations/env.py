"""Run by Alembic: applies the migrations in the transaction that `alerter.store.migrate` began."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
