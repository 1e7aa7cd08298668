"""A payment through the door and back: over a real socket, on the log in memory."""

from pathlib import Path

from gateway_rig import PAN, RawClient, gateway
from loop_rig import in_loop

from schemas.cards import unpack_card
from schemas.records import ReplyDelivered, RequestAccepted
from schemas.sealing import CARD


@in_loop
async def test_a_client_that_ends_its_side_of_the_stream_has_ended_its_session(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-1")
        assert (await client.receive())["type"] == "reply"
        client.end_input()
        assert await client.ended()
        await client.close()
        assert rig.records("deliveries") == []  # nothing was confirmed


@in_loop
async def test_a_request_is_stored_answered_acknowledged_and_settled(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-1")
        assert await client.receive() == {
            "type": "reply",
            "reference": "r-1",
            "delivery_no": 1,
            "confirm": True,
            "status": "approved",
            "approval_code": "A12345",
            "result_code": "000",
            "trace_number": 12,
            "route_number": 3,
            "business_date": "20250401",
        }
        assert rig.records("deliveries") == []
        client.send(type="ack", reference="r-1", delivery_no=1)
        assert await client.receive() == {"type": "settled", "reference": "r-1", "delivery_no": 1, "confirmed": True}
        await client.close()

        (asked,) = rig.records("requests")
        assert isinstance(asked, RequestAccepted)
        assert rig.keys("requests") == rig.keys("deliveries") == [b"AP02:r-1"]
        assert (asked.transaction_id, asked.slot, asked.amount) == ("AP02:r-1", 0, 12_800)
        assert asked.expires_ms - asked.accepted_ms == 10_000
        assert unpack_card(rig.ring.open(CARD, "AP02:r-1", asked.card)) == (PAN, "2812")
        (delivered,) = rig.records("deliveries")
        assert isinstance(delivered, ReplyDelivered)
        assert (delivered.transaction_id, delivered.delivery_no) == ("AP02:r-1", 1)
