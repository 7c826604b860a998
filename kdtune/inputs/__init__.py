"""What users bring: arrays, tables, images, outputs of teachers, and factories in modules of their own.

Everything is looked at when the sweep file is checked, and known by the hash of its content from then on. What does
not lie in a ``.npy`` file of the user's is kept in memory until the sweep writes it below ``results/inputs/``.
"""
