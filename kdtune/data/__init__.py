"""Data sets: one draw of each, split into training, validation and test examples, and scaled."""
