"""``arr-coc doctor``: whether a config can be served on this machine, and what to do where it cannot."""
