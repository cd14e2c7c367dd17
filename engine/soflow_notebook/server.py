"""JupyterLab, for one person at one machine: on loopback, behind a token that is on no command line.

python -m soflow_notebook.server
"""

import os

from soflow_launch import life

from soflow_notebook.link import ON_SOCKETS, Link


def main():
    app = None

    def ended():
        if app is None:
            os._exit(life.ORPHANED)
        # Its kernels first. May be called from any thread.
        app.stop()

    link = Link(ended)
    wanted = link.ask("settings")
    from jupyterlab.labapp import LabApp

    # No news, no search for updates: the person's own settings win.
    options = {"LabApp.app_settings_dir": os.path.join(os.path.dirname(__file__), "settings")}
    options |= {f"KernelManager.{name}": value for name, value in ON_SOCKETS.items()} | wanted["options"]
    # Like those of a command line, which win over files that the person has for servers of their own.
    app = LabApp.initialize_server(argv=[f"--{name}={value}" for name, value in options.items()])
    link.ask("ready", port=app.port)
    app.start()


if __name__ == "__main__":
    main()
