"""Words of a person, apart from what their program quoted: for reading only, the mail itself is kept whole. Pure.

Three parts which joined are the text again: own words, signature, quotation. Where somebody answers between quoted
lines, or the seam is uncertain, everything counts as own words. Line by line, in linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree, html

MAX_WROTE_LINES: Final = 4
LOOKED_AT: Final = 400
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
    }
)
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


def split(text: str) -> Parts:
    """Take a plain text apart."""
    lines = text.splitlines(keepends=True)
    looked_at = [line[:LOOKED_AT] for line in lines]  # expressions see no more of a line, so none can stall
    top, seam = _seams(looked_at)
    sign = top + _signature(looked_at[top:seam])
    return Parts(
        above="".join(lines[:top]),
        own="".join(lines[top:sign]),
        signature="".join(lines[sign:seam]),
        quoted="".join(lines[seam:]),
    )


def _seams(lines: list[str]) -> tuple[int, int]:
    """Where own words begin and end. Everything is own where the seam is uncertain."""
    seam = _seam(lines)
    if seam == len(lines):
        return 0, seam
    if not any(line.strip() for line in lines[:seam]):
        return _below(lines, seam), len(lines)
    if _answers_between(lines[seam:]):
        return 0, len(lines)
    while seam and (not lines[seam - 1].strip() or _DASHES.match(lines[seam - 1])):
        seam -= 1
    return 0, seam


def _seam(lines: list[str]) -> int:
    """Number of the first line that is quotation; the number of lines if there is none."""
    for at, line in enumerate(lines):
        if _DIVIDER.match(line) or _wrote(lines, at) or _header_block(lines, at):
            return at
        if _is_quoted(line) and all(not each.strip() or _is_quoted(each) for each in lines[at : at + 3]):
            return at
    return len(lines)


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
        if _WROTE.search(joined.rstrip()):
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


def _answers_between(rest: list[str]) -> bool:
    """True if own lines stand after lines quoted with ``>``."""
    quoted = False
    for line in rest:
        bare = line.strip()
        if bare.startswith(">"):
            quoted = True
        elif bare and quoted:
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
    """An HTML body as text; what programs mark as quotation begins with ``> ``. Never raises."""
    try:
        root = html.document_fromstring(document.encode("utf-8", "replace"), parser=html.HTMLParser(encoding="utf-8"))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return ""
    return _Flow().of(root)


class _Flow:
    """Walks a tree and writes lines."""

    def __init__(self) -> None:
        self._lines: list[str] = [""]
        self._depth = 0
        self._silent = 0

    def of(self, root: html.HtmlElement) -> str:
        for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
            if event == "start":
                self._start(element)
            elif event == "end":
                self._end(element)
            else:
                self._say(element.tail)
        text = "\n".join(line.rstrip() for line in self._lines)
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
        self._say(element.text)

    def _end(self, element: html.HtmlElement) -> None:
        tag = str(element.tag).lower()
        if tag in _SILENT:
            self._silent -= 1
        else:
            if tag in _BLOCKS and tag != "br":
                self._break()
            if _quotes(element, tag):
                self._depth -= 1
                self._break()
            if tag == "p":
                self._lines.append("")
        self._say(element.tail)

    def _break(self) -> None:
        if self._lines[-1].strip("> "):
            self._lines.append("")

    def _say(self, words: str | None) -> None:
        if not words or self._silent:
            return
        flat = re.sub(r"[ \t\r\n\u00a0]+", " ", words)
        if not self._lines[-1]:
            flat = flat.lstrip()
            if flat and self._depth:
                flat = "> " + flat
        self._lines[-1] += flat


def _quotes(element: html.HtmlElement, tag: str) -> bool:
    if tag in _QUOTING:
        return True
    marks = f"{element.get('class', '')} {element.get('id', '')}".lower()
    return any(mark in marks for mark in _QUOTING_MARKS)
