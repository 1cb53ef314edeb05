"""The kind of a body, guessed from its name by a list of rules; the first that fits decides, ``other`` if none does.

A guess for importers, which a reviewer corrects in the file. Routing never looks at names. The rules were tried on the
3,823 names of the SEV list; what they leave open is counted in the importer's report.
"""

from __future__ import annotations

import re
from typing import Final

from hub.schemas.directory import AuthorityKind

_APOSTROPHES = str.maketrans({"'": "’", "`": "’", "ʼ": "’", "‘": "’"})
# Latin letters typed among Ukrainian ones ("мiська рада"): seen in the official list.
_LOOK_ALIKES = str.maketrans("aceiopxyï", "асеіорхуї")
_LATIN_INSIDE = re.compile(r"(?<=[а-яіїєґ’])[a-zï](?![a-z])|(?<![a-z])[a-zï](?=[а-яіїєґ’])", re.IGNORECASE)

_REGION = r"област|район|округ|регіон|місті|\bм\.|києв"
_COUNCIL = r"(сільськ|селищн|седищн|міськ|районн|обласн)\w*\.? ?рад|міськрад|\b[смо]/ ?р|\bср$|територіальн\w+ громад"

_RULES: Final[tuple[tuple[AuthorityKind, str], ...]] = (
    (AuthorityKind.PRESIDENT, r"^офіс президента|^адміністрація президента"),
    (AuthorityKind.PARLIAMENT, r"верховної ради україни|^верховна рада україни"),
    (AuthorityKind.CABINET, r"^кабінет міністрів україни$|^секретаріат кабінету міністрів"),
    (AuthorityKind.NATIONAL_BANK, r"^національний банк україни$"),
    (AuthorityKind.CONTACT_CENTRE, r"контактний центр"),
    (AuthorityKind.SERVICE_CENTRE, r"цнап|адміністративних послуг"),
    (AuthorityKind.STATE_ENTERPRISE, r"підприємство|товариство|^\"?(дп|тов|пат|ат|кп|прат)\b|акціонерн|холдинг"),
    (AuthorityKind.PROSECUTION, r"прокуратур|офіс генерального прокурора"),
    (AuthorityKind.COURT, r"\bсуд$|^(верховний|конституційний|апеляційний) суд"),
    (
        AuthorityKind.LAW_ENFORCEMENT,
        r"національн\w+ поліці|^гунп|^служба безпеки україни|служби безпеки україни|антикорупційне бюро"
        r"|бюро розслідувань|бюро економічної безпеки|прикордонн\w+ служб|прикордонний загін|національн\w+ гварді",
    ),
    (AuthorityKind.LOCAL_ADMINISTRATION, r"державн\w+ адміністраці|держадміністрац|військово-цивільн|\b[ор]да\b|кмда"),
    (AuthorityKind.LOCAL_SELF_GOVERNMENT, rf"{_COUNCIL}|^викон(авчий|\.|ком)?\b"),
    (
        AuthorityKind.COLLEGIAL,
        r"^національна комісія|^антимонопольний комітет україни$|^рахункова палата$|^вища рада правосуддя$"
        r"|^центральна виборча комісія|^національна рада|^комісія з регулювання",
    ),
    (
        AuthorityKind.TERRITORIAL,
        r"^([\w’-]+ )?(головне |об’єднане )?управління (державної|держ|дпс|пенсійного|національної соц|статистики)"
        r"|^головне управління нацсоц|^[\w’-]+ обласне управління лісового|^[\w’-]+ офіс держаудитслужби"
        r"|міжрегіональн\w+ управління|^регіональне відділення|^(гу|рв) "
        rf"|^державна екологічна інспекція.*({_REGION})|митниця|^управління служби",
    ),
    (
        AuthorityKind.CENTRAL,
        r"^міністерство|^національне агентство україни|^національне агентство з питань"
        rf"|^державн(а|е) ([\w-]+ )?(служба|агентство|інспекція)(?!.*({_REGION}))"
        r"|^адміністрація державн\w+ |^пенсійний фонд україни$|^фонд державного майна україни$|^державний комітет",
    ),
)
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _RULES)


def folded(name: str) -> str:
    """Name for comparing only: lower case, single blanks, one apostrophe, no look-alike letters."""
    return " ".join(name.lower().split()).translate(_APOSTROPHES).translate(_LOOK_ALIKES)


def has_latin_inside(name: str) -> bool:
    """True if a Latin letter stands directly beside a Ukrainian one."""
    return _LATIN_INSIDE.search(name) is not None


def guess(name: str) -> AuthorityKind:
    """Kind by name; ``other`` if no rule fits."""
    plain = folded(name)
    return next((kind for kind, rule in _COMPILED if rule.search(plain)), AuthorityKind.OTHER)
