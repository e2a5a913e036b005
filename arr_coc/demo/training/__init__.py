"""Training of the demo model, one concern a module; ``arr_coc.demo.train`` is the command."""
