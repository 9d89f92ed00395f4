# SPDX-License-Identifier: Apache-2.0
"""The files that this Python needs to run in a guest, found by asking it where its standard library is."""
import os
import sys
import sysconfig

# Compiled files too: an initramfs has no times, which these are checked by.
LEFT_OUT = ("__pycache__", "dist-packages", "site-packages", "test", "ensurepip", "idlelib", "lib2to3", "pydoc_data",
            "tkinter", "turtledemo", "venv")


def wanted(folder):
    return folder not in LEFT_OUT and not folder.startswith("config-")  # config-*: the static library


def files():
    """Paths of the interpreter, the modules, and the shared objects of the standard library."""
    found = [sys.executable]
    for folder, names, here in os.walk(sysconfig.get_path("stdlib")):
        names[:] = filter(wanted, names)
        found += (os.path.join(folder, name) for name in here if name.endswith((".py", ".so")))
    return [path for path in found if os.path.exists(path)]
