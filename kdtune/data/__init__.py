"""Data sets: one draw of each, split and scaled."""
