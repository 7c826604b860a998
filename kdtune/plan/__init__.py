"""The networks of a sweep with their ids, the packs that they train in, and the order in which packs may start.

Everything here is pure: no files, no Ray, no torch, no clock.
"""
