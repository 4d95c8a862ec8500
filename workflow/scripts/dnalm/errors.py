"""Errors that are meant for the user: one line that says what, where, and what to do next."""


class DnalmError(Exception):
    """Base class of every error that dnalm raises on purpose."""


class InputError(DnalmError):
    """Something the user gave (a file, a record, a config key) cannot be used.

    Parameters
    ----------
    what : str
        What is wrong, in plain words.
    where : str
        The place: ``file``, ``file:line``, ``contig:position`` or a config key.
    next_step : str
        What the user can do about it.
    """

    def __init__(self, what: str, where: str = "", next_step: str = ""):
        self.what, self.where, self.next_step = what, where, next_step
        text = f"{where}: {what}" if where else what
        if next_step:
            text = f"{text.rstrip('.')}. {next_step}"
        super().__init__(" ".join(text.split()))
