"""Route templates: matches, precedence and refusals.

Source: "Routing in ASP.NET Core" (route templates, constraints, precedence), to which "Azure
Functions HTTP trigger" refers (learn.microsoft.com).
"""

import pytest

from infra.local.host.errors import StartupError
from infra.local.host.routes import compile_route, path_of


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("api/health", "api/health", {}),
        ("api/health", "API/Health", {}),
        ("api/health", "api/health/ready", None),
        ("api/health", "api", None),
        ("tenants/{tenant}/log", "tenants/a/log", {"tenant": "a"}),
        ("tenants/{tenant}/log", "tenants/a/b/log", None),
        ("tenants/{tenant}/log", "tenants//log", None),
        ("items/{id?}", "items/7", {"id": "7"}),
        ("items/{id?}", "items", {}),
        ("items/{id:int?}", "items/x", None),
        ("items/{id:int}", "items/-12", {"id": "-12"}),
        ("items/{id:int}", "items/1.5", None),
        ("items/{id:guid}", "items/6f9619ff-8b86-d011-b42d-00c04fc964ff", ...),
        ("items/{on:bool}", "items/TRUE", {"on": "TRUE"}),
        ("files/{*path}", "files/a/b/c.txt", {"path": "a/b/c.txt"}),
        ("files/{*path}", "files", {}),
        ("{*path}", "anything/at/all", {"path": "anything/at/all"}),
        ("files/{name}.jpg", "files/a.b.jpg", {"name": "a.b"}),
        ("files/{name}.jpg", "files/.jpg", None),
        ("a/{x}-{y}", "a/1-2", {"x": "1", "y": "2"}),
        ("a.c", "abc", None),
    ],
)
def test_a_template_matches_what_it_says(
    template: str, path: str, parameters: dict[str, str] | None
) -> None:
    found = compile_route(template).match(path)
    if parameters is ...:
        assert found
    else:
        assert found == parameters


@pytest.mark.parametrize(
    ("constraint", "accepted", "refused"),
    [
        ("int", ["0", "-12", "+7", "2147483647"], ["1.5", "2147483648", "x", "1e3"]),
        ("long", ["2147483648", "-9223372036854775808"], ["9223372036854775808", "x"]),
        ("bool", ["true", "FALSE"], ["yes", "1"]),
        ("decimal", ["49.99", "-1,000.01", ".5"], ["1e3", "x", "."]),
        ("double", ["1.234", "-1,001.01e8", "NaN"], ["x", "1e"]),
        ("float", ["1.234", "-1,001.01e8"], ["x"]),
        (
            "guid",
            ["CD2C1638-1638-72D5-1638-DEADBEEF1638", "cd2c1638163872d51638deadbeef1638"],
            ["CD2C1638", "{CD2C1638-1638-72D5-1638-DEADBEEF1638"],
        ),
        ("alpha", ["Rick"], ["Rick1", "ä"]),
        ("required", ["Rick"], []),
        ("minlength(4)", ["Rick"], ["Ric"]),
        ("maxlength(8)", ["somefile"], ["somefile.txt"]),
        ("length(12)", ["somefile.txt"], ["somefile"]),
        ("length(8,16)", ["somefile", "somefile.txt"], ["some", "x" * 17]),
        ("length(2)", ["\N{GRINNING FACE}"], ["\N{GRINNING FACE}x"]),
        ("min(18)", ["18", "9000000000"], ["17", "x"]),
        ("max(120)", ["-5", "120"], ["121"]),
        ("range(18,120)", ["18", "91", "120"], ["17", "121", "x"]),
        (r"regex(^\d{{3}}-\d{{2}}-\d{{4}}$)", ["123-45-6789"], ["123-456789", "x"]),
        ("regex(^(?:a|b:c)?$)", ["A", "b:c"], ["ab"]),
        ("int:min(1):max(9)", ["1", "9"], ["0", "10"]),
    ],
)
def test_a_constraint_takes_what_it_says(
    constraint: str, accepted: list[str], refused: list[str]
) -> None:
    """The examples of "Routing in ASP.NET Core", route constraints (learn.microsoft.com)."""
    for segment in (f"{{x:{constraint}}}", f"{{x:{constraint}?}}"):
        route = compile_route(f"a/{segment}")
        assert [value for value in accepted if route.match(f"a/{value}") != {"x": value}] == []
        assert [value for value in refused if route.match(f"a/{value}") is not None] == []


def test_the_same_shape_is_known_whatever_the_names() -> None:
    assert compile_route("a/{x:int}").shape == compile_route("A/{y:int}").shape
    assert compile_route("a/{x:int}").shape != compile_route("a/{x:alpha}").shape
    assert compile_route("a/{x}").shape != compile_route("a/{x:alpha}").shape


def test_the_more_exact_template_goes_first() -> None:
    in_order = ["a/b", "a/{x}.jpg", "a/{*rest}", "{x:int}/b", "{x}/b", "{*rest}"]
    in_order[1:2] = ["a/{x:int}", "a/{x}"]
    routes = sorted(map(compile_route, reversed(in_order)), key=lambda route: route.precedence)
    assert [route.template for route in routes] == in_order


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("a/{x:datetime}", "datetime"),
        ("a/{x:range(1)}", "range(1)"),
        ("a/{x:min(one)}", "min(one)"),
        ("a/{x:int:even}", "even"),
        (r"a/{x:regex(\p{{L}})}", "regex"),
        ("a/{x=1}", "{x=1}"),
        ("a/{*rest}/b", "{*rest}"),
        ("a/{x?}/b", "{x?}"),
        ("a/{x?}.jpg", "{x?}"),
        ("a//b", "''"),
        ("a/{x}/{x}", "'x'"),
        ("a/}", "a/}"),
    ],
)
def test_an_unsupported_template_is_refused_by_name(template: str, named: str) -> None:
    with pytest.raises(StartupError) as refused:
        compile_route(template)
    assert named in str(refused.value)
    assert template in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/api/x", "api/x"),
        (b"/api/x/", "api/x"),
        (b"/api/t%C3%A4", "api/tä"),
        (b"/api/a%2Fb", "api/a%2Fb"),
        (b"/api/a/../b", "api/b"),
        (b"/api/a/%2e%2E/b", "api/b"),
        (b"/../../b", "b"),
        (b"/api/./b", "api/b"),
        (b"/api/100%25", "api/100%"),
    ],
)
def test_a_path_is_decoded_and_its_dots_resolved(raw: bytes, path: str) -> None:
    assert path_of(raw) == path
