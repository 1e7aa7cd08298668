"""A centre over real sockets: lines that are awaited or called, what breaks them, and the commands it takes."""

import asyncio
import json
import socket
import threading

import pytest
from centre_rig import PARTNERS, partner_named
from socket_rig import HOST, WAIT_S, LineSocket, Served, serving
from words_rig import no_object, unfit

from schemas.telegrams import DecodeError, FramingError, Outcome, Role
from simulator.centre import Centre
from simulator.commands import _BY_NAME
from simulator.control import Control, ControlError
from simulator.deeds import Deed
from simulator.rules import Rule, Rules
from simulator.server import Addresses, CentreServer

BEHAVE = {"do": "decline", "role": "sale_request", "amount": 4_000}


def listener() -> socket.socket:
    """A gateway that awaits the partner's call."""
    return socket.create_server((HOST, 0))


def called(partner: str, awaiting: socket.socket) -> LineSocket:
    awaiting.settimeout(WAIT_S)
    return LineSocket(partner_named(partner), awaiting.accept()[0])


# --- lines ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_line_that_is_awaited_is_opened_used_and_closed(partner: str) -> None:
    with serving(partner) as centre, centre.line(opened=False) as line:
        assert centre.control.ping() == {"partner": partner, "listen": [centre.port], "open": []}
        assert line.ask(Role.OPENING_REQUEST).role is Role.OPENING_ANSWER
        assert centre.control.ping()["open"] == ["DNB00001"]
        assert line.ask(Role.KEEPALIVE_REQUEST).role is Role.KEEPALIVE_ANSWER
        report = line.ask(Role.SALE_REQUEST, trace_number=1, route_number=1)
        assert line.partner.classify(report) is Outcome.APPROVED
        assert line.ask(Role.CLOSING_REQUEST).role is Role.CLOSING_ANSWER
        assert centre.control.ping()["open"] == []
        assert centre.control.balance() == 1_200
        assert centre.control.violations() == []


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_line_that_is_called_is_called_again_when_it_broke(partner: str) -> None:
    with listener() as awaiting, serving(partner, listen=0, dial=(awaiting.getsockname(),)) as centre:
        for _ in range(2):
            with called(partner, awaiting) as line:
                assert line.ask(Role.OPENING_REQUEST).role is Role.OPENING_ANSWER
                assert centre.control.ping()["open"] == ["DNB00001"]
                centre.control.drop_lines()
                assert line.has_ended()
        with called(partner, awaiting):
            assert centre.control.ping()["listen"] == []


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_line_that_has_a_connection_is_called_a_second_time_when_that_is_ordered(partner: str) -> None:
    with listener() as awaiting, serving(partner, listen=0, dial=(awaiting.getsockname(),)) as centre:
        port = awaiting.getsockname()[1]
        with called(partner, awaiting) as first:
            first.ask(Role.OPENING_REQUEST)
            assert centre.control.call_again(port) == 1
            with called(partner, awaiting) as second:
                second.ask(Role.OPENING_REQUEST)
                assert first.has_ended(), "the station is open on one connection only"
                assert centre.control.ping()["open"] == ["DNB00001"]


def test_what_the_centre_does_not_call_it_does_not_call_again() -> None:
    with serving("cafis") as centre, pytest.raises(ControlError) as caught:
        centre.control.call_again(9)
    assert str(caught.value) == "call_again: no line is called at port 9: the centre calls no line at all"


def test_a_line_is_called_until_somebody_is_there() -> None:
    with listener() as awaiting:
        address = awaiting.getsockname()
    with serving("cafis", listen=0, dial=(address,)), socket.create_server(address) as later:
        called("cafis", later).close()


