"""From a YAML file to a validated sweep.

``load.load_spec`` takes these steps:

1. ``yaml_tree`` reads the file into a tree of nodes that know their lines.
2. ``overrides`` replaces values in the tree by those of ``--set``.
3. ``size_limits`` refuses a sweep that is too large to enumerate.
4. ``grid`` finds mistakes in ``grid_search``.
5. ``variants`` expands the grids of each block and validates every variant; ``block_validation`` describes
   what is wrong in the words of ``messages``, ``suggestions`` and ``form_suggestions``.
6. ``cases`` combines the variants of all blocks. ``train_merging`` merges ``train`` with the blocks that
   override it, and ``cross_checks`` finds settings that do not fit the data.
7. ``eval_every`` finds networks that differ in nothing that changes them.
8. ``default_filling`` writes the file again with its defaults.

All steps report to one ``mistakes.MistakeCollector``. The result is a ``sweep_spec.SweepSpec``.

``schema`` holds the tables that the steps share: which blocks there are, and which settings may stand in
them. The settings themselves, with their defaults and rules, are in ``kdtune.settings``.

Two modules are independent of these steps: ``bundled_sweeps`` finds the sweep files that ship with kdtune,
and ``starting_file`` makes the one that ``kdtune init`` writes.
"""
