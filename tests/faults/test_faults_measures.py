"""What a cancel service's metrics show of what it did, has and awaits."""

from cancel_rig import LINE, Rig
from service_rig import Running


def value(service: Running, name: str, **labels: str) -> float:
    return service.registry.get_sample_value(f"denbun_faults_{name}", labels) or 0.0


def test_a_cancel_is_open_until_it_has_ended_and_each_step_is_counted(rig: Rig) -> None:
    service = rig.start()
    service.measures(3, "denbun_faults_partitions")
    rig.doubt("a")
    rig.lose("b")
    service.measures(2, "denbun_faults_open_cancels")
    service.measures(1, "denbun_faults_commands_total", command="confirm")
    service.measures(1, "denbun_faults_commands_total", command="cancel")
    service.measures(1, "denbun_faults_events_total", event="request_in_doubt")
    service.measures(1, "denbun_faults_events_total", event="reply_lost")
    rig.done("a", 1)
    service.measures(1, "denbun_faults_open_cancels")
    service.measures(1, "denbun_faults_ended_total", end="cancelled", partner="cafis")
    rig.silent("b", 1)
    service.measures(1, "denbun_faults_events_total", event="silent")
    service.measures(4, "denbun_faults_records_total")
    assert value(service, "open_cancels") == 1
    assert value(service, "lag_seconds_count") > 0
    assert 0 <= value(service, "lag_seconds_sum") < 60  # seconds: of milliseconds it would be thousands


def test_what_a_person_has_is_counted_by_partner_and_reason_until_it_is_closed(rig: Rig) -> None:
    service = rig.start()
    for name in "ab":
        rig.doubt(name)
    service.measures(2, "denbun_faults_open_cancels")
    for name in "ab":
        rig.in_error(name, 1)
    service.measures(2, "denbun_faults_attention", partner="cafis", reason="error_report C01")
    service.measures(2, "denbun_faults_ended_total", end="attention", partner="cafis")
    service.measures(0, "denbun_faults_open_cancels")
    rig.done("a", 1)
    service.measures(1, "denbun_faults_attention", partner="cafis", reason="error_report C01")


def test_a_service_that_follows_shows_what_it_read_back_and_one_that_ends_owns_nothing(rig: Rig) -> None:
    first = rig.start()
    for name in "abc":
        rig.doubt(name)
    first.measures(3, "denbun_faults_open_cancels")
    first.stop()
    assert value(first, "partitions") == 0
    following = rig.start("n2")
    following.measures(3, "denbun_faults_restored_total")
    following.measures(3, "denbun_faults_open_cancels")
    following.measures(3, "denbun_faults_partitions")
    assert len(rig.messages("dispatch")) == 3, LINE
