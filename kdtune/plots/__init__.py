"""Figures of an answer, and the page that shows them. The numbers come from ``kdtune.analysis``."""
