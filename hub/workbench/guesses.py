"""Guesses what a member of another system's document means, by its name, Ukrainian or English. Only where it is clear:
a wrong place is worse than none, for nobody looks at it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_LATIN: Final = str.maketrans(
    {
        **dict(zip("абвгґдезийіклмнопрстуф", "abvhgdezyiiklmnoprstuf", strict=True)),
        "є": "ie",
        "ж": "zh",
        "ї": "i",
        "х": "kh",
        "ц": "ts",
        "ч": "ch",
        "ш": "sh",
        "щ": "shch",
        "ь": "",
        "ю": "iu",
        "я": "ia",
        "ё": "e",
        "ы": "y",
        "э": "e",
        "ъ": "",
    }
)
"""Letters as the Cabinet's table has them (resolution 55 of 2010), roughly."""
_SPELLINGS: Final = (
    ("shch", "sh"), ("shh", "sh"), ("sch", "sh"), ("kh", "h"), ("zgh", "zh"), ("ph", "f"), ("x", "h"), ("w", "v"),
    ("j", "i"), ("y", "i"), ("ck", "k"), ("iii", "i"), ("ii", "i"),
)  # fmt: skip
"""Spellings of one sound, brought to one: people write Ukrainian in Latin letters as they like."""
_WORDS: Final = re.compile(r"[A-ZА-ЯЄІЇҐ]+(?![a-zа-яєіїґ])|[A-ZА-ЯЄІЇҐ]?[a-zа-яєіїґ]+|\d+")
_IDLE: Final = frozenset(
    {
        *(
            "appeal",
            "applicant",
            "citizen",
            "person",
            "client",
            "request",
            "value",
            "field",
            "code",
            "the",
            "of",
            "full",
        ),
        *("zvernennia", "zaiavnyka", "zaiavnyku", "hromadianyna", "osoby", "kod", "znachennia", "fizychnoi", "zaiavy"),
    }
)
"""Words in a name that do not change what it means."""


def folded(word: str) -> str:
    """A word in Latin letters and one spelling."""
    plain = word.lower().replace("'", "").replace("’", "").replace("ʼ", "").translate(_LATIN)
    for many, one in _SPELLINGS:
        plain = plain.replace(many, one)
    return plain


def words_of(name: str) -> tuple[str, ...]:
    """Words of a member's name, however they are joined: ``dataNadkhodzhennia``, ``kod_vydu``, ``По батькові``."""
    return tuple(folded(word) for word in _WORDS.findall(re.sub(r"['’ʼ]", "", name)))


_IDLE_FOLDED: Final = frozenset(map(folded, _IDLE))


def _phrases(said: str) -> Iterable[frozenset[str]]:
    return (frozenset(words_of(phrase)) for phrase in said.split(","))


@dataclass(frozen=True, slots=True)
class PlaceGuess:
    """Place of ours. ``values``: words of ours that their words stand for; ``dated``, ``listed``: what is there."""

    path: str
    values: Mapping[str, tuple[str, ...]] | None = None
    dated: bool = False
    listed: bool = False


