"""Files that the system does not open, for whoever runs the tests: root is refused nothing by permissions."""

import os


def refuse_to_open(monkeypatch, path, error):
    """Have the system answer with this error where a file is opened; all others open as ever."""
    real = os.open

    def opened(name, *arguments, **options):
        if os.fspath(name) == os.fspath(path):
            raise error
        return real(name, *arguments, **options)

    monkeypatch.setattr(os, "open", opened)
