"""The results folder: rows, teachers and students on disk."""
