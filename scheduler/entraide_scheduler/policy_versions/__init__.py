"""Policy versions: documents of the policy, their differences, and the commands about them.

``documents`` reads a policy with all its faults and writes it as TOML; ``differences`` compares two
policies; ``naming`` names a new version; ``cli`` and ``cli_output`` are ``entraide policy``.
"""
