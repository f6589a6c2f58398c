"""Budget alerts for MLflow: prices every run and warns before the money is gone."""

__version__ = "0.1.0"
