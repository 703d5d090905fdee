"""What is printed is one safe line a photo, whatever the photo is called."""

import os
import sys

import pytest

from dpiqa_desktop.console import printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("holiday (1)/IMG 0001.JPG", "holiday (1)/IMG 0001.JPG"),
        ("相片/👩‍🚀.jpg", "相片/👩‍🚀.jpg"),
        ("two\nlines\t.jpg", r"two\nlines\t.jpg"),
        ("\x1b[31mred.jpg", r"\x1b[31mred.jpg"),
        ("\u2028.jpg", r"\u2028.jpg"),
    ],
)
def test_only_what_harms_a_terminal_is_escaped(name, shown):
    assert printable(name) == shown


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' file systems do not take such names")
def test_bytes_that_are_not_utf8_are_shown_as_bytes():
    assert printable(os.fsdecode(b"caf\xe9.jpg")) == r"caf\xe9.jpg"
    assert printable(os.fsdecode(b"caf\xe9.jpg")).encode("utf-8")
