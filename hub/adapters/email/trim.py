"""Words of a person, apart from what their program quoted: for reading only, the mail itself is kept whole. Pure.

Three parts which joined are the text again: own words, signature, quotation. Where somebody answers between quoted
lines, or the seam is uncertain, everything counts as own words. Line by line, in linear time.

Who knows the letter that is answered gives it: then a seam without marks counts only if our letter stands behind it,
and lines behind it that are not in our letter are somebody's own. A forwarded mail of others is no quotation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from itertools import islice
from typing import Final

from lxml import etree, html

from hub.adapters.email import words

MAX_WROTE_LINES: Final = 4
LOOKED_AT: Final = 400
MOST_MARKUP: Final = 100_000
"""Tags of an HTML body that are walked through; a letter of forty pages has some thousands."""
_MONTHS: Final = r"січ|лют|бер|кві|тра|чер|лип|сер|вер|жов|лис|гру|янв|фев|мар|апр|ма[йя]|июн|июл|авг|сен|окт|ноя|дек"
_WROTE: Final = re.compile(
    r"(?:wrote|writes|schrieb|escribió|a écrit|пише|писав|писала|написав|написала|написав\(ла\)|пишет|писал|написал)"
    r"(?:\(а\)|\(ла\))?[^\n:]{0,80}:\s*$|<[^<>\s]{1,100}@[^<>\s]{1,100}>:\s*$",
    re.IGNORECASE,
)
_OPENS: Final = re.compile(
    rf"^[>\s]*(?:(?:on|am|le|el)\s.{{0,200}}\d|\d{{1,2}}[ ./-]|\d{{4}}[-./]|"
    rf"[а-яіїєґ]{{2,10}},? \d{{1,2}} (?:{_MONTHS})|[a-z]{{3}}, \d{{1,2}} [a-z]{{3}}|.{{0,80}}<\S+@)",
    re.IGNORECASE,
)
_DIVIDER: Final = re.compile(
    r"^[>\s]*[-_*=]{2,}\s*(?:(?:original|forwarded|reply|начало|початк|вихідн|исходн|оригінал|оригинальн|"
    r"пересилан|переслан|"
    r"пересланн|forwarding)[\w ]{0,40}(?:message|повідомлення|сообщение|appointment|лист[а-я]*)|"
    r"ursprüngliche nachricht)"
    r"[^\n]{0,40}[-_*=]*\s*$",
    re.IGNORECASE,
)
_FIELD: Final = re.compile(
    r"^[>\s*]*(?:from|sent|date|to|cc|subject|reply-to|від|надіслано|дата|кому|копія|тема|от|отправлено|"
    r"копия)\*?\s?:\*?(?:\s|$)",
    re.IGNORECASE,
)
_FIRST_FIELD: Final = re.compile(r"^[>\s*]*(?:from|date|to|від|дата|от|sent|reply-to)\*?\s?:\*?(?:\s|$)", re.IGNORECASE)
_SIGNATURE: Final = re.compile(
    r"^\s*(?:--|__|—)\s*$|^\s*-{1,2}\w|^\s*(?:sent|enviado|gesendet|надіслано|відправлено|отправлено) (?:from|"
    r"via|with|з|із|за допомогою|"
    r"с|von)\b[^,.!?]{0,60}$|^\s*(?:з повагою|с уважением|best regards|kind regards),?\s*$",
    re.IGNORECASE,
)
_FORWARDED: Final = re.compile(r"forward|переслан|пересилан|перенаправлен", re.IGNORECASE)
_SENDER: Final = re.compile(r"^[>\s*]*(?:from|від|от|відправник|отправитель)\*?\s?:", re.IGNORECASE)
_RECIPIENT: Final = re.compile(
    r"^[>\s*]*(?:to|cc|reply-to|кому|копія|копия|отримувач|получатель)\*?\s?:", re.IGNORECASE
)
_FORM: Final = re.compile(rf"^[>\s|*]*(?:{'|'.join(map(re.escape, words.FIELDS))})\s*:", re.IGNORECASE)
_POINTS_BELOW: Final = re.compile(
    r"(?:відповід|див\.|дивіт|коментар|пояснен|ответ|см\.|смотрит|комментар|answer|comment|repl|see)\w*.{0,40}"
    r"\b(?:нижче|ниже|below|inline|тексті|тексту|тексте)\b|(?:великими|заглавными) (?:літер|букв)|"
    r"(?:червоним|зеленим|синім|іншим|красным|зеленым|синим|другим) (?:кольором|шрифтом|цветом)|жирним|жирным|курсивом",
    re.IGNORECASE,
)
_NO_LETTER: Final = re.compile(r"[\W_]+")
_BEHIND: Final = 30
_MARKUP: Final = re.compile(r"<[^<>]*>")
_UNSEEN: Final = re.compile(r"<(script|style|title)\b[^<>]*>[^<]*</\1\s*>", re.IGNORECASE)
"""So many lines behind a seam are looked at for our letter."""
_TELLING: Final = 20
_LONG: Final = 12
_MAX_UNMARKED: Final = 2_000
_MAX_SEAMS: Final = 50
_ANY_FIELD: Final = re.compile(r"^[>\s*]*[^\W\d_][\w ]{1,24}:\s")
_DASHES: Final = re.compile(r"^\s*[-_]{5,}\s*$")
_RULE: Final = re.compile(r"^\s*_{20,}\s*$")
_QUOTING: Final = frozenset({"blockquote"})
_QUOTING_MARKS: Final = (
    "gmail_quote",
    "olk_src_body_section",
    "yahoo_quoted",
    "moz-cite-prefix",
    "mail-quote-collapse",
    "divrplyfwdmsg",
)
_BLOCKS: Final = frozenset(
    {
        "p",
        "div",
        "br",
        "tr",
        "li",
        "ul",
        "ol",
        "table",
        "h1",
        "h2",
        "h3",
        "h4",
        "hr",
        "blockquote",
        "pre",
        "body",
        "dt",
        "dd",
        "h5",
        "h6",
        "dl",
        "section",
        "article",
        "header",
        "footer",
        "main",
        "aside",
        "nav",
        "address",
        "caption",
        "figure",
        "figcaption",
        "fieldset",
        "form",
        "center",
        "thead",
        "tbody",
        "tfoot",
        "option",
        "legend",
    }
)
_CELLS: Final = frozenset({"td", "th"})
_LINES_KEPT: Final = re.compile(r"white-space\s*:\s*pre", re.IGNORECASE)
_SILENT: Final = frozenset({"script", "style", "head", "title", "meta", "template"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """``above + own + signature + quoted`` is the whole text. ``above``: a quotation that the answer stands under."""

    own: str
    signature: str
    quoted: str
    above: str = ""

    @property
    def reading(self) -> str:
        """Own words with the signature: who wrote and their phone stand there."""
        return (self.own + self.signature).strip()


@dataclass(frozen=True, slots=True)
class OwnLetter:
    """Our letter that a mail answers. ``text``: letters and digits only; ``lines``: each of its lines so; ``address``:
    ours. All may be empty.
    """

    text: str
    lines: frozenset[str]
    address: str

    def holds(self, line: str, before: str = "") -> bool:
        """True if a line stands in the letter: a whole one, a long piece, or the end of what began in the line
        before it, for programs break lines anew.
        """
        bare = _squeezed(line)
        if bare in self.lines or (len(bare) >= _LONG and bare in self.text):
            return True
        begun = _squeezed(before) + bare
        return len(begun) >= _LONG and begun in self.text

    def names_us(self, line: str) -> bool:
        """True if our address stands in a line, with a token or without."""
        local, _, domain = self.address.lower().partition("@")
        low = line.lower()
        return bool(local) and local in low and f"@{domain}" in low


def letter(text: str, address: str) -> OwnLetter:
    """Our letter, to be held against what comes back."""
    return OwnLetter(_squeezed(text), frozenset(map(_squeezed, text.splitlines())), address)


def _squeezed(text: str) -> str:
    return _NO_LETTER.sub("", text.lower())


def split(text: str, letter: OwnLetter | None = None) -> Parts:
    """Take a plain text apart. ``letter``: ours, if it is known."""
    lines = text.splitlines(keepends=True)
    looked_at = [line[:LOOKED_AT] for line in lines]  # expressions see no more of a line, so none can stall
    top, seam = _seams(looked_at, letter)
    sign = top + _signature(looked_at[top:seam])
    return Parts(
        above="".join(lines[:top]),
        own="".join(lines[top:sign]),
        signature="".join(lines[sign:seam]),
        quoted="".join(lines[seam:]),
    )


def _seams(lines: list[str], letter: OwnLetter | None) -> tuple[int, int]:
    """Where own words begin and end. Everything is own where the seam is uncertain."""
    seam = _seam(lines, letter)
    if seam == len(lines):
        return 0, seam
    if not any(line.strip() for line in lines[:seam]):
        return _below(lines, seam), len(lines)
    if _answers_between(lines[seam:], letter) or (letter is not None and _answers_inside(lines, seam, letter)):
        return 0, len(lines)
    while seam and (not lines[seam - 1].strip() or _DASHES.match(lines[seam - 1])):
        seam -= 1
    return 0, seam


def _seam(lines: list[str], letter: OwnLetter | None) -> int:
    """Number of the first line that is quotation; the number of lines if there is none."""
    at = tried = 0
    while at < len(lines) and tried < _MAX_SEAMS:
        unmarked = _DIVIDER.match(lines[at]) or _wrote(lines, at) or _header_block(lines, at)
        if unmarked or _marked(lines, at):
            if letter is None or (_is_ours(lines, at, letter) if unmarked else not _forwarded(lines, at, letter)):
                return at
            tried += 1
            at += len(_head(lines, at)) if unmarked else _run(lines, at)
        else:
            at += 1
    return len(lines)


def _run(lines: list[str], at: int) -> int:
    """Number of lines with marks from here on."""
    return next((n for n, line in enumerate(islice(lines, at, None)) if not _is_quoted(line)), len(lines) - at)


def _marked(lines: list[str], at: int) -> bool:
    near = lines[at : at + 3]
    return _is_quoted(lines[at]) and all(not each.strip() or _is_quoted(each) for each in near)


def _is_ours(lines: list[str], at: int, letter: OwnLetter) -> bool:
    """True if our letter stands behind a seam: by its sender, marked as a quotation by a program, or by its words."""
    head = _head(lines, at)
    senders = [line for line in head if "@" in line and not _RECIPIENT.match(line)]
    if any(map(letter.names_us, senders)):
        return True
    behind = [line for line in lines[at + len(head) : at + len(head) + _BEHIND] if line.strip()]
    if behind and all(map(_is_quoted, behind[:2])):
        return not _forwarded(lines, at, letter)
    if senders and letter.address:
        return False
    return any(len(_squeezed(line)) >= _TELLING and letter.holds(line) for line in behind)


def _head(lines: list[str], at: int) -> list[str]:
    """Lines that name the mail behind a seam: a divider, its fields, or who wrote; without what follows them."""
    end = at
    while end < min(at + _BEHIND, len(lines)) and _names(lines, at, end):
        end += 1
    if end > at:
        return lines[at:end]
    joined = ""
    for line in lines[at : at + MAX_WROTE_LINES]:
        end += 1
        joined += line[:300].strip() + " "
        if joined.endswith(": ") and _WROTE.search(joined.rstrip()):
            break
    return lines[at:end]


def _names(lines: list[str], begin: int, at: int) -> bool:
    """True for a line of a head; blank ones between divider and fields, and what a long field goes on with, too."""
    line = lines[at]
    if not line.strip():
        return at - begin <= 2 and any(_FIELD.match(each) for each in lines[at + 1 : at + 3])
    if _DIVIDER.match(line) or _RULE.match(line) or _FIELD.match(line):
        return True
    return at > begin and (lines[at - 1].rstrip().endswith((",", ";")) or bool(_ANY_FIELD.match(line)))


def _forwarded(lines: list[str], at: int, letter: OwnLetter) -> bool:
    """True for a mail of others that somebody passes on, marked with ``>`` or not."""
    near = lines[max(at - 3, 0) : at + _BEHIND]
    senders = [line for line in near if _SENDER.match(line) and "@" in line]
    told = any(_FORWARDED.search(line) for line in near[:8])
    return told and bool(senders) and not any(map(letter.names_us, senders))


def _answers_inside(lines: list[str], seam: int, letter: OwnLetter) -> bool:
    """True if somebody wrote into the quotation: lines that are not in our letter, where it is ours for sure, or where
    it has no marks; or words above that point below.
    """
    if any(_POINTS_BELOW.search(line) for line in lines[:seam][:_BEHIND]):
        return True
    rest = lines[seam:]
    own = rest[len(_head(rest, 0)) :]
    marked = any(map(_is_quoted, rest[:_BEHIND]))
    if marked and not any(len(_squeezed(line)) >= _TELLING and letter.holds(line) for line in own[: 4 * _BEHIND]):
        return False
    return len(own) > _MAX_UNMARKED or any(not _explained(own, at, letter) for at in range(len(own)))


def _explained(lines: list[str], at: int, letter: OwnLetter) -> bool:
    """True for a line behind a seam that is nobody's answer: our letter's, a field of a head, or empty."""
    line, before = lines[at], lines[at - 1] if at else ""
    if not _squeezed(line) or letter.holds(line, before):
        return True
    return bool(_FIELD.match(line) or _FORM.match(line) or _wrote([line], 0))


def _is_quoted(line: str) -> bool:
    return line.lstrip().startswith(">")


def _below(lines: list[str], seam: int) -> int:
    """Where an answer begins that stands under one whole quotation; 0 if it stands between quoted lines."""
    marked = [at for at in range(seam, len(lines)) if _is_quoted(lines[at])]
    if not marked or any(lines[at].strip() and not _is_quoted(lines[at]) for at in range(marked[0], marked[-1])):
        return 0
    return marked[-1] + 1 if any(line.strip() for line in lines[marked[-1] + 1 :]) else 0


def _wrote(lines: list[str], at: int) -> bool:
    """``On <date>, <who> wrote:``, over up to four lines."""
    if not _OPENS.match(lines[at][:300]):
        return False
    joined = ""
    for number, line in enumerate(lines[at : at + MAX_WROTE_LINES]):
        if number and (not line.strip() or (_OPENS.match(line[:300]) and re.match(r"\s*on\s", line, re.IGNORECASE))):
            return False
        joined += line[:300].strip() + " "
        if joined.endswith(": ") and _WROTE.search(joined.rstrip()):
            return True
    return False


def _header_block(lines: list[str], at: int) -> bool:
    """``From: … Sent: … To: … Subject: …``: at least three such lines near each other."""
    line = lines[at]
    if _RULE.match(line):
        following = [number for number in range(at + 1, min(at + 4, len(lines))) if lines[number].strip()]
        return bool(following) and _header_block(lines, following[0])
    if not _FIRST_FIELD.match(line):
        return False
    near = [each for each in lines[at : at + 10] if each.strip()][:6]
    return sum(bool(_FIELD.match(each)) for each in near) >= 3


def _answers_between(rest: list[str], letter: OwnLetter | None) -> bool:
    """True if own lines stand after lines quoted with ``>``; some programs mark only the head of our letter."""
    quoted, own = False, 0
    for at, line in enumerate(rest):
        bare = line.strip()
        if bare.startswith(">"):
            quoted = True
        elif bare and quoted:
            own += 1
            if letter is None or own > _MAX_UNMARKED or not _explained(rest, at, letter):
                return not _SIGNATURE.match(line) and not _DASHES.match(line)
    return False


def _signature(lines: list[str]) -> int:
    """Where the signature begins, in the last twelve lines and never at the top."""
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if len(filled) < 2:
        return len(lines)
    for number in filled[1:]:
        if number >= len(lines) - 15 and _SIGNATURE.match(lines[number]):
            return number
    return len(lines)


def text_of_html(document: str) -> str:
    """An HTML body as text; what programs mark as quotation begins with ``> ``. Never raises.

    A body with more markup than people's letters have, or deeper than a parser goes, is read without its layout: its
    words, one after the other.
    """
    if document.count("<") > MOST_MARKUP:
        return _without_layout(document)
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        root = html.document_fromstring(document.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return ""
    if any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        return _without_layout(document)
    return _Flow().of(root)


def _without_layout(document: str) -> str:
    plain = unescape(_MARKUP.sub(" ", _UNSEEN.sub(" ", document)))
    return re.sub(r"\s+", " ", plain).strip() + "\n"


class _Line:
    """A line that is being written. ``bare``: nothing but marks of quotation stands in it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.bare = True

    def add(self, words: str) -> None:
        """Write words behind it."""
        if words:
            self._pieces.append(words)
            self.bare = self.bare and not words.strip("> ")

    @property
    def is_empty(self) -> bool:
        """True as long as nothing was written."""
        return not self._pieces

    @property
    def ends_open(self) -> bool:
        """True if no blank stands at its end."""
        return bool(self._pieces) and not self._pieces[-1].endswith(" ")

    def __str__(self) -> str:
        return "".join(self._pieces)


