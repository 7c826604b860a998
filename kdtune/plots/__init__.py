"""Figures of an answer, and the page that shows them. They do no statistics."""
