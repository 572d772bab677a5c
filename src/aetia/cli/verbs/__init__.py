"""The verbs of the command line, each with its options; heavy imports sit inside the functions."""
