"""What a sweep trains: its networks and their ids, the packs, and the order in which packs may start.

Everything here is pure: no files, no Ray, no torch, no clock.
"""
