"""Who may call a line and who owns it: what the configuration must say of it, and what it may not."""

import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from words_rig import ours

from schemas.installation import Installation, Line

RAW = tomllib.loads(
    (Path(__file__).parents[2] / "deploy" / "environments" / "development" / "denbun.toml").read_text("utf-8")
)
DIALS, LISTENS = 0, 1
TLS = {"certificate": "line.pem", "key": "line.key", "authority": "partner.pem"}


def told(line: int, **changes: Any) -> str:
    """What is wrong with the development file whose line is changed so."""
    raw = copy.deepcopy(RAW)
    raw["line"][line] |= changes
    try:
        Installation.model_validate(raw)
    except ValidationError as error:
        (fault,) = error.errors(include_url=False)
        place = ".".join(map(str, fault["loc"]))
        return f"{place}: {ours(fault)}".removeprefix(": ")
    return ""


def test_the_lines_of_the_development_file_are_those_meant_here() -> None:
    assert [line["mode"] for line in RAW["line"]] == ["dial", "listen"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_a_line_that_only_this_machine_reaches_may_be_called_by_anyone(host: str) -> None:
    assert told(LISTENS, host=host) == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.7", "gateway.example"])
def test_any_other_must_say_who_may_call_it(host: str) -> None:
    anyone = (
        f"line cardnet-1 listens on {host}, where anyone could call it: name the partner's addresses in its peers, "
        'such as peers = ["192.0.2.1"]'
    )
    assert told(LISTENS, host=host) == anyone
    assert told(LISTENS, host=host, tls=TLS) == anyone, "a certificate is shown to whoever may try"
    assert told(LISTENS, host=host, peers=["192.0.2.1", "198.51.100.0/24", "2001:db8::/32"]) == ""


@pytest.mark.parametrize("peer", ["192.0.2.1/24", "centre.example", "", "192.0.2.0/33"])
def test_a_peer_is_an_address_or_a_network(peer: str) -> None:
    assert told(LISTENS, peers=["192.0.2.1", peer]) == "line.1.peers.1: ip_any_network"


def test_a_second_call_replaces_the_first_only_where_the_caller_is_known() -> None:
    assert told(LISTENS, second_call="replace") == (
        "line cardnet-1: with second_call = 'replace' anyone could push the partner out: name the partner's addresses "
        "in its peers, or give it tls"
    )
    assert told(LISTENS, second_call="replace", peers=["127.0.0.1"]) == ""
    assert told(LISTENS, second_call="replace", tls=TLS) == ""


@pytest.mark.parametrize("change", [{"peers": ["192.0.2.1"]}, {"second_call": "replace"}])
def test_what_is_for_lines_that_are_called_is_refused_for_one_that_dials(change: dict[str, Any]) -> None:
    assert told(DIALS, **change) == "line cafis-1 dials, and nobody calls it: remove its peers and its second_call"
    assert told(DIALS, tls=TLS) == ""


def test_tls_of_a_line_always_shows_the_partners_certificate_too() -> None:
    assert told(LISTENS, tls={"certificate": "line.pem", "key": "line.key"}) == "line.1.tls.authority: missing"


# --- who owns it


def ranks(*nodes: str) -> str:
    """The names under which a, b and c join the line's group; each has a `--rank` of its own."""
    raw = RAW["line"][DIALS] | {"nodes": nodes}
    line = Line.model_validate(raw)
    return " ".join(f"{line.rank_of(node, rank)}-{node}" for rank, node in enumerate("abc", 3))


def test_the_nodes_of_a_line_own_it_in_their_order_before_any_other() -> None:
    assert ranks() == "3-a 4-b 5-c"
    assert ranks("c", "a", "b") == "1-a 2-b 0-c"
    assert ranks("c") == "1-a 1-b 0-c"
    assert ranks("node7", "b") == "2-a 1-b 2-c"


def test_as_many_nodes_have_an_order_as_can_be_compared_by_name() -> None:
    ten = [f"n{number}" for number in range(10)]
    assert told(DIALS, nodes=ten) == ""
    assert told(DIALS, nodes=[*ten, "a"]) == "line cafis-1 has 11 nodes: 10 can have an order, remove the last ones"
    line = Line.model_validate(RAW["line"][DIALS] | {"nodes": ten})
    names = [f"{line.rank_of(node, 0)}-{node}" for node in [*ten, "x"]]
    assert names == sorted(names), "one that is not named is behind them all"


def test_a_node_that_stands_twice_is_told() -> None:
    assert told(LISTENS, nodes=["a", "b", "a"]) == "line cardnet-1: a stands 2 times in its nodes: keep one"


@pytest.mark.parametrize("node", ["", "-a", "a b", "a/b", "n" * 65])
def test_what_is_no_name_of_a_node_is_told(node: str) -> None:
    assert told(DIALS, nodes=["pay1.example.jp", node]) == "line.0.nodes.1: string_pattern_mismatch"


# --- whose telegrams it carries


CARDNETS = {"partner": "cardnet", "code": "JCN1", "company_code": "06290001"}


def test_a_line_takes_the_telegrams_of_its_own_partner_and_of_those_it_carries() -> None:
    assert told(DIALS, carries=[CARDNETS]) == ""
    line = Line.model_validate(RAW["line"][DIALS] | {"carries": [CARDNETS]})
    assert line.partners == ("cafis", "cardnet")
    assert Line.model_validate(RAW["line"][DIALS]).partners == ("cafis",)


def test_a_partner_that_has_no_line_of_its_own_is_carried() -> None:
    raw = copy.deepcopy(RAW)
    del raw["line"][LISTENS]
    raw["line"][DIALS]["carries"] = [CARDNETS]
    assert [line.name for line in Installation.model_validate(raw).line] == ["cafis-1"]


@pytest.mark.parametrize(
    ("carries", "fault"),
    [
        (
            [CARDNETS | {"partner": "cafis"}],
            "line cafis-1 is cafis's, whose telegrams need no envelope: remove it from its carries",
        ),
        (
            [CARDNETS | {"partner": "jcn"}],
            "line cafis-1: there is no partner jcn to carry: one of cafis, cardnet",
        ),
        (
            [CARDNETS, CARDNETS | {"code": "JCN2"}],
            "line cafis-1: partner cardnet stands 2 times in its carries: keep one",
        ),
        (
            [CARDNETS, CARDNETS],
            (
                "line cafis-1: partner cardnet stands 2 times in its carries: keep one; "
                "line cafis-1: code JCN1 stands 2 times in its carries: keep one"
            ),
        ),
        ([{"partner": "cardnet", "code": "JCN1"}], "line.0.carries.0.company_code: missing"),
    ],
)
def test_what_a_line_cannot_carry(carries: list[dict[str, str]], fault: str) -> None:
    assert told(DIALS, carries=carries) == fault


def test_a_partner_has_no_more_lines_than_sessions_are_contracted() -> None:
    raw = copy.deepcopy(RAW)
    raw["partner"][0]["sessions_max"] = 1
    assert Installation.model_validate(raw).partner[0].sessions_max == 1
    raw["line"].append(raw["line"][DIALS] | {"name": "cafis-2", "station_id": "DNB00009"})
    with pytest.raises(ValidationError) as raised:
        Installation.model_validate(raw)
    (fault,) = raised.value.errors(include_url=False)
    assert ours(fault) == (
        "partner cafis has 2 lines, each with a session, and sessions_max is 1: "
        "remove lines, or raise it when more are contracted"
    )


def test_every_fault_of_every_line_is_told_at_once() -> None:
    raw = copy.deepcopy(RAW)
    raw["line"][DIALS]["peers"] = ["192.0.2.1"]
    raw["line"][LISTENS]["host"] = "0.0.0.0"
    raw["router"]["confirm_ms"] = 1
    with pytest.raises(ValidationError) as raised:
        Installation.model_validate(raw)
    (fault,) = raised.value.errors(include_url=False)
    begun = ("line cafis-1 dials", "; line cardnet-1 listens on 0.0.0.0", "; router.confirm_ms is 1")
    assert sorted(begun, key=fault["msg"].index) == list(begun)
