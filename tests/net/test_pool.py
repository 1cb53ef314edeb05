"""Sessions are kept between conversations, but never longer, nor for others, than is sound."""

from __future__ import annotations

import ipaddress

import pytest

from hub.errors import ConfigurationError
from hub.net import pool
from hub.net.http import HttpPolicy, HttpSession
from hub.net.pool import SessionPool
from tests.adapters.servers import answering, http, serving

LOOPBACK = HttpPolicy(allow_http=True, allow_private=(ipaddress.ip_network("127.0.0.0/8"),))
HERE, THERE = "http://127.0.0.1:1/a", "http://127.0.0.1:2/a"


class Desk:
    """A keeper whose time the test moves; knows which sessions were closed."""

    def __init__(self) -> None:
        self.time = 0.0
        self.closed: list[HttpSession] = []
        self.kept = SessionPool(self._make, lambda: self.time)

    def _make(self, policy: HttpPolicy) -> HttpSession:
        session = HttpSession(policy)
        session.close = lambda: self.closed.append(session)  # type: ignore[method-assign]
        return session

    def use(self, url: str = HERE, policy: HttpPolicy = LOOPBACK, owner: str = "one") -> HttpSession:
        """Borrow and put back."""
        with self.kept.session(url, policy, owner) as session:
            return session


def test_a_session_is_used_again_for_the_same_owner_origin_and_policy_only() -> None:
    """A channel meets its own session again; another port, another policy or another channel does not get it."""
    sink = Desk()
    first = sink.use()
    assert sink.use("http://127.0.0.1:1/other") is first
    assert sink.use(THERE) is not first
    assert sink.use(policy=HttpPolicy(allow_http=True)) is not first
    assert sink.use(owner="two") is not first
    assert sink.closed == []


def test_two_at_once_never_share() -> None:
    """A session that is in use is not lent."""
    sink = Desk()
    with sink.kept.session(HERE, LOOPBACK, "one") as one, sink.kept.session(HERE, LOOPBACK, "one") as two:
        assert one is not two
    assert sink.use() in (one, two)


@pytest.mark.parametrize("secs", [pool.IDLE_SECS, pool.AGE_SECS])
def test_idle_and_old_sessions_are_closed(secs: float) -> None:
    """After a while unused, and after a minute in all, a session is not used again."""
    sink = Desk()
    first = sink.use()
    steps = 1 if secs == pool.IDLE_SECS else round(secs)
    for _ in range(steps):
        sink.time += secs / steps
        if sink.time < secs:
            assert sink.use() is first
    assert sink.use() is not first
    assert sink.closed == [first]


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the limit, the one that was idle longest goes."""
    monkeypatch.setattr(pool, "MOST_IDLE", 2)
    sink = Desk()
    made = [sink.use(f"http://127.0.0.1:{port}/") for port in (1, 2, 3)]
    assert sink.closed == [made[0]]
    sink.kept.close()
    assert sink.closed == made


def test_a_session_that_failed_is_not_kept() -> None:
    """What broke off in the middle may have half an answer on its line."""
    sink = Desk()
    with pytest.raises(RuntimeError), sink.kept.session(HERE, LOOPBACK, "one") as session:
        raise RuntimeError
    assert sink.closed == [session]
    with pytest.raises(ConfigurationError, match=r"http\.scheme"), sink.kept.session(HERE, HttpPolicy(), "one"):
        pass


def test_a_connection_is_used_again() -> None:
    """Two conversations with one server go over one connection."""
    with serving(answering(http("200 OK"))) as server:
        kept = SessionPool()
        for _ in range(2):
            with kept.session(server.url(), LOOPBACK, "one") as session:
                assert session.call("GET", server.url(), deadline_secs=5).status == 200
        kept.close()
        assert server.connections == 1
