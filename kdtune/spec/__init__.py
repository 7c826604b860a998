"""From a YAML file to a validated sweep.

``load.load_spec`` shows the way of a sweep file, step by step:

- ``yaml_tree`` reads the file into nodes that know their lines; ``overrides`` puts in the values of ``--set``.
- ``schema`` says which blocks there are, and which settings may stand in them. The settings themselves, with
  their defaults and rules, are in ``kdtune.settings``.
- ``size_limits`` refuses a sweep that is too large to enumerate.
- ``grid`` counts, checks and expands ``grid_search``.
- ``variants`` expands and validates each block; ``block_validation`` notes its mistakes in the words of
  ``messages`` and ``suggestions``.
- ``cases`` combines the blocks: ``train_merging`` merges ``train`` with the blocks that override it, and
  ``cross_checks`` finds what does not fit the data.
- ``default_filling`` writes the file again with its defaults.

The result is a ``sweep_spec.SweepSpec``. ``bundled_sweeps`` and ``starting_file`` know the sweep files that
ship with kdtune and the one that ``kdtune init`` writes.
"""
