"""JupyterLab and its kernel. Both are started by soflow, and end with it."""