def test_several_lines_have_each_their_own_station_and_numbers() -> None:
    with serving("cafis") as centre, centre.line("DNB00001") as one, centre.line("DNB00002") as two:
        for line in (one, two):
            report = line.ask(Role.SALE_REQUEST, trace_number=1, route_number=1)
            assert line.partner.classify(report) is Outcome.APPROVED
        assert centre.control.ping()["open"] == ["DNB00001", "DNB00002"]
        assert [row["station"] for row in centre.control.ledger()] == ["DNB00001", "DNB00002"]
        centre.control.drop_lines("DNB00002")
        assert two.has_ended()
        centre.control.wait_for(lambda: centre.control.ping()["open"] == ["DNB00001"])
        assert one.ask(Role.KEEPALIVE_REQUEST).role is Role.KEEPALIVE_ANSWER


def test_a_centre_can_await_lines_on_several_ports() -> None:
    with serving("cafis", listen=2) as centre:
        assert len(set(centre.server.listen_ports)) == 2
        for port in centre.server.listen_ports:
            with LineSocket(centre.partner, socket.create_connection((HOST, port), WAIT_S)) as line:
                assert line.ask(Role.OPENING_REQUEST).role is Role.OPENING_ANSWER


def test_a_newer_connection_of_a_station_replaces_the_older_one() -> None:
    with serving("cafis") as centre, centre.line() as older, centre.line() as newer:
        assert older.has_ended()
        assert newer.ask(Role.KEEPALIVE_REQUEST).role is Role.KEEPALIVE_ANSWER
        assert centre.control.ping()["open"] == ["DNB00001"]
        assert centre.control.counters()["replaced_connections"] == 1


def test_a_station_that_comes_back_after_its_line_broke_replaces_nothing() -> None:
    with serving("cafis") as centre:
        centre.line().close()
        centre.control.wait_for(lambda: not centre.server.connections)
        with centre.line() as line:
            assert line.ask(Role.KEEPALIVE_REQUEST).role is Role.KEEPALIVE_ANSWER
        assert "replaced_connections" not in centre.control.counters()


@pytest.mark.parametrize("partner", PARTNERS)
def test_telegrams_may_come_in_pieces_or_many_at_once(partner: str) -> None:
    with serving(partner) as centre, centre.line() as line:
        numbers = range(1, 31)
        data = b"".join(line.framed(Role.SALE_REQUEST, trace_number=each, route_number=each) for each in numbers)
        line.put(data[:7])
        line.put(data[7:500])
        line.put(data[500:])
        assert [line.hear().values["trace_number"] for _ in numbers] == list(numbers)


@pytest.mark.parametrize("partner", PARTNERS)
def test_what_cannot_be_cut_into_telegrams_breaks_the_line_after_what_came_before_it(partner: str) -> None:
    with serving(partner) as centre, centre.line() as line:
        line.put(line.framed(Role.SALE_REQUEST, trace_number=1, route_number=1) + bytes(20))
        line.wait_end()  # the report may come before it, or be lost with the line
        (violation,) = centre.control.violations()
        assert (violation["broken"], violation["station"]) == ("not_a_telegram", "DNB00001")
        assert centre.control.balance() == 1_200


def test_what_means_nothing_is_written_down_and_the_line_goes_on() -> None:
    with serving("cafis") as centre, centre.line() as line:
        line.put(line.partner.framing.wrap(b"7777 and so on"))
        assert line.ask(Role.KEEPALIVE_REQUEST).role is Role.KEEPALIVE_ANSWER
        assert [each["broken"] for each in centre.control.violations()] == ["not_a_telegram"]


# --- deeds that only a socket can show --------------------------------------------------------------------------------


@pytest.mark.parametrize("partner", PARTNERS)
def test_drop_breaks_the_line_and_nothing_after_it_is_read(partner: str) -> None:
    with serving(partner, Rule(do=Deed.DROP, amount=1)) as centre, centre.line() as line:
        both = [line.framed(Role.SALE_REQUEST, trace_number=each, route_number=each, amount=each) for each in (1, 2)]
        line.put(b"".join(both))
        assert line.has_ended()
        assert [row["trace_number"] for row in centre.control.ledger()] == [1]


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_late_answer_comes_after_those_of_later_telegrams(partner: str) -> None:
    with serving(partner, Rule(do=Deed.LATE, amount=1, after_ms=1)) as centre, centre.line() as line:
        line.put(
            line.framed(Role.SALE_REQUEST, trace_number=1, route_number=1, amount=1)
            + line.framed(Role.SALE_REQUEST, trace_number=2, route_number=2, amount=2)
        )
        assert [line.hear().values["trace_number"] for _ in range(2)] == [2, 1]
        assert [row["answers"] for row in centre.control.ledger()] == [1, 1]


