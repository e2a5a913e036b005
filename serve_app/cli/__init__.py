"""The command ``arr-coc``: serve, ask, batch, calibrate, doctor. A subcommand is a module or a package.

What a subcommand needs it imports when it runs, so that help and completion are there at once.
"""
