"""Loads what JupyterLab and its kernel load: what Python compiles of it is kept, and loaded in half the time."""

import sys

sys.dont_write_bytecode = False

import ipykernel.kernelapp  # noqa: E402, F401
import jupyterlab.labapp  # noqa: E402, F401
import matplotlib.pyplot  # noqa: E402, F401
import nbclient  # noqa: E402, F401
import pandas  # noqa: E402, F401
import pyspark.sql  # noqa: E402, F401

import soflow_notebook.kernel  # noqa: E402, F401
