"""Whether the statistics of kdtune hold what they promise, on tables whose truth is planted."""
