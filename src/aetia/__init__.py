"""aetia."""
