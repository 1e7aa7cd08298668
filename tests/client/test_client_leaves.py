"""A gateway that answers pings and stores nothing keeps no client, while another one is well."""

import asyncio
from pathlib import Path

from gateway_rig import TOKEN, gateway
from loop_rig import in_loop
from test_client_payments import payment

from client import Client, ClientError
from pipeline.log import Done, Outgoing, WriteFailed


@in_loop
async def test_a_client_leaves_a_gateway_whose_log_takes_nothing(tmp_path: Path) -> None:
    for name in ("sick", "well"):
        (tmp_path / name).mkdir()
    async with gateway(tmp_path / "sick") as sick, gateway(tmp_path / "well") as well:
        addresses = [("127.0.0.1", each.server.port) for each in (sick, well)]
        async with await Client.connect(addresses, customer="AP02", token=TOKEN) as client:
            assert (await client.pay(**payment("r-0"))).approved

            def refuse(_: Outgoing, done: Done) -> None:
                asyncio.get_running_loop().call_soon(done, None, WriteFailed("requests: not acknowledged"))

            sick.server._writer._sender.send = refuse  # type: ignore[method-assign]
            ends = []
            for number in range(1, 4):
                try:
                    ends.append((await client.pay(**payment(f"r-{number}", wait_ms=1_500))).status.value)
                except ClientError as error:
                    ends.append(type(error).__name__)
            assert ends[1:] == ["approved", "approved"], ends
            assert not any(each.session and each.session.customer for each in sick.server._connections), "it said bye"
