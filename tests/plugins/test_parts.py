import pytest

from tests.plugins.parts import PARTS, REQUIRE_ALL

MARKED = """
    import pytest

    @pytest.mark.needs_node
    def test_that_needs_it():
        pass

    @pytest.mark.needs_chromium
    def test_that_gives_up():
        pytest.skip("not today")

    @pytest.mark.needs_mlflow("0.1")
    def test_of_an_mlflow_that_is_not_installed():
        pass

    def test_without_a_marker():
        pytest.skip("its own business")
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setitem(PARTS, "needs_node", lambda: "no node on the moon")
    monkeypatch.setitem(PARTS, "needs_chromium", lambda: None)
    pytester.makepyfile(MARKED)
    return pytester


def test_an_absent_part_skips_its_tests_and_says_why(run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRE_ALL, raising=False)
    result = run.runpytest_inprocess("-p", "tests.plugins.parts", "-rs")
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines(["*no node on the moon"])
    result.stdout.fnmatch_lines(["*MLflow 0.1 is not installed (make mlflow-0.1)"])


def test_where_every_part_is_required_a_marked_skip_fails(
    run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REQUIRE_ALL, "1")
    result = run.runpytest_inprocess("-p", "tests.plugins.parts")
    result.assert_outcomes(skipped=1, failed=1, errors=2)
    result.stdout.fnmatch_lines(["*test marked needs_node: *no node on the moon"])
    result.stdout.fnmatch_lines(["*test marked needs_chromium: *not today"])


def test_every_marker_is_known_to_strict_pytest(request: pytest.FixtureRequest) -> None:
    known = [line.split(":")[0] for line in request.config.getini("markers")]
    assert set(PARTS) <= set(known)
