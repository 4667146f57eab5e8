"""The one exception for input that npcam cannot use."""


class InputError(ValueError):
    """A file, option or array from outside is not usable.

    The message is one line: which file or tensor, what was found, what was expected, what to do.
    The command line prints it and exits with status 2; nothing else is a user's fault.
    """
