"""Files on disk: look at them, read them, hash them, write them whole."""
