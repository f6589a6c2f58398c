"""The pictures of the documentation can be drawn, all of them, and are those that stand there."""

from pathlib import Path

import pytest

from docs.pictures import FOLDER, main


@pytest.mark.needs_local_slack
@pytest.mark.needs_chromium
def test_every_picture_is_drawn_anew(tmp_path: Path) -> None:
    assert main(tmp_path / "pictures") == 0
    drawn, shown = ({each.name for each in folder.glob("*.png")} for folder in (tmp_path / "pictures", FOLDER))
    assert drawn == shown
