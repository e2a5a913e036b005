"""``python -m serve_app.cli``: the command without its installed script."""

from serve_app.cli.app import main

main()
