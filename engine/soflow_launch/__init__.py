"""What `launch.py` is made of. Standard library only at import; the engine's packages are imported in `start`."""
