"""YAML as plain data that remembers its lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.core.errors import InvalidConfiguration
from sts.operations.configuration.document import line_of, plain, read_document
from sts.operations.configuration.faults import Faults
from sts.operations.export import dump

REFUSED = [
    ("a key given twice", b"a: 1\nb: 2\na: 3\n", "line 3: 'a' stands here twice (first on line 1)"),
    ("a key given twice inside", b"x:\n  - a: 1\n    a: 2\n", "line 3: 'a' stands here twice (first on line 2)"),
    ("nothing", b"", "line 1: the file is empty; it begins with `namespace: NAME`"),
    ("only a comment", b"# later\n", "line 1: the file is empty; it begins with `namespace: NAME`"),
    ("two documents", b"a: 1\n---\nb: 2\n", "line 2: a file describes one namespace: write a second file"),
    ("another encoding", b"a: 1\nb: \xff\n", "line 2: the file is not UTF-8 text"),
    ("a control character", b"a: \x00\n", "line 1: the file holds characters that YAML does not allow"),
    ("a Python object", b"a: !!python/object/apply:os.system [x]\n", "line 1: tags (!) have no meaning here"),
    ("a merge key", b"a: &x {b: 1}\nc:\n  <<: *x\n", "line 3: merge keys (<<) have no meaning here"),
    ("an alias of nothing", b"a: *x\n", "line 1: the alias *x names nothing above it"),
    ("an alias of itself", b"a: &x [*x]\n", "line 1: the alias *x names nothing above it"),
    ("a key that is a list", b"? [a]\n: 1\n", "line 1: a key is a plain word"),
    ("depth", b"[" * 100_000, "line 1: the file is nested more than 20 levels deep"),
    ("bad indentation", b"a:\n  b: 1\n c: 2\n", "line 3: this is not YAML"),
]


@pytest.mark.parametrize(("content", "sentence"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_read_is_refused_with_its_line(content: bytes, sentence: str) -> None:
    faults = Faults()
    read_document(content, faults)
    with pytest.raises(InvalidConfiguration) as refused:
        faults.raise_if_any()
    assert refused.value.faults[0].startswith(sentence)


def test_aliases_that_multiply_are_refused() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 8):
        text += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"
    faults = Faults()
    assert read_document(text.encode(), faults) is None
    with pytest.raises(InvalidConfiguration, match="aliases repeat more than 10000 values"):
        faults.raise_if_any()


def test_an_alias_repeats_a_value() -> None:
    node = read_document(b"a: &x {b: 1}\nc: *x\n", Faults())
    assert node is not None
    assert plain(node) == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("12", 12),
        ("'12'", "12"),
        ("0600", "0600"),
        ("1.5", "1.5"),
        ("~", None),
        ("", None),
        ("null", None),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("12:30", "12:30"),
        ("1" * 30, "1" * 30),
    ],
)
def test_words_mean_what_they_look_like(written: str, value: object) -> None:
    node = read_document(f"a: {written}\n".encode(), Faults())
    assert node is not None
    assert plain(node) == {"a": value}


def test_every_value_knows_its_line() -> None:
    node = read_document(b"a:\n  - b: 1\n    c:\n      - x\n      - y\n", Faults())
    assert node is not None
    paths = [("a",), ("a", 0), ("a", 0, "b"), ("a", 0, "c"), ("a", 0, "c", 1), ("a", 0, "missing"), ("a", 9)]
    assert [line_of(node, path) for path in paths] == [1, 2, 2, 3, 5, 2, 1]


VALUES = st.recursive(
    st.booleans() | st.integers(-(10**17), 10**17) | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, min_size=1))
def test_what_an_export_writes_reads_back_the_same(data: dict[str, object]) -> None:
    faults = Faults()
    node = read_document(dump(data).encode(), faults)
    faults.raise_if_any()
    assert node is not None
    assert plain(node) == data
