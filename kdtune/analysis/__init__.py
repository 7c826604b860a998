"""Analysis of tables: find the best temperatures in any DataFrame with the columns of ``kdtune.columns``."""
