"""The splices between two versions of a block lead from one to the other, and are small where they can be."""

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from dpiqa_desktop.metadata.difference import differences
from dpiqa_desktop.metadata.splice import spliced


@given(
    block=st.binary(min_size=1, max_size=400),
    places=st.lists(st.integers(0, 399), max_size=3),
    inserted=st.binary(max_size=200),
    at=st.integers(0, 400),
    cut=st.integers(0, 200),
    around=st.binary(max_size=9),
)
def test_they_lead_from_one_to_the_other(block, places, inserted, at, cut, around):
    new = bytearray(block)
    for place in places:
        new[place % len(new)] ^= 1
    new[at : at + cut] = inserted
    splices = differences(len(around), block, bytes(new))
    assert b"".join(spliced(BytesIO(around + block + around), splices)) == around + bytes(new) + around
    assert all(splice.old and splice.old != splice.new for splice in splices)


def test_a_large_block_that_is_appended_to_gives_little():
    old = bytes(range(256)) * 200
    new = old[:4] + b"\xff\xff\xff\xff" + old[8:] + b"appended"
    assert sum(len(splice.old) + len(splice.new) for splice in differences(7, old, new)) < 300
    inserted = old[:30_000] + b"in the middle" + old[30_000:]
    assert sum(len(splice.old) + len(splice.new) for splice in differences(7, old, inserted)) < 300
