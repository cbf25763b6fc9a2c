"""Telling which documents differ from the code."""

from infra.docs import __main__ as documents


def test_the_documents_are_found_outdated_when_missing_or_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "DOCUMENTS", {"a/one.md": lambda: b"1", "two.md": lambda: b"2"})
    assert documents.outdated(tmp_path) == ["a/one.md", "two.md"]
    documents.write(tmp_path)
    assert documents.outdated(tmp_path) == []
    (tmp_path / "two.md").write_bytes(b"3")
    assert documents.outdated(tmp_path) == ["two.md"]
