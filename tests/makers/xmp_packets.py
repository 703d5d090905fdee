"""XMP packets for tests: three as programs write them, and a strategy that spells contents in many ways."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from dpiqa_desktop.metadata.xmp import DPIQA, Name

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
DC = "http://purl.org/dc/elements/1.1/"
LR = "http://ns.adobe.com/lightroom/1.0/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"

ADOBE = (
    b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 5.6-c011">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
   xmp:Rating="3"
   xmp:CreatorTool="Lightroom &quot;6&quot; > 5"
   dc:format="image/jpeg">
   <xmpMM:History>
    <rdf:Seq>
     <rdf:li
      stEvt:action="saved"
      stEvt:changed="/metadata"/>
    </rdf:Seq>
   </xmpMM:History>
   <dc:subject>
    <rdf:Bag>
     <rdf:li>sea &amp; sky</rdf:li>
     <rdf:li>d\xc3\xbcne</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <dc:title>
    <rdf:Alt>
     <rdf:li xml:lang="x-default">A title</rdf:li>
    </rdf:Alt>
   </dc:title>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
    + (b" " * 99 + b"\n") * 20
    + b'<?xpacket end="w"?>'
)

EXIFTOOL = b"""<?xpacket begin='\xef\xbb\xbf' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='Image::ExifTool 12.57'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>

 <rdf:Description rdf:about=''
  xmlns:dc='http://purl.org/dc/elements/1.1/'>
  <dc:subject>
   <rdf:Bag>
    <rdf:li>one</rdf:li>
   </rdf:Bag>
  </dc:subject>
 </rdf:Description>

 <rdf:Description rdf:about=''
  xmlns:xmp='http://ns.adobe.com/xap/1.0/'>
  <xmp:Rating>2</xmp:Rating>
  <xmp:Label/>
 </rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end='r'?>"""

WINDOWS = (
    b"<?xpacket begin='\xef\xbb\xbf' id='W5M0MpCehiHzreSzNTczkc9d'?>\r\n"
    b'<xmp:xmpmeta xmlns:xmp="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="uuid:faf5bdd5-ba3d-11da-ad31-d33d75182f1b" '
    b'xmlns:xap="http://ns.adobe.com/xap/1.0/"><xap:creatortool>Windows</xap:creatortool>'
    b"<xap:Rating>1</xap:Rating></rdf:Description></rdf:RDF></xmp:xmpmeta>\r\n<?xpacket end='w'?>"
)

PACKETS = {"Adobe": ADOBE, "ExifTool": EXIFTOOL, "Windows": WINDOWS}


@dataclass
class Spelling:
    """A packet as it was spelled.

    Attributes:
        pieces: its bytes in order; beside each the property that it spells, or what may change there:
            "padding", "ours" (further attributes and elements of our description), "node" and "close" (its
            tags), "end" (further descriptions); None where nothing may change.
        values: what the photo's simple properties and arrays are.
        marked: properties with a comment in them.
    """

    pieces: list[tuple[bytes, Name | str | None]] = field(default_factory=list)
    values: dict[Name, str | tuple[str, ...]] = field(default_factory=dict)
    marked: set[Name] = field(default_factory=set)

    @property
    def packet(self) -> bytes:
        """All its bytes."""
        return b"".join(piece for piece, _ in self.pieces)


TEXTS = st.text(
    st.one_of(
        st.sampled_from("5-|&<>\"' \t\n\r]"),
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"),
    ),
    max_size=8,
)
"""What a property may hold: anything that XML can."""

_SIMPLE = [Name(XMP, "Rating"), Name(XMP, "Label"), Name(PHOTOSHOP, "City"), Name("http://a.b/?c&d", "x-1")]
_OWN = [Name(DPIQA, "Score"), Name(DPIQA, "Model")]
_ARRAYS = [Name(DC, "subject"), Name(LR, "hierarchicalSubject")]
_OTHERS = [
    '<p:Struct xmlns:p="u:other" {rdf}:parseType="Resource"><p:B q:c="&lt;" xmlns:q="u:q"/></p:Struct>',
    '<p:Node xmlns:p="u:other"> <{rdf}:Description p:A="1" xmlns:z="' + XMP + '" z:Rating="5"/></p:Node>',
    '<p:Title xmlns:p="u:other"><{rdf}:Alt><{rdf}:li xml:lang="x-default">t</{rdf}:li></{rdf}:Alt></p:Title>',
    '<p:Ref xmlns:p="u:other" {rdf}:resource="http://r/"/>',
    '<p:Marked xmlns:p="u:other">a<![CDATA[<b>]]><!-- </p:Marked> --><?pi a="b"?></p:Marked>',
]


@st.composite
def spellings(draw: st.DrawFn) -> Spelling:
    """Draw a packet."""
    return _Speller(draw).spell()


class _Speller:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.line = draw(st.sampled_from(["\n", "\r\n", "", " "]))
        self.quote = draw(st.sampled_from("\"'"))
        self.rdf = draw(st.sampled_from(["rdf", "r", "xmp"]))
        self.others = list(draw(st.permutations(_OTHERS)))
        self.result = Spelling()

    def put(self, text: str, what: Name | str | None = None) -> None:
        self.result.pieces.append((text.encode(), what))

    def space(self, depth: int) -> str:
        return self.line + " " * depth if self.line.strip(" ") else self.line

    def comment(self) -> str:
        return self.draw(st.sampled_from(["", "", "", "<!-- <a b='c'>&no; -->", "<?p ><?>"]))

    def spell(self) -> Spelling:
        draw = self.draw
        self.put(draw(st.sampled_from(["", "\ufeff", "\ufeff<?xml version='1.0' encoding='UTF-8'?>", "\n"])))
        wrapped, meta = draw(st.booleans()), draw(st.booleans())
        if wrapped:
            self.put('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>' + self.line)
        if meta:
            self.put(f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{self.space(1)}{self.comment()}")
        self.put(f"<{self.rdf}:RDF xmlns:{self.rdf}={self.quote}{RDF}{self.quote}")
        self.nodes()
        if meta:
            self.put(f"{self.line}{self.comment()}</x:xmpmeta >")
        if wrapped:
            self.put(
                draw(st.sampled_from(["", self.line, "\n" + " " * 40, (" " * 99 + "\n") * 20])), "padding"
            )
            self.put(f"<?xpacket end='{draw(st.sampled_from('wr'))}'?>")
        self.put(draw(st.sampled_from(["", "\n", "\0\0", " \r\n\0"])))
        return self.result

    def nodes(self) -> None:
        subject = self.draw(st.sampled_from(["", "uuid:1", None]))
        simple = self.draw(st.lists(st.sampled_from(_SIMPLE), unique=True))
        arrays = self.draw(st.lists(st.sampled_from(_ARRAYS), unique=True))
        count = self.draw(st.integers(0, 3))
        if not count:
            self.put(*(("/>", "end") if self.draw(st.booleans()) else (">", None)))
            if self.result.pieces[-1][0] == b">":
                self.put("", "end")
                self.put(f"{self.line}</{self.rdf}:RDF>")
            return
        self.put(">")
        own = self.draw(st.lists(st.sampled_from(_OWN), unique=True))
        for number in range(count):
            mine = own if number == count - 1 else []
            self.node(subject, [*simple[number::count], *mine], arrays[number::count], bool(mine))
        if comment := self.comment():
            self.put(f"{self.space(2)}{comment}")
        self.put("", "end")
        self.put(f"{self.line}</{self.rdf}:RDF>")

    def node(self, subject: str | None, simple: list[Name], arrays: list[Name], ours: bool) -> None:
        named = "" if subject is None else f" {self.rdf}:about = '{subject}'"
        if comment := self.comment():
            self.put(f"{self.space(2)}{comment}")
        self.put(f"{self.space(2)}<{self.rdf}:Description{named}", "node" if ours else None)
        # Prefixes that mean something else elsewhere; rdf:about's own must keep its meaning.
        prefixes = {}
        for name in [*simple, *arrays]:
            if name.namespace not in prefixes:
                free = (
                    {"xmp", "dc", "ns1", "dpiqa", "photoshop", "y", "z"} - set(prefixes.values()) - {self.rdf}
                )
                prefixes[name.namespace] = self.draw(st.sampled_from(sorted(free)))
                uri = name.namespace.replace("&", self.draw(st.sampled_from(["&amp;", "&#38;", "&#x26;"])))
                self.put(
                    f'{self.space(4) or " "}xmlns:{prefixes[name.namespace]}="{uri}"',
                    "node" if ours else None,
                )
        elements = []
        for name in simple:
            if self.draw(st.booleans()):
                self.attribute(name, prefixes[name.namespace])
            else:
                elements.append(name)
        if ours:
            self.put("", "ours")
        others = (
            [self.others.pop() for _ in range(self.draw(st.integers(0, min(2, len(self.others)))))]
            if not ours
            else []
        )
        if not (elements or arrays or others) and self.draw(st.booleans()):
            self.put(self.draw(st.sampled_from(["/>", " />"])), "close" if ours else None)
            return
        self.put(self.draw(st.sampled_from([">", " >"])), "node" if ours else None)
        for other in others:
            if "CDATA" in other:
                self.result.values[Name("u:other", "Marked")] = "a<b>"
            self.put(self.space(3) + other.format(rdf=self.rdf))
        for name in elements:
            self.element(name, prefixes[name.namespace])
        for name in arrays:
            self.array(name, prefixes[name.namespace])
        if ours:
            self.put("", "ours")
        self.put(f"{self.space(2)}</{self.rdf}:Description>", "node" if ours else None)

    def attribute(self, name: Name, prefix: str) -> None:
        value, quote = self.draw(TEXTS), self.draw(st.sampled_from("\"'"))
        self.result.values[name] = value
        equals = self.draw(st.sampled_from(["=", " =\t", "\n= "]))
        self.put(
            f"{self.space(3) or ' '}{prefix}:{name.name}{equals}{quote}{self.escaped(value, quote)}{quote}",
            name,
        )

    def element(self, name: Name, prefix: str) -> None:
        value = self.draw(TEXTS)
        self.result.values[name] = value
        rebound = self.draw(st.booleans())
        tag = f"xmp:{name.name}" if rebound else f"{prefix}:{name.name}"
        declared = f" xmlns:xmp='{name.namespace.replace('&', '&amp;')}'" if rebound else ""
        text = self.escaped(value, "")
        if not text and self.draw(st.booleans()):
            self.put(f"{self.space(3)}<{tag}{declared} />", name)
        elif text and self.draw(st.integers(0, 5)) == 0:
            self.result.marked.add(name)
            self.put(f"{self.space(3)}<{tag}{declared}>{text}<!-- c --></{tag}\n>", name)
        else:
            self.put(f"{self.space(3)}<{tag}{declared}>{text}</{tag} >", name)

    def array(self, name: Name, prefix: str) -> None:
        values = self.draw(st.lists(TEXTS, max_size=3))
        self.result.values[name] = tuple(values)
        kind = f"{self.rdf}:{self.draw(st.sampled_from(['Bag', 'Seq']))}"
        items = "".join(
            f"{self.space(5)}<{self.rdf}:li>{self.escaped(value, '')}</{self.rdf}:li>" for value in values
        )
        inner = (
            f"<{kind}>{items}{self.space(4)}</{kind}>" if items or self.draw(st.booleans()) else f"<{kind}/>"
        )
        tag = f"{prefix}:{name.name}"
        self.put(f"{self.space(3)}<{tag}>{self.space(4)}{inner}{self.space(3)}</{tag}>", name)

    def escaped(self, value: str, quote: str) -> str:
        must = f"&<{quote}\r\t\n" if quote else "&<\r>"
        named = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
        return "".join(
            self.draw(st.sampled_from([named.get(c, f"&#{ord(c)};"), f"&#{ord(c)};", f"&#x{ord(c):X};"]))
            if c in must or self.draw(st.integers(0, 9)) == 0
            else c
            for c in value
        )


def is_changed_only_in(spelling: Spelling, edited: bytes, names: set[Name]) -> bool:
    """Tell whether a packet has every piece that must not change, in order, and nothing else between them."""
    kept = {what for _, what in spelling.pieces if isinstance(what, Name)} - names
    free = {*names, "padding", "ours", "end"}
    if not any(name.namespace == DPIQA for name in kept):
        free |= {"node", "close"}  # our own description may go with the last of our properties
    blocks = [b""]
    for piece, what in spelling.pieces:
        if what in free or what == "close":
            blocks.append(b"")
        else:
            blocks[-1] += piece
    if len(blocks) == 1:
        return edited == blocks[0]
    at = len(blocks[0])
    for block in blocks[1:-1]:
        found = edited.find(block, at)
        if found < 0:
            return False
        at = found + len(block)
    return (
        edited.startswith(blocks[0]) and edited.endswith(blocks[-1]) and at <= len(edited) - len(blocks[-1])
    )
