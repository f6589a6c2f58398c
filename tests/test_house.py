from tests.house import problems


def function(name: str, lines: int) -> str:
    return "\n".join([f"def {name}():", *["    x = 1"] * (lines - 1)]) + "\n"


def test_a_file_within_its_sizes_is_fine() -> None:
    assert not list(problems({"a.py": function("f", 40) * 7}, []))


def test_a_long_file_and_a_long_function_are_named() -> None:
    files = {"a.py": "x = 1\n" * 301, "b.py": "x = 1\n" + function("f", 41)}
    assert list(problems(files, [])) == [
        "a.py:1: 301 lines (at most 300: make it a folder)",
        "b.py:2: f has 41 lines (at most 40)",
    ]


def test_an_allowed_function_still_has_a_limit() -> None:
    files = {"a.py": function("f", 80) + function("g", 81)}
    assert list(problems(files, ["a.py::f", "a.py::g"])) == ["a.py:81: g has 81 lines (at most 80)"]


def test_what_is_allowed_without_need_is_named() -> None:
    assert list(problems({"a.py": function("f", 40)}, ["a.py::f"])) == [
        "pyproject.toml: a.py::f need not stand in long_functions"
    ]


def test_a_method_and_a_nested_function_carry_their_dotted_names() -> None:
    text = "class C:\n    def m(self):\n        def n():\n" + "            x = 1\n" * 41
    assert [line.split(" has")[0] for line in problems({"a.py": text}, [])] == [
        "a.py:2: C.m",
        "a.py:3: C.m.n",
    ]