def test_a_late_answer_is_lost_with_its_line() -> None:
    with serving("cafis", Rule(do=Deed.LATE, role=Role.SALE_REQUEST, after_ms=50)) as centre:
        with centre.line() as line:
            line.send(Role.SALE_REQUEST, trace_number=1, route_number=1)
            centre.control.wait_for(centre.control.ledger)
        with centre.line() as line:
            line.send(Role.SALE_REQUEST, trace_number=2, route_number=2)
            assert line.hear().values["trace_number"] == 2
        assert [row["answers"] for row in centre.control.ledger()] == [0, 1]


@pytest.mark.parametrize("partner", PARTNERS)
def test_garbage_and_noise_are_bytes_on_the_line(partner: str) -> None:
    rules = Rule(do=Deed.GARBAGE, amount=1), Rule(do=Deed.NOISE, amount=2)
    with serving(partner, *rules) as centre, centre.line() as line:
        deframer = line.partner.framing.deframer()
        line.send(Role.SALE_REQUEST, trace_number=1, route_number=1, amount=1)
        (payload,) = deframer.feed(line.hear_bytes())
        with pytest.raises(DecodeError):
            line.partner.decode(payload)
        line.send(Role.SALE_REQUEST, trace_number=2, route_number=2, amount=2)
        with pytest.raises(FramingError):
            deframer.feed(line.hear_bytes())
        assert centre.control.balance() == 3


def test_twice_is_heard_twice() -> None:
    with serving("cafis", Rule(do=Deed.TWICE)) as centre, centre.line() as line:
        line.send(Role.SALE_REQUEST, trace_number=1, route_number=1)
        assert line.hear() == line.hear()
        assert centre.control.counters()["sale_report"] == 2


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partner", PARTNERS)
def test_behaviours_are_given_and_taken_back_while_it_runs(partner: str) -> None:
    with serving(partner) as centre, centre.line() as line:
        centre.control.behave(**BEHAVE)
        centre.control.behave(do="turn_round", amount=(1, 9), times=1)
        assert centre.control.rules() == [{"do": "turn_round", "amount": [1, 9], "times": 1}, BEHAVE]
        outcomes = []
        for number, amount in enumerate((4_000, 5, 3_999), 1):
            report = line.ask(Role.SALE_REQUEST, trace_number=number, route_number=1, amount=amount)
            outcomes.append(line.partner.classify(report))
        assert outcomes == [Outcome.DECLINED, Outcome.TURNED_ROUND, Outcome.APPROVED]
        centre.control.clear()
        assert centre.control.rules() == []
        report = line.ask(Role.SALE_REQUEST, trace_number=9, route_number=1, amount=4_000)
        assert line.partner.classify(report) is Outcome.APPROVED


def test_ledger_and_story_are_asked_for_by_their_fields() -> None:
    with serving("cafis") as centre, centre.line() as line:
        for number in (1, 2):
            line.ask(Role.SALE_REQUEST, trace_number=number, route_number=1, reference=f"A{number}")
        control = centre.control
        assert [row["trace_number"] for row in control.ledger(reference="A2", stands=True)] == [2]
        assert control.ledger(reference="A3") == []
        assert [told["trace_number"] for told in control.story(role="sale_report")] == [1, 2]
        (last,) = control.story(since=6)
        assert (last["number"], last["way"], last["role"], last["type_code"]) == (6, "←", "sale_report", "1120")
        assert "CAFIS（NTTデータ） 1120 売上報告 sale_report" in last["text"]


