"""``make.py`` runs with the version whose files it makes, and with no other."""

collect_ignore = ["make.py"]