class _Flow:
    """Walks a tree and writes lines; each letter is copied once, however long a line grows."""

    def __init__(self) -> None:
        self._lines = [_Line()]
        self._depth = 0
        self._silent = 0
        self._kept = 0
        """Depth in elements whose own line breaks show."""

    def of(self, root: html.HtmlElement) -> str:
        for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
            if event == "start":
                self._start(element)
            elif event == "end":
                self._end(element)
            else:
                self._say(element.tail)
        text = "\n".join(str(line).rstrip() for line in self._lines)
        return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"

    def _start(self, element: html.HtmlElement) -> None:
        tag = str(element.tag).lower()
        if tag in _SILENT:
            self._silent += 1
            return
        if _quotes(element, tag):
            self._depth += 1
        if tag in _BLOCKS:
            self._break()
        elif tag in _CELLS:
            self._space()
        self._kept += _keeps_lines(element, tag)
        self._say(element.text)

    def _end(self, element: html.HtmlElement) -> None:
        tag = str(element.tag).lower()
        if tag in _SILENT:
            self._silent -= 1
        else:
            self._kept -= _keeps_lines(element, tag)
            if tag in _CELLS:
                self._space()
            if tag in _BLOCKS and tag != "br":
                self._break()
            if _quotes(element, tag):
                self._depth -= 1
                self._break()
            if tag == "p":
                self._lines.append(_Line())
        self._say(element.tail)

    def _break(self) -> None:
        if not self._lines[-1].bare:
            self._lines.append(_Line())

    def _space(self) -> None:
        """Cells of a row stay apart."""
        if not self._lines[-1].bare and self._lines[-1].ends_open:
            self._lines[-1].add(" ")

    def _say(self, words: str | None) -> None:
        if not words or self._silent:
            return
        if self._kept and "\n" in words:
            for number, line in enumerate(words.splitlines()):
                if number:
                    self._break()
                self._say(line)
            return
        flat = re.sub(r"[ \t\r\n\u00a0]+", " ", words)
        if self._lines[-1].is_empty:
            flat = flat.lstrip()
            if flat and self._depth:
                flat = "> " + flat
        self._lines[-1].add(flat)


def _keeps_lines(element: html.HtmlElement, tag: str) -> bool:
    return tag in ("pre", "textarea") or bool(_LINES_KEPT.search(str(element.get("style", ""))[:LOOKED_AT]))


def _quotes(element: html.HtmlElement, tag: str) -> bool:
    """True for what programs mark as a quotation; a mail that is passed on is none."""
    if tag in _QUOTING:
        return True
    marks = f"{element.get('class', '')} {element.get('id', '')}".lower()
    return any(mark in marks for mark in _QUOTING_MARKS) and not _passes_on(element)


def _passes_on(element: html.HtmlElement) -> bool:
    head = [piece.strip()[:LOOKED_AT] for piece in islice(element.itertext(), 8)]
    return any(_DIVIDER.match(piece) and _FORWARDED.search(piece) for piece in head)