def test_counters_are_by_role_and_tell_the_centres_own_telegrams_apart() -> None:
    with serving("cafis") as centre, centre.line() as line:
        line.ask(Role.KEEPALIVE_REQUEST)
        assert centre.control.keepalive() == 1
        asked = line.hear()
        assert asked.role is Role.KEEPALIVE_REQUEST
        line.send(Role.KEEPALIVE_ANSWER, trace_number=asked.values["trace_number"])
        line.ask(Role.KEEPALIVE_REQUEST)
        assert centre.control.counters() == {
            "opening_request": 1, "opening_answer": 1, "keepalive_request": 2, "keepalive_answer": 2,
            "own_keepalive_request": 1, "own_keepalive_answer": 1, "not_arrived": 0,
        }  # fmt: skip


def test_a_keepalive_is_sent_on_open_lines_only() -> None:
    with serving("cafis") as centre, centre.line("DNB00001", opened=False) as shut, centre.line("DNB00002") as line:
        assert centre.control.keepalive() == 1
        asked = line.hear()
        assert (asked.role, asked.values["station_id"]) == (Role.KEEPALIVE_REQUEST, "DNB00002")
        assert shut.ask(Role.OPENING_REQUEST).role is Role.OPENING_ANSWER  # nothing came before it


@pytest.mark.parametrize("partner", PARTNERS)
def test_each_keepalive_of_the_centre_that_was_answered_is_timed_by_station(partner: str) -> None:
    with serving(partner) as centre, centre.line("DNB00001") as one, centre.line("DNB00002") as two:
        for _ in range(2):
            assert centre.control.keepalive() == 2
        heard = {line: [line.hear(), line.hear()] for line in (one, two)}
        assert centre.control.keepalive_times() == []
        for line, count in ((one, 2), (two, 1)):
            for asked in heard[line][:count]:
                line.send(Role.KEEPALIVE_ANSWER, trace_number=asked.values["trace_number"])
            assert line.ask(Role.KEEPALIVE_REQUEST).role is Role.KEEPALIVE_ANSWER  # what came before it was taken
        times = centre.control.keepalive_times()
        assert [row["station"] for row in times] == ["DNB00001", "DNB00001", "DNB00002"]
        assert all(row["ms"] >= 0 for row in times)


@pytest.mark.parametrize("partner", PARTNERS)
def test_stations_are_closed_by_the_centre(partner: str) -> None:
    with serving(partner) as centre, centre.line() as line:
        assert centre.control.close_stations() == 1
        asked = line.hear()
        assert asked.role is Role.CLOSING_REQUEST
        line.send(Role.CLOSING_ANSWER, trace_number=asked.values["trace_number"])
        assert line.has_ended()
        assert centre.control.ping()["open"] == []
        assert centre.control.violations() == []


def test_openings_are_refused_as_long_as_they_shall_be() -> None:
    with serving("cafis") as centre, centre.line(opened=False) as line:
        centre.control.refuse_opening(refuse=True)
        assert line.partner.classify(line.ask(Role.OPENING_REQUEST)) is Outcome.DECLINED
        assert centre.control.ping()["open"] == []
        centre.control.refuse_opening(refuse=False)
        assert line.partner.classify(line.ask(Role.OPENING_REQUEST)) is Outcome.APPROVED


def test_no_connection_is_taken_while_it_does_not_listen_and_those_there_go_on() -> None:
    with serving("cafis", listen=2) as centre, centre.line() as line:
        ports = list(centre.server.listen_ports)
        centre.control.stop_listening()
        centre.control.stop_listening()
        for port in ports:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HOST, port), WAIT_S)
        assert line.ask(Role.KEEPALIVE_REQUEST).role is Role.KEEPALIVE_ANSWER
        centre.control.listen_again()
        centre.control.listen_again()
        assert centre.control.ping()["listen"] == ports
        centre.line("DNB00002").close()


