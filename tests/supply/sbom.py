"""``python -m tests.supply.sbom``: writes ``sbom.cdx.json`` (CycloneDX 1.6) from the lock; the wheel carries it.

The same lock makes the same bytes: no clock, no random number. Licenses are those that the installed packages state.
Files of others that stand in the source are named by ``vendored.json`` beside them.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
import uuid
from email.message import Message
from importlib import metadata
from typing import Any, cast

from tests.conftest import ROOT
from tests.supply.locks import RUNTIME, Pin, plain, read

FILE = ROOT / "sbom.cdx.json"
VENDORED = ROOT / "hub" / "api" / "page" / "vendored.json"
_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562: names that are URLs


def made() -> bytes:
    """The document."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pins = read(RUNTIME)
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    wanted = {_purl(pin): sorted(_purl(other) for other in pins if pin.name in map(plain, other.via)) for pin in pins}
    kept: list[dict[str, str]] = json.loads(VENDORED.read_bytes())
    needs = sorted([*(_purl(pin) for pin in pins if project["name"] in pin.via), *(each["purl"] for each in kept)])
    digest = hashlib.sha256(RUNTIME.read_bytes() + VENDORED.read_bytes()).hexdigest()
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "purl": own,
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": [*(_component(pin) for pin in pins), *map(_file, kept)],
        "dependencies": [
            {"ref": own, "dependsOn": needs},
            *({"ref": ref, "dependsOn": others} for ref, others in sorted(wanted.items())),
            *({"ref": each["purl"], "dependsOn": []} for each in kept),
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _purl(pin: Pin) -> str:
    return f"pkg:pypi/{pin.name}@{pin.version}"


def _component(pin: Pin) -> dict[str, Any]:
    """One package with the SHA-256 of every file of it that the lock lets in."""
    files = [{"alg": "SHA-256", "content": sha256} for sha256 in sorted(pin.files)]
    page = f"https://pypi.org/project/{pin.name}/{pin.version}/"
    told: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(pin),
        "name": pin.name,
        "version": pin.version,
        "purl": _purl(pin),
    }
    license_ = _license(pin.name)
    if license_:
        told["licenses"] = [{"expression": license_}] if _is_expression(pin.name) else [{"license": {"name": license_}}]
    told["externalReferences"] = [{"type": "distribution", "url": page, "hashes": files}]
    if pin.marker:
        told["properties"] = [{"name": "python:marker", "value": pin.marker}]
    return told


def _file(kept: dict[str, str]) -> dict[str, Any]:
    """A file of others that stands in the source."""
    return {
        "type": "library",
        "bom-ref": kept["purl"],
        "name": kept["name"],
        "version": kept["version"],
        "purl": kept["purl"],
        "hashes": [{"alg": "SHA-256", "content": kept["sha256"]}],
        "licenses": [{"license": {"id": kept["license"]}}],
        "externalReferences": [{"type": "distribution", "url": kept["source"]}],
    }


def _told(name: str) -> Message | None:
    """The metadata of an installed package, which are headers of a mail."""
    try:
        return cast("Message", metadata.metadata(name))
    except metadata.PackageNotFoundError:
        return None


def _is_expression(name: str) -> bool:
    told = _told(name)
    return told is not None and bool(told.get("License-Expression"))


def _license(name: str) -> str:
    """The license as the package states it: an expression (PEP 639), else its classifier, else the first line."""
    told = _told(name)
    if told is None:
        return ""
    classes = [each.split(" :: ") for each in told.get_all("Classifier") or () if each.startswith("License ::")]
    classified = [each[-1] for each in classes if each[-1] != "OSI Approved"]
    plainly = (told.get("License") or "").strip().split("\n")[0][:100]
    return str(told.get("License-Expression") or next(iter(classified), "") or plainly)


if __name__ == "__main__":
    FILE.write_bytes(made())
