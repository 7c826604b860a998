"""A page that shows a sweep while it runs, or when it is done: `kdtune watch`. It reads the results folder only."""