def test_nobody_is_called_while_it_does_not_listen_and_a_called_line_goes_on() -> None:
    with listener() as awaiting, serving("cafis", listen=0, dial=(awaiting.getsockname(),)) as centre:
        with called("cafis", awaiting) as line:
            centre.control.stop_listening()
            assert centre.server._dialling == []
            assert line.ask(Role.OPENING_REQUEST).role is Role.OPENING_ANSWER
            centre.control.listen_again()
            centre.control.listen_again()
            assert line.ask(Role.KEEPALIVE_REQUEST).role is Role.KEEPALIVE_ANSWER  # nor called a second time
            assert len(centre.server._dialling) == len(centre.server.connections) == 1
        called("cafis", awaiting).close()


def test_a_port_that_was_taken_meanwhile_is_said_and_can_be_tried_again() -> None:
    with serving("cafis") as centre:
        centre.control.stop_listening()
        with socket.create_server((HOST, centre.port)):
            with pytest.raises(ControlError) as caught:
                centre.control.listen_again()
            place = f"--listen {HOST}:{centre.port}"
            assert str(caught.value) == f"listen_again: {place}: Address already in use: choose another address"
        centre.control.listen_again()
        centre.line().close()


# --- wrong commands -------------------------------------------------------------------------------------------------

COMMANDS = (
    "balance, behave, call_again, clear, close_stations, counters, drop_lines, event, keepalive, keepalive_times, "
    "ledger, listen_again, ping, record, refuse_opening, rules, scenarios, state, stop_listening, story, suspicions, "
    "telegrams, use, violations"
)
WRONG = [
    (b"hello\n", f'not a JSON object: {no_object(b"hello")}: send {{"do": …}}'),
    (b"[1]\n", f'not a JSON object: {no_object(b"[1]")}: send {{"do": …}}'),
    (b"{}\n", f"unknown command None: use one of: {COMMANDS}"),
    (b'{"do": ["ping"]}\n', f"unknown command ['ping']: use one of: {COMMANDS}"),
    (b'{"do": "clera"}\n', "unknown command 'clera': did you mean clear?"),
    (b'{"do": "explode"}\n', f"unknown command 'explode': use one of: {COMMANDS}"),
    (b'{"do": "clear", "all": true}\n', "unknown name 'all': use one of: partner"),
    (b'{"do": "behave"}\n', unfit(_BY_NAME["behave"], {})),
    (b'{"do": "behave", "rule": 7}\n', unfit(_BY_NAME["behave"], {"rule": 7})),
    (
        b'{"do": "behave", "rule": {"do": "silent", "times": 0}}\n',
        "rule: times: must be at least 1, or left out for always",
    ),
    (b'{"do": "refuse_opening"}\n', unfit(_BY_NAME["refuse_opening"], {})),
    (
        b'{"do": "refuse_opening", "refuse": "no"}\n',
        unfit(_BY_NAME["refuse_opening"], {"refuse": "no"}),
    ),
    (b'{"do": "story", "since": "1"}\n', unfit(_BY_NAME["story"], {"since": "1"})),
]


@pytest.mark.parametrize(("line", "problem"), WRONG, ids=[line.decode().strip() for line, _ in WRONG])
def test_a_wrong_command_is_answered_by_what_is_wrong_and_changes_nothing(line: bytes, problem: str) -> None:
    with serving("cafis", Rule(do=Deed.SILENT)) as centre:
        before = (centre.control.rules(), centre.control.ping(), centre.server.centre.conduct.refuse_opening)
        with socket.create_connection((HOST, centre.server.control_port), WAIT_S) as raw, raw.makefile("rb") as answers:
            raw.sendall(line)
            assert json.loads(answers.readline()) == {"error": problem}
            raw.sendall(b'{"do": "balance"}\n')
            assert json.loads(answers.readline()) == {"ok": 0}
        assert (centre.control.rules(), centre.control.ping(), centre.server.centre.conduct.refuse_opening) == before


