"""XMP packets in many spellings: read as other tools read them, edited without touching anything else."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from makers.xmp_packets import (
    ADOBE,
    DC,
    EXIFTOOL,
    LR,
    PACKETS,
    PHOTOSHOP,
    RDF,
    TEXTS,
    XMP,
    is_changed_only_in,
    spellings,
)

from dpiqa_desktop.metadata.embedded import UnsafeError
from dpiqa_desktop.metadata.splice import Splice
from dpiqa_desktop.metadata.xmp import DPIQA, EMPTY_PACKET, EMPTY_SIDECAR, Items, Name, edit, read
from dpiqa_desktop.metadata.xmp_splices import Splicer

RATING, LABEL, CITY = Name(XMP, "Rating"), Name(XMP, "Label"), Name(PHOTOSHOP, "City")
SCORE, MODEL = Name(DPIQA, "Score"), Name(DPIQA, "Model")
SUBJECT, HIERARCHY = Name(DC, "subject"), Name(LR, "hierarchicalSubject")
OURS = {
    RATING: "4",
    SCORE: "0.7431",
    MODEL: "lite",
    SUBJECT: Items(("IQA|0.7",)),
    HIERARCHY: Items(("IQA|0.7",)),
}

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys([RATING, LABEL, CITY, SCORE, MODEL], st.none() | TEXTS),
        **dict.fromkeys(
            [SUBJECT, HIERARCHY],
            st.none() | st.builds(Items, *[st.lists(TEXTS, max_size=2).map(tuple)] * 2),
        ),
    },
)


def properties(packet):
    """Return what a packet says of the photo by ElementTree: names with values, or with XML."""
    root = ET.fromstring(packet.strip(b"\0 \r\n\t"))
    found = Counter()
    for node in root if root.tag == f"{{{RDF}}}RDF" else root.find(f"{{{RDF}}}RDF"):
        for key, value in node.attrib.items():
            found[key, value] += key != f"{{{RDF}}}about"
        for child in node:
            child.tail = ""
            items = child.findall("*/*")
            if (
                len(child)
                and re.search("(Bag|Seq)$", child[0].tag)
                and not any(i.attrib or len(i) for i in items)
            ):
                found[child.tag, tuple(item.text or "" for item in items)] += 1
            elif len(child) or child.attrib:
                found[child.tag, ET.tostring(child)] += 1
            else:
                found[child.tag, child.text or ""] += 1
    return +found


def after(values, changes):
    """Return the values that a packet should have after changes."""
    values = dict(values)
    for name, change in changes.items():
        if isinstance(change, Items):
            there = values.get(name, ())
            kept = [each for each in there if each not in change.remove or each in change.add]
            values[name] = tuple(kept + list(dict.fromkeys(a for a in change.add if a not in there)))
        else:
            values[name] = change
        # An empty array stays only if it was empty and is not changed.
        if values[name] is None or (values[name] == () and isinstance(change, Items)):
            del values[name]
    return values


def as_found(values):
    return Counter({(f"{{{name.namespace}}}{name.name}", value): 1 for name, value in values.items()})


@given(spellings(), CHANGES)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_only_what_is_to_change_changes(spelling, changes):
    packet, values = spelling.packet, spelling.values
    assert texts(packet) == values
    wanted = after(values, changes)
    if any(wanted.get(name) != values.get(name) for name in spelling.marked):
        with pytest.raises(UnsafeError, match="comment"):
            edit(packet, changes)
        return
    edited = edit(packet, changes)
    assert texts(edited) == wanted
    assert properties(edited) - as_found(wanted) == properties(packet) - as_found(values)
    assert is_changed_only_in(spelling, edited, {n for n in changes if values.get(n) != wanted.get(n)})
    undone = edit(edited, {name: back(values.get(name), wanted.get(name)) for name in changes})
    assert as_sets(texts(undone)) == as_sets(values)


def back(old, new):
    """Return the change from one value to another."""
    if isinstance(old, tuple) or isinstance(new, tuple):
        return Items(old or (), new or ())
    return old


def texts(packet):
    """The properties that are texts or arrays of texts."""
    return {name: value for name, value in read(packet).items() if value is not None}


def as_sets(values):
    """Leave out what an inverse change of an array cannot know: order, repetition, an array without items."""
    return {
        name: value if isinstance(value, str) else set(value) for name, value in values.items() if value != ()
    }


@pytest.mark.parametrize("name", PACKETS)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_packet_is_edited_rightly_or_refused(name, data):
    packet = bytearray(PACKETS[name])
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(packet)))
        end = min(len(packet), start + data.draw(st.integers(0, 3)))
        token = st.sampled_from(
            [b"<", b">", b"/>", b'"', b"'", b"<!--", b"]]>", b"&#10;", b" a:b='c'", b"rdf:"]
        )
        packet[start:end] = data.draw(st.one_of(st.binary(max_size=3), token))
    packet = bytes(packet)
    assume(b"}" not in packet)  # with that in a namespace ElementTree gives up
    try:
        edited = edit(packet, OURS)
    except UnsafeError:
        return
    said = {f"{{{each.namespace}}}{each.name}" for each in OURS}
    before, now = properties(packet), properties(edited)
    assert {e: n for e, n in before.items() if e[0] not in said} == {
        e: n for e, n in now.items() if e[0] not in said
    }
    assert now[f"{{{DPIQA}}}Score", "0.7431"] == 1
    assert now[f"{{{XMP}}}Rating", "4"] == 1


def test_edits_do_not_pile_up_and_leave_nothing_behind():
    packet = ADOBE
    for score in ("0.1", "0.2", "0.3"):
        packet = edit(packet, {**OURS, SCORE: score})
        packet = edit(packet, {Name(DPIQA, "Uncertainty"): score})
        assert len(packet) == len(ADOBE)  # the padding takes it up
        assert packet.count(b"<rdf:Description") == 2
    gone = {RATING: "3", SUBJECT: Items(remove=("IQA|0.7",)), HIERARCHY: None, SCORE: None, MODEL: None}
    undone = edit(packet, {**gone, Name(DPIQA, "Uncertainty"): None})
    assert undone.split() == ADOBE.split()
    assert len(undone) == len(ADOBE)


def test_without_padding_taking_out_what_was_put_in_gives_back_the_bytes():
    gone = {RATING: "2", SUBJECT: Items(remove=("IQA|0.7",)), HIERARCHY: None, SCORE: None, MODEL: None}
    assert edit(edit(EXIFTOOL, OURS), gone) == EXIFTOOL


def test_what_is_there_already_changes_nothing():
    same = {RATING: "3", LABEL: None, SUBJECT: Items(("düne",), ("other",))}
    assert edit(ADOBE, same) == ADOBE
    assert edit(edit(ADOBE, OURS), OURS) == edit(ADOBE, OURS)


@pytest.mark.parametrize("empty", [EMPTY_PACKET, EMPTY_SIDECAR])
def test_a_new_packet(empty):
    assert read(empty) == {}
    packet = edit(empty, OURS)
    assert read(packet) == {**OURS, SUBJECT: ("IQA|0.7",), HIERARCHY: ("IQA|0.7",)}
    if empty is EMPTY_PACKET:
        assert len(packet) == len(empty)
        assert re.search(rb"\s{2000,}<\?xpacket end", packet)
    else:
        assert packet.endswith(b"</x:xmpmeta>\n")
        assert b"xpacket" not in packet


def body(xml, attributes=""):
    return (
        f'<rdf:RDF xmlns:rdf="{RDF}" xmlns:xmp="{XMP}" xmlns:dc="{DC}" xmlns:d="{DPIQA}">'
        f'<rdf:Description rdf:about="" {attributes}>{xml}</rdf:Description></rdf:RDF>'
    ).encode()


UNEDITED = {
    "structure": ('<xmp:Rating rdf:parseType="Resource"><rdf:value>3</rdf:value></xmp:Rating>', "in a form"),
    "nested description": ("<xmp:Rating><rdf:Description rdf:value='3'/></xmp:Rating>", "in a form"),
    "reference": ('<xmp:Rating rdf:resource="3"/>', "in a form"),
    "qualifier": ('<xmp:Rating xml:lang="en">3</xmp:Rating>', "in a form"),
    "attribute of a nested node": ('<xmp:Rating d:x="3"/>', "in a form"),
    "alternatives": ("<xmp:Rating><rdf:Alt><rdf:li>3</rdf:li></rdf:Alt></xmp:Rating>", "in a form"),
    "array": ("<xmp:Rating><rdf:Bag><rdf:li>3</rdf:li></rdf:Bag></xmp:Rating>", "as an array"),
    "comment": ("<xmp:Rating>3<!-- 4 --></xmp:Rating>", "a comment"),
    "CDATA": ("<xmp:Rating><![CDATA[3]]></xmp:Rating>", "a comment"),
    "instruction": ("<xmp:Rating>3<?x?></xmp:Rating>", "a comment"),
    "twice": ("<xmp:Rating>3</xmp:Rating><xmp:Rating>3</xmp:Rating>", "twice"),
    "other node": ("</rdf:Description><rdf:Description rdf:nodeID='a' xmp:Rating='3'>", "not be the photo's"),
    "typed node": ("</rdf:Description><d:Typed xmp:Rating='3'/><rdf:Description>", "not be the photo's"),
    "text for an array": ("<dc:subject>one</dc:subject>", "as a text"),
    "array in an attribute": ("</rdf:Description><rdf:Description dc:subject='one'>", "as a text"),
    "array of structures": (
        '<dc:subject><rdf:Bag><rdf:li rdf:parseType="Resource"/></rdf:Bag></dc:subject>',
        "in a form",
    ),
    "comment in an array": ("<dc:subject><rdf:Bag><!-- --></rdf:Bag></dc:subject>", "a comment"),
    "two resources": ("</rdf:Description><rdf:Description rdf:about='uuid:1'>", "several resources"),
}


@pytest.mark.parametrize(("xml", "reason"), UNEDITED.values(), ids=UNEDITED)
def test_what_is_not_certain_is_refused(xml, reason):
    with pytest.raises(UnsafeError, match=f"^its XMP .*{reason}"):
        edit(body(xml), OURS)


def test_attribute_and_element_of_one_property_are_refused():
    packet = body("<xmp:Rating>3</xmp:Rating>", "xmp:Rating='3'")
    for use in (read, lambda packet: edit(packet, {RATING: "4"})):
        with pytest.raises(UnsafeError, match="xmp:Rating twice"):
            use(packet)


def test_a_rating_of_something_else_is_left_alone():
    other = "<d:Other><rdf:Description xmp:Rating='1'/></d:Other>"
    edited = edit(body(other), {RATING: "4"})
    assert other.encode() in edited
    assert texts(edited) == {RATING: "4"}


def test_an_rdf_in_the_default_namespace():
    packet = f'<RDF xmlns="{RDF}"><Description xmlns:a="{RDF}" a:about="u:1"/></RDF>'.encode()
    edited = edit(packet, OURS)
    assert read(edited) == read(edit(EMPTY_SIDECAR, OURS))
    assert b'rdf:about="u:1"' in edited


DOCTYPE = b'<!DOCTYPE a [<!ENTITY a "%b">]>'
LAUGHS = b"<!DOCTYPE a [<!ENTITY a0 'ha'>" + b"".join(
    b"<!ENTITY a%d '&a%d;&a%d;&a%d;&a%d;'>" % (i + 1, i, i, i, i) for i in range(30)
)
HOSTILE = {
    "nothing": b"",
    "NULs": b"\0" * 1000,
    "no XML": b"\xff\xd8\xff\xe0 JFIF",
    "billion laughs": LAUGHS + b"]><a>&a30;</a>",
    "external entity": b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    + body("<xmp:Label>&e;</xmp:Label>"),
    "external subset": b'<!DOCTYPE a SYSTEM "http://127.0.0.1/">' + ADOBE,
    "unknown entity": body("<xmp:Label>&nbsp;</xmp:Label>"),
    "deep": b"<a>" * 100_000,
    "deep and closed": b"<a>" * 100_000 + b"</a>" * 100_000,
    "deep in a property": body("<d:a>" * 1000 + "</d:a>" * 1000),
    "many elements": body("<d:a/>" * 300_000),
    "many attributes": body("", " ".join(f"d:a{number}=''" for number in range(300_000))),
    "many attributes, no RDF": b"<a %b/>" % b" ".join(b'a%d=""' % number for number in range(100_000)),
    "the same attribute": body("", "d:a='' " * 100_000),
    "the same by two prefixes": body("", f"xmlns:e='{DPIQA}' d:a='' e:a=''"),
    "a token of 5 MB": b"<a b='" + b"c" * 5_000_000,
    "a name of 5 MB": b"<" + b"c" * 5_000_000,
    "a comment of 5 MB": b"<!--" + b"- " * 2_500_000,
    "many open brackets": b"<" * 1_000_000,
    "too large": body("x" * (17 << 20)),
    "NUL in the middle": ADOBE.replace(b"Adobe", b"Ad\0be"),
    "truncated": ADOBE[:900],
    "two roots": EMPTY_SIDECAR * 2,
    "two RDFs": EMPTY_SIDECAR.replace(b"</rdf:RDF>", b'</rdf:RDF><r:RDF xmlns:r="%b"/>' % RDF.encode()),
    "Latin 1": ADOBE.replace(b"\xc3\xbc", b"\xfc"),
    "surrogates": ADOBE.replace(b"\xc3\xbc", b"\xed\xa0\x80"),
    "too long a code": ADOBE.replace(b"\xc3\xbc", b"\xc0\xbc"),
    "UTF-16": ADOBE.decode().encode("utf-16"),
    "UTF-16 without a mark": ADOBE.decode().encode("utf-16-be"),
    "UTF-32": ADOBE.decode().encode("utf-32"),
    "declared Latin 1": b"<?xml version='1.0' encoding='iso-8859-1'?>" + EMPTY_SIDECAR,
    "declared UTF-16": b"<?xml version='1.0' encoding='UTF-16'?>" + EMPTY_SIDECAR,
    "prefix not declared": EMPTY_SIDECAR.replace(b"xmlns:rdf", b"xmlns:r"),
    "a namespace with a line break": body("", "xmlns:n='a&#10;b' n:c='1' n:c='2'"),
}


@pytest.mark.parametrize("packet", HOSTILE.values(), ids=HOSTILE)
def test_hostile_packets_are_refused(packet):
    with pytest.raises(UnsafeError, match=r"^its XMP "):
        read(packet)
    with pytest.raises(UnsafeError, match=r"^its XMP "):
        edit(packet, OURS)


def test_a_large_packet_is_edited():
    many = " ".join(f"d:a{number}='&lt;'" for number in range(20_000))
    packet = body(
        "<dc:subject><rdf:Bag>" + "<rdf:li>gone</rdf:li>" * 20_000 + "</rdf:Bag></dc:subject>", many
    )
    edited = edit(packet, {**OURS, SUBJECT: Items(("new",), ("gone",))})
    assert read(edited)[SUBJECT] == ("new",)
    assert len(read(edited)) == 20_005


@pytest.mark.parametrize("text", ["\0", "a\x0b", "\ud800", "\ufffe"])
@pytest.mark.parametrize("change", [str, lambda text: Items((text,))])
def test_characters_that_xml_cannot_hold(text, change):
    with pytest.raises(ValueError, match="XML cannot hold"):
        edit(ADOBE, {Name(DPIQA, "Model"): change(text)})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"image/jpeg"', b'"image/png"'),
        (b"\xc3\xbc", b"u"),
        (b"<rdf:li>sea &amp; sky</rdf:li>", b""),
        (b"x-default", b"en"),
        (b"stEvt:action", b"stEvt:when"),
        (b'rdf:about=""', b'rdf:about="uuid:1"'),
        (b'x:xmptk="Adobe', b'x:xmptk="adobe'),
        (b'xmp:Rating="3"', b""),
        (b'xmp:Rating="3"', b'xmp:Rating="4" xmp:Label="Red"'),
        (
            b"</rdf:RDF>",
            b"<rdf:Description xmp:Rating='4' xmlns:xmp='http://ns.adobe.com/xap/1.0/'/></rdf:RDF>",
        ),
        (b"</rdf:RDF>", b"<rdf:Bag/></rdf:RDF>"),
        (b"</rdf:RDF>", b""),
    ],
)
def test_a_wrong_splice_does_not_get_out(old, new, monkeypatch):
    at = ADOBE.index(old)
    rating = ADOBE.index(b'3"', ADOBE.index(b"xmp:Rating"))
    right = [] if b"Rating" in old else [Splice(rating, b"3", b"4")]
    monkeypatch.setattr(Splicer, "splices", lambda *_: [*right, Splice(at, old, new)])
    with pytest.raises(UnsafeError, match=r"^its XMP "):
        edit(ADOBE, {RATING: "4"})


def told_by(tool, packet, path):
    """Return all that ExifTool or Exiv2 finds in a packet, but for our properties, and the rating."""
    path.write_bytes(packet)
    if tool == "exiftool":
        run = subprocess.run(
            [tool, "-json", "-struct", "-G1", "-XMP:all", path], capture_output=True, check=True
        )
        (found,) = json.loads(run.stdout)
        lines = {f"{key} {value}" for key, value in found.items()}
    else:
        run = subprocess.run([tool, "-px", path], capture_output=True, check=True)
        lines = {re.sub(r"\s+", " ", line) for line in run.stdout.decode().splitlines()}
    ratings = [line for line in lines if re.match("XMP-xmp:Rating|Xmp.xmp.Rating", line)]
    ours = re.compile("dpiqa|xmp.(rating|label)|dc.subject|lr.hierarchical", re.IGNORECASE)
    return {line for line in lines if not ours.search(line)}, ratings[0][-1] if ratings else None


@pytest.mark.parametrize("tool", ["exiftool", "exiv2"])
@pytest.mark.parametrize("name", PACKETS)
def test_other_tools_read_the_same(name, tool, tmp_path):
    # Windows' packet calls the namespace of rating and label xap: Exiv2 gives up if it is xmp elsewhere.
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool} on the path")
    before, _ = told_by(tool, PACKETS[name], tmp_path / "a.xmp")
    now, rating = told_by(tool, edit(PACKETS[name], {**OURS, LABEL: "Green"}), tmp_path / "a.xmp")
    assert now == before
    assert rating == "4"


def test_packets_of_cameras(shared):
    edited = 0
    for path in sorted((shared / "data" / "camera").rglob("*")):
        found = (
            re.search(rb"<\?xpacket begin.{20,200000}?<\?xpacket end=.w.\?>", path.read_bytes(), re.DOTALL)
            if path.is_file()
            else None
        )
        if found is None:
            continue
        packet = found[0]
        try:
            before, changed = properties(packet), edit(packet, {SCORE: "0.5", RATING: "4"})
        except (UnsafeError, ET.ParseError):
            continue
        key = f"{{{XMP}}}Rating"
        now = properties(changed)
        assert now[key, "4"] == now[f"{{{DPIQA}}}Score", "0.5"] == 1
        assert {e: n for e, n in before.items() if e[0] != key} == {
            e: n for e, n in now.items() if e[0] not in (key, f"{{{DPIQA}}}Score")
        }
        edited += 1
    assert edited > 20
