from importlib.metadata import version

import alerter


def test_the_installed_version_is_the_packages_own() -> None:
    assert version("mlflow-alerter") == alerter.__version__
