"""Splices change only what they say, and their inverse gives back the same bytes."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpiqa_desktop.metadata.splice import Splice, inverse, spliced


@st.composite
def changes(draw):
    content = draw(st.binary(max_size=300))
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=8, unique=True)))
    splices = tuple(
        Splice(start, content[start:end], draw(st.binary(max_size=20)))
        for start, end in zip(cuts[::2], cuts[1::2], strict=False)
    )
    return content, splices


@given(changes())
def test_the_inverse_gives_back_the_same_bytes(change):
    content, splices = change
    changed = b"".join(spliced(BytesIO(content), splices))
    expected = content
    for splice in reversed(splices):
        expected = expected[: splice.offset] + splice.new + expected[splice.offset + len(splice.old) :]
    assert changed == expected
    assert b"".join(spliced(BytesIO(changed), inverse(splices))) == content


def test_a_file_larger_than_a_block(tmp_path):
    content = bytes(range(256)) * 10_000
    splices = (Splice(3, content[3:5], b"new"), Splice(2_000_000, b"", b"x" * 3_000_000))
    changed = b"".join(spliced(BytesIO(content), splices))
    assert changed == content[:3] + b"new" + content[5:2_000_000] + b"x" * 3_000_000 + content[2_000_000:]


@pytest.mark.parametrize(
    ("splices", "message"),
    [
        ((Splice(0, b"b", b""),), "other bytes at 0"),
        ((Splice(4, b"", b"x"),), "ends at 3"),
        ((Splice(1, b"b", b""), Splice(1, b"", b"x")), "out of order"),
    ],
)
def test_what_does_not_fit_is_refused(splices, message):
    with pytest.raises(ValueError, match=message):
        list(spliced(BytesIO(b"abc"), splices))