def test_a_command_without_an_end_is_not_read_for_ever() -> None:
    with serving("cafis") as centre:
        with socket.create_connection((HOST, centre.server.control_port), WAIT_S) as raw:
            try:
                for _ in range(64):
                    raw.sendall(b"x" * 65_536)
                assert raw.recv(1) == b""
            except (ConnectionResetError, BrokenPipeError):
                pass
        assert centre.control.balance() == 0


# --- the client of the control port ---------------------------------------------------------------------------------


def test_the_control_raises_what_the_centre_says() -> None:
    with serving("cafis") as centre:
        with pytest.raises(ControlError) as caught:
            centre.control.behave(do="decline", code="D99")
        assert str(caught.value) == "behave: rule: code: cafis has no code 'D99': see its partner.toml"
        assert centre.control.rules() == []


def test_the_control_says_that_nobody_is_there() -> None:
    with listener() as awaiting:
        port = awaiting.getsockname()[1]
    with pytest.raises(ControlError) as caught:
        Control(HOST, port)
    assert str(caught.value) == f"no centre takes commands at {HOST}:{port}: Connection refused"


def test_the_control_says_that_the_centre_has_gone() -> None:
    with serving("cafis") as centre:
        control = Control(HOST, centre.server.control_port)
        assert control.balance() == 0
    with control, pytest.raises(ControlError, match=r"^balance: the centre (has gone|does not answer: .*)$"):
        control.balance()


def test_a_closed_control_says_so() -> None:
    with serving("cafis") as centre:
        control = Control(HOST, centre.server.control_port)
        control.close()
        with pytest.raises(ControlError, match=r"^balance: the centre does not answer: "):
            control.balance()


def test_threads_share_a_control() -> None:
    with serving("cafis") as centre, centre.line() as line:
        line.ask(Role.SALE_REQUEST, trace_number=1, route_number=1)
        wrong: list[object] = []

        def ask(question: str, answer: object) -> None:
            for _ in range(50):
                told = getattr(centre.control, question)()
                if told != answer:
                    wrong.append(told)

        asked = [("balance", 1_200), ("violations", []), ("keepalive", 1), ("rules", [])]
        threads = [threading.Thread(target=ask, args=each) for each in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        assert wrong == []


def test_waiting_gives_what_was_found_or_says_that_it_was_not() -> None:
    with serving("cafis", Rule(do=Deed.LATE, role=Role.SALE_REQUEST, after_ms=20)) as centre, centre.line() as line:
        line.send(Role.SALE_REQUEST, trace_number=1, route_number=1)
        (row,) = centre.control.wait_for(lambda: centre.control.ledger(answers=1))
        assert row["trace_number"] == 1
        with pytest.raises(ControlError) as caught:
            centre.control.wait_for(centre.control.violations, limit_s=0)
        assert str(caught.value) == "not seen within 0 s"


# --- start and stop -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--listen", "--control"])
def test_a_busy_port_is_said_with_the_remedy_and_nothing_is_left_open(option: str) -> None:
    async def start(server: CentreServer) -> str:
        with pytest.raises(OSError, match="choose another address") as caught:
            await server.start()
        assert caught.value.strerror is not None
        return caught.value.strerror

    with listener() as busy:
        address, free = busy.getsockname(), (HOST, 0)
        lines, control = ([free, address], free) if option == "--listen" else ([free], address)
        server = CentreServer(Centre(partner_named("cafis"), Rules()), Addresses(lines, (), control))
        told = asyncio.run(start(server))
    assert told == f"{option} {HOST}:{address[1]}: Address already in use: choose another address"
    for port in filter(None, (*server.listen_ports, server.control_port)):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port), WAIT_S)


def test_stopping_ends_lines_and_controls() -> None:
    served: Served
    with serving("cafis") as served:
        line = served.line()
        raw = socket.create_connection((HOST, served.server.control_port), WAIT_S)
        raw.sendall(b'{"do": "balance"}\n')
        assert raw.recv(100) == b'{"ok":0}\n'
    with line, raw:
        assert line.has_ended()
        assert raw.recv(1) == b""
    for port in (served.port, served.server.control_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port), WAIT_S)
