"""Budget alerts for MLflow: prices every run and warns before the money is gone."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """Return ``__version__``, that of the installed package; asked for late, as the look-up takes some 20 ms."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            return version("mlflow-alerter")
        except PackageNotFoundError:
            return "unknown (not installed)"
