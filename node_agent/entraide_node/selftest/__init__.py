"""The self-test: what a machine is and does, as one file without personal data.

``excerpts`` keeps the allowed parts of what the system says, ``report`` is the file and its checks,
``counter_trial``, ``engine_trial`` and ``surroundings`` measure, ``selftest`` runs them in turn in
a folder of ``scratch``, and ``cli_output`` prints. Nothing on the machine is changed.
"""
