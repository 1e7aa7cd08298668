"""What an ingress's metrics show of its clients and of what they await."""

from pathlib import Path

from gateway_rig import RawClient, gateway, until
from loop_rig import in_loop


@in_loop
async def test_what_is_asked_is_counted_and_is_in_flight_until_it_is_answered(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        kept = rig.router.answer
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        await until(lambda: rig.metric("denbun_ingress_sessions") == 1, "the session")
        client.ask("r-1")
        client.ask("r-2")
        client.send(type="inquiry", reference="r-3")
        await until(lambda: rig.metric("denbun_ingress_in_flight") == 3, "three in flight")
        assert rig.metric("denbun_ingress_requests_total", customer="AP02") == 2
        assert rig.metric("denbun_ingress_inquiries_total") == 1
        rig.router.answer = kept
        reply = await client.answered("r-4")
        client.ack(reply)
        await until(lambda: rig.metric("denbun_ingress_settled_total", confirmed="true") == 1, "the confirmation")
        assert rig.metric("denbun_ingress_told_total", status="approved") == 1
        assert rig.metric("denbun_ingress_duration_seconds_count") == 1
        assert 0 <= rig.metric("denbun_ingress_duration_seconds_sum") < 60
        assert rig.metric("denbun_ingress_lag_seconds_count") >= 1
        assert 0 <= rig.metric("denbun_ingress_lag_seconds_sum") < 60
        await client.close()
        await until(lambda: rig.metric("denbun_ingress_in_flight") == 0, "nothing in flight")
        await until(lambda: rig.metric("denbun_ingress_sessions") == 0, "no session")
