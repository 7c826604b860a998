"""Faults by command: ``fuzz`` reads damaged files, ``chaos`` kills processes of a running sweep."""
