import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.assets.name_matching import index_keys, normalise

SECRET = bytes(range(32))


@pytest.mark.parametrize(
    ("identifier", "forms"),
    [
        ("", ()),
        (" \t\n\u200b\x00", ()),
        ("Eileen Collins", ("eileen collins",)),
        ("  EILEEN \n Collins ", ("eileen collins",)),
        ("Zoë Müller", ("zoë müller", "zoe muller")),
        ("ZOË  MU\u0308LLER", ("zoë müller", "zoe muller")),
        ("zoe muller", ("zoe muller",)),
        ("Lukasz\u00a0\uff2bowalski", ("lukasz kowalski",)),
        ("Łukasz Żółć", ("łukasz żółć", "lukasz zolc")),
        ("Jürgen Groß", ("jürgen gross", "jurgen gross")),
        ("Søren Ærø", ("søren ærø", "soren aero")),
        ("Zo\u00adë\x00", ("zoë", "zoe")),
        ("がく", ("がく",)),
        ("Zoe.Mueller@Example.ORG ", ("zoe.mueller@example.org",)),
        ("zoë@example.org", ("zoë@example.org",)),
        ("Zoë @ home", ("zoë @ home", "zoe @ home")),
    ],
)
def test_forms(identifier, forms):
    assert normalise(identifier) == forms


@pytest.mark.parametrize("asked", ["zoe muller", "ZOË  MÜLLER", "Zoe\u0308 Mu\u0308ller"])
def test_a_request_finds_what_was_indexed(asked):
    assert set(index_keys(asked, SECRET)) & set(index_keys("Zoë Müller", SECRET))


def test_two_mailboxes_are_two():
    assert not set(index_keys("zoë@example.org", SECRET)) & set(
        index_keys("zoe@example.org", SECRET)
    )


@given(st.text())
def test_normalising_twice_changes_nothing(identifier):
    forms = normalise(identifier)
    assert all(form and form == form.strip() for form in forms)
    for form in forms:
        again = normalise(form)
        assert again[0] == form
        assert set(again) <= set(forms)


@given(st.text())
def test_case_and_space_do_not_matter(identifier):
    keys = index_keys(identifier, SECRET)
    assert index_keys(f" \t{identifier}\n ", SECRET) == keys
    assert index_keys(identifier.casefold(), SECRET) == keys
    assert index_keys(identifier.replace(" ", "\u3000  "), SECRET) == keys


@given(st.text(alphabet=st.characters()), st.binary(min_size=1))
def test_keys_are_hexadecimal_and_depend_on_the_secret(identifier, secret):
    keys = index_keys(identifier, secret)
    assert len(keys) == len(set(keys)) == len(normalise(identifier))
    assert all(len(key) == 64 and int(key, 16) >= 0 for key in keys)
    assert not set(keys) & set(index_keys(identifier, secret + b"\x01"))
