"""Runs a notebook from its first cell to its last and leaves the outputs in it, also those of a cell that fails.

    python -m soflow_notebook.execute KERNEL FILE

Exit codes: 0 done; 1 a cell failed, which soflow is told.
"""

import os
import sys

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from soflow_launch import life
from traitlets.config import Config

from soflow_notebook.link import ON_SOCKETS, Link

# The start of an engine on a machine that is busy.
START_SECONDS = 300


def main(kernel, path):
    link = Link(lambda: os._exit(life.ORPHANED))
    document = nbformat.read(path, as_version=4)
    for cell in document.cells:
        if cell.cell_type == "code":
            # What an earlier run has left would be taken for what this one did.
            cell.outputs, cell.execution_count = [], None
    place = {"metadata": {"path": os.path.dirname(os.path.abspath(path))}}
    options = {"startup_timeout": START_SECONDS, "timeout": None, "resources": place}
    client = NotebookClient(document, kernel_name=kernel, config=Config({"KernelManager": ON_SOCKETS}), **options)
    failed = None
    try:
        client.execute()
    except CellExecutionError as error:
        failed = f"{error.ename}: {error.evalue}"
    part = f"{path}.part"
    nbformat.write(document, part)
    os.replace(part, path)
    if failed:
        link.ask("failed", cell=failed_cell(document), error=failed)
        sys.exit(1)


def failed_cell(document):
    """Returns the number of the cell whose outputs have an error, counted as `soflow validate` does."""
    outputs = [[output["output_type"] for output in cell.get("outputs", [])] for cell in document.cells]
    return next(number for number, kinds in enumerate(outputs, 1) if "error" in kinds)


if __name__ == "__main__":
    main(*sys.argv[1:])
