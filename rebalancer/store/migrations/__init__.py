"""Migrations of the store, by Alembic; they come with the package."""
