"""Makes ``transformers`` know the models of dnalm once both are imported, in whichever order."""

import contextlib
import importlib
import importlib.abc
import importlib.util
import sys

LIBRARY, CLASSES = "transformers", "dnalm.models.hub"


class _AfterImport(importlib.abc.MetaPathFinder):
    """Lets the import of the library go its way, and registers the classes at its end."""

    def find_spec(self, name, path=None, target=None):
        """The usual specification of the library, whose loader also registers; None for all other modules."""
        if name != LIBRARY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            run = spec.loader.exec_module
            spec.loader.exec_module = lambda module: (run(module), register_models())
        return spec


def register_models() -> None:
    """Register now if the library is there already, else when it comes."""
    if LIBRARY in sys.modules:
        with contextlib.suppress(ImportError):  # a library that is too old for our classes works without them
            importlib.import_module(CLASSES)
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())
