"""A Ray cluster of several hosts on one machine, and what happens to it."""
