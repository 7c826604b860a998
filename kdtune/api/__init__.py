"""kdtune as a library. Heavy imports wait until they are needed."""
