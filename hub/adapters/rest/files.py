"""Files that come with an answer: in it as base64, or fetched from where it says, with the channel's credentials.

A file is fetched from the origins of the channel's own addresses, and from those that ``files_from`` names: credentials
go nowhere else. What may work later breaks the whole question, which is asked again; what cannot work (not there, too
large, no base64) costs the file and never the answer: a person hears of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from hub.adapters.answer_files import Fetched, Keep, UnfitFile, name_in, named, stored, stored_inside
from hub.adapters.mapping import SaidFile, not_understood
from hub.errors import ConfigurationError, HubError, PermanentFailure, TemporaryFailure
from hub.net.addresses import Target, parse_url
from hub.net.http import NOT_TAKEN_IN, HttpAnswer, HttpSession
from hub.schemas.envelope import MAX_ATTACHMENTS, Attachment

_NOT_LATER: Final = frozenset({400, 403, 404, 405, 406, 410, 414, 415, 451})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Fetches for one channel. ``call``: a GET with the channel's credentials; ``home``: the URL that answers came
    from; ``origins``: from where files may be fetched.
    """

    call: Callable[[HttpSession, str, float], HttpAnswer]
    session: Callable[[str], AbstractContextManager[HttpSession]]
    home: str
    origins: frozenset[tuple[str, str, int]]

    def fetch(self, said: Sequence[SaidFile], keep: Keep, until: float) -> Fetched:
        """Put the files of an answer into the store. ``until``: by ``time.monotonic``. Raises what may work later."""
        done = Fetched()
        for file in said[:MAX_ATTACHMENTS]:
            try:
                entry = self._kept(file, keep, until)
            except UnfitFile as unfit:
                done.unclear.append(not_understood("file", f"{file.name or file.url or 'without a name'}: {unfit}"))
            else:
                if all(entry.sha256 != other.sha256 for other in done.files):
                    done.files.append(entry)
        if len(said) > MAX_ATTACHMENTS:
            done.unclear.append(f"files: there are {len(said)}, and {MAX_ATTACHMENTS} were taken")
        return done

    def _kept(self, file: SaidFile, keep: Keep, until: float) -> Attachment:
        if file.data is not None or file.content is not None:
            return stored_inside(file, keep)
        assert file.url is not None
        url = self._url(file.url)
        answer = self._answer(url, until)
        name = file.name or name_in(answer.headers.get("Content-Disposition", "")) or _last_step(url)
        said = (file.media_type, answer.content_type.split(";")[0].strip().lower())
        return stored(answer.body, keep, named(name), *said)

    def _url(self, said: str) -> str:
        """The address, if credentials may go there."""
        try:
            url = urljoin(self.home, said)
            target = parse_url(url)
        except ConfigurationError as error:
            raise UnfitFile(error.message) from None
        except ValueError:
            raise UnfitFile("it names no address") from None
        if origin(target) not in self.origins:
            raise UnfitFile(f"{target.host} is no host of this channel (template.files_from)")
        return url

    def _answer(self, url: str, until: float) -> HttpAnswer:
        try:
            with self.session(url) as http:
                answer = self.call(http, url, max(until - time.monotonic(), 0.1))
        except PermanentFailure as failure:
            raise UnfitFile(failure.message) from None
        except HubError as failure:
            if failure.stable_code == "http.too_large":
                raise UnfitFile("it is larger than max_file_mb") from None
            raise
        if answer.status == 200:
            return answer
        if answer.status in _NOT_LATER or 300 <= answer.status < 400:  # a redirect is not followed
            raise UnfitFile(f"HTTP {answer.status}")
        code = "file.try_later" if answer.status in NOT_TAKEN_IN else f"file.http_{answer.status}"
        raise TemporaryFailure("A file of the answer cannot be fetched now.", code=code, http_status=answer.status)


def origin(target: Target) -> tuple[str, str, int]:
    """Scheme, host and port of an address."""
    return target.scheme, target.host.lower(), target.port


def origins(urls: Iterable[str]) -> frozenset[tuple[str, str, int]]:
    """Origins of addresses that were checked."""
    return frozenset(origin(parse_url(url)) for url in urls)


def _last_step(url: str) -> str:
    return unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
