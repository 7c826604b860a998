"""What a table says: works on any DataFrame with the columns of ``kdtune.columns``, and draws nothing."""