_KINDS: Final = {
    "application": ("заява", "клопотання", "application", "zaiava", "request"),
    "proposal": ("пропозиція", "зауваження", "proposal", "suggestion", "propozytsiia"),
    "complaint": ("скарга", "complaint", "skarha"),
}
_SIGNS: Final = {
    "primary": ("первинне", "primary", "first", "pervynne"),
    "repeated": ("повторне", "repeated", "povtorne"),
    "duplicate": ("дублетне", "duplicate", "dubletne"),
    "multiple": ("неодноразове", "multiple", "neodnorazove"),
    "mass": ("масове", "mass", "masove"),
}
_SEXES: Final = {"male": ("чоловіча", "ч", "male", "m", "чол"), "female": ("жіноча", "ж", "female", "f", "жін")}
_TYPES: Final = {
    "individual": ("індивідуальне", "individual", "фізична особа"),
    "collective": ("колективне", "collective"),
}
_CHANNELS: Final = {
    "phone": ("телефон", "phone", "call", "дзвінок"),
    "web": ("сайт", "web", "site", "портал"),
    "mobile": ("мобільний застосунок", "mobile", "app"),
    "email": ("електронна пошта", "email"),
    "contact_centre": ("контактний центр", "contact centre", "call center"),
    "post": ("пошта", "лист", "post", "letter"),
}
_CALLED: Final[Mapping[str, PlaceGuess]] = {
    "request id,message id,external id,correlation id,guid,uuid,zovnishnii id,zovnishnii identyfikator,"
    "id zapytu,identyfikator povidomlennia": PlaceGuess("$message_id"),
    "case id,id spravy": PlaceGuess("$case_id"),
    "reference,reference number,our number,nomer zvernennia,zovnishnii nomer": PlaceGuess("$body.reference"),
    "kind,appeal kind,appeal type,vyd,vyd zvernennia,vydu,typ zvernennia,кодвиду": PlaceGuess("$body.kind", _KINDS),
    "sign,oznaka nadkhodzhennia": PlaceGuess("$body.sign", _SIGNS),
    "source,channel,dzherelo,kanal,sposib nadkhodzhennia,"
    "dzherelo nadkhodzhennia": PlaceGuess("$body.channel", _CHANNELS),
    "received,received at,receipt date,date received,submitted at,submission date,appeal date,data,data nadkhodzhennia,"
    "data zvernennia,data podannia,data otrymannia,date": PlaceGuess("$body.received_at", dated=True),
    "text,content,appeal text,body,message,tekst,zmist,sut,tekst zvernennia,zmist zvernennia,sut zvernennia":
        PlaceGuess("$body.text"),
    "subject,title,short content,summary,tema,zaholovok,korotkyi zmist,predmet": PlaceGuess("$body.subject"),
    "topics,topic,category,theme,tematyka,katehoriia,rubryka,pytannia": PlaceGuess("$body.topics", listed=True),
    "place,location,event place,mistse,mistse podii,mistse problemy": PlaceGuess("$body.place_text"),
    "territory,katottg,katotth,koatuu,terytoriia": PlaceGuess("$body.place"),
    "operator notes,notes,prymitka,prymitky,notatky": PlaceGuess("$body.operator_notes"),
    "applicant type,typ zaiavnyka,subiekt zvernennia": PlaceGuess("$body.applicant.type", _TYPES),
    "collective name,nazva kolektyvu": PlaceGuess("$body.applicant.collective_name"),
    "signatories,signatures count,kilkist pidpysiv,kilkist pidpysantiv": PlaceGuess("$body.applicant.signatories"),
    "birth date,date of birth,born,birthday,data narodzhennia": PlaceGuess("$body.applicant.born", dated=True),
    "sex,gender,stat": PlaceGuess("$body.applicant.sex", _SEXES),
    "social status,sotsialnyi stan,sotsialnyi status": PlaceGuess("$body.applicant.social_status"),
    "attachments,files,attached files,dodatky,faily,vkladennia,"
    "prykripleni faily": PlaceGuess("$attachments", listed=True),
    "original,sealed,signed original,oryhinal": PlaceGuess("$sealed"),
    "reply url,callback url,callback": PlaceGuess("$reply_url"),
}  # fmt: skip
_PERSON: Final[Mapping[str, PlaceGuess]] = {
    "surname,last name,family name,prizvyshche,prizvysche": PlaceGuess("name.surname"),
    "first name,given name,given,imia,іменя,im ia,ім я": PlaceGuess("name.given"),
    "patronymic,middle name,second name,po batkovi,pobatkovi": PlaceGuess("name.patronymic"),
    "pib,fio,full name,applicant name,name full,прізвище імя по батькові": PlaceGuess("name"),
    "address,residence,postal address,adresa,adresa prozhyvannia,mistse prozhyvannia,poshtova adresa":
        PlaceGuess("address.text"),
    "postcode,post code,zip,zip code,postal code,indeks,poshtovyi indeks": PlaceGuess("address.postcode"),
    "phone,phones,phone number,telephone,tel,mobile phone,telefon,telefony,nomer telefonu,mobilnyi telefon":
        PlaceGuess("contacts.phones", listed=True),
    "email,emails,e mail,mail,mailbox,elektronna poshta,elektronna adresa,poshta":
        PlaceGuess("contacts.emails", listed=True),
}  # fmt: skip
_FILE: Final[Mapping[str, PlaceGuess]] = {
    "name,file name,title,nazva,imia failu,nazva failu,imia": PlaceGuess("$item.name"),
    "content,data,base 64,base64,file,body,vmist,dani,file content,fail": PlaceGuess("$item.content"),
    "sha256,sha 256,hash,checksum,digest,khesh,heshsuma": PlaceGuess("$item.sha256"),
    "size,length,file size,rozmir": PlaceGuess("$item.size"),
    "media type,mime type,mime,content type,type,typ": PlaceGuess("$item.media_type"),
    "description,note,opys,prymitka": PlaceGuess("$item.description"),
    "cid,content id,href": PlaceGuess("$item.cid"),
}  # fmt: skip
_ANSWER: Final[Mapping[str, PlaceGuess]] = {
    "status,state,code,result code,return code,error code,stan,statusu,kod pomylky": PlaceGuess("status"),
    "request id,message id,external id,correlation id,zovnishnii id": PlaceGuess("echo"),
    "id,document id,doc id,registration id,id dokumenta,identyfikator": PlaceGuess("id"),
    "number,registration number,reg number,nomer,reiestratsiinyi nomer,vkhidnyi nomer": PlaceGuess("number"),
    "date,registration date,reg date,data,data reiestratsii": PlaceGuess("date"),
    "message,error message,description,note,comment,opys,pomylka,povidomlennia,prymitka": PlaceGuess("note"),
}
_REPRESENTATIVES: Final = frozenset(map(folded, ("representative", "predstavnyk", "представник")))


_AROUND: Final = frozenset(
    folded(word)
    for word in (
        *("appeal", "request", "body", "data", "document", "payload", "card", "info", "root", "content", "form", "row"),
        *("applicant", "person", "citizen", "client", "contact", "contacts", "address", "name", "personal", "author"),
        *("zvernennia", "zaiava", "zapyt", "dani", "dokument", "kartka", "forma", "vmist", "avtor", "avtory"),
        *("zaiavnyk", "hromadianyn", "osoba", "kontakty", "kontakt", "adresa", "pib", "personalni"),
    )
)
"""Words of objects in which a member means the appeal or its applicant; in any other it may mean somebody else."""


def _table(said: Mapping[str, PlaceGuess], under: str = "") -> dict[frozenset[str], PlaceGuess]:
    made: dict[frozenset[str], PlaceGuess] = {}
    for phrases, guess in said.items():
        where = f"{under}{guess.path}"
        for phrase in _phrases(phrases):
            made.setdefault(phrase, PlaceGuess(where, guess.values, guess.dated, guess.listed))
    return made


_APPLICANT_TABLE: Final = {**_table(_CALLED), **_table(_PERSON, "$body.applicant.")}
_REPRESENTATIVE_TABLE: Final = _table(_PERSON, "$body.representative.")
_FILE_TABLE: Final = _table(_FILE)
_ANSWER_TABLE: Final = _table(_ANSWER)


def of_request(name: str, around: Iterable[str] = (), beside: Iterable[str] = ()) -> PlaceGuess | None:
    """Place of an appeal that a member of this name is for. ``around``: names of the members that it stands in;
    ``beside``: of those beside it.
    """
    outer = {word for each in around for word in words_of(each)}
    of_representative = bool(outer & _REPRESENTATIVES)
    if outer - _AROUND - _IDLE_FOLDED - _REPRESENTATIVES:
        return None
    table = _REPRESENTATIVE_TABLE if of_representative else _APPLICANT_TABLE
    if words_of(name) == ("name",) and any(_is_surname(table, each) for each in beside):
        name = "given name"
    return _found(table, name)


def _is_surname(table: Mapping[frozenset[str], PlaceGuess], name: str) -> bool:
    found = _found(table, name)
    return found is not None and found.path.endswith(".surname")


def of_file(name: str) -> PlaceGuess | None:
    """Place of a file (``$item``) that a member of this name is for."""
    return _found(_FILE_TABLE, name)


def of_answer(name: str) -> str | None:
    """Member of an answer's mapping that a member of this name is."""
    found = _found(_ANSWER_TABLE, name)
    return None if found is None else found.path


def of_word(values: Mapping[str, tuple[str, ...]], theirs: str) -> str | None:
    """The word of ours that a word of theirs stands for."""
    said = frozenset(words_of(theirs)) - _IDLE_FOLDED
    for ours, known in values.items():
        if said and any(said == frozenset(words_of(each)) for each in known):
            return ours
    return None


def of_words(theirs: Sequence[str]) -> PlaceGuess | None:
    """Place of an appeal that all words of a member tell, whatever its name is."""
    for guess in _CALLED.values():
        if len(theirs) > 1 and guess.values and all(of_word(guess.values, word) for word in theirs):
            return guess
    return None


def _found(table: Mapping[frozenset[str], PlaceGuess], name: str) -> PlaceGuess | None:
    """By all words of the name, else by those that say something."""
    words = frozenset(words_of(name))
    return table.get(words) or table.get(words - _IDLE_FOLDED)
