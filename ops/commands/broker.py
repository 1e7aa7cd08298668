"""``denbun broker``: the embedded Kafka alone, for who tries one line or one service against a real broker."""

import time
from contextlib import suppress
from pathlib import Path

from ops.broker import KAFKA_PORT, BrokerError, running
from ops.commands.consoles import open_console, timed
from ops.folder_lock import FolderLock
from ops.ports import settled_port
from ops.supervising import Supervisor, kept_broker

_LOOK_S = 0.5


def broker(*, folder: Path, port: int | None) -> int:
    """Run it until a signal asks it to end; gives the exit status. Its data stays in the folder."""
    console = open_console()
    say = timed(console)
    try:
        place = folder.resolve()
        with (
            FolderLock(place, say),
            running(place / "kafka", port or settled_port(KAFKA_PORT, "Kafka", say=say), say) as kafka,
        ):
            with suppress(KeyboardInterrupt):
                console.print(_told(kafka.servers), markup=False)
                supervisor = Supervisor(say)
                while True:
                    time.sleep(_LOOK_S)
                    supervisor.look([kept_broker(kafka)])
            say("終了します  ending")
    except (BrokerError, OSError) as error:
        console.print(str(error), style="bold red", markup=False)
        return 1
    say(f"終了しました  ended; its data stays in {folder}")
    return 0


def _told(servers: str) -> str:
    """Where it is, and what a configuration needs to find it."""
    return (
        f"Kafka: {servers}\n"
        "構成ファイルに記入  in the configuration:\n"
        "    [kafka]\n"
        f'    bootstrap_servers = "{servers}"\n'
        "    replication = 1\n"
        "または環境変数  or in the environment, over what stands there:\n"
        f"    export DENBUN_KAFKA__BOOTSTRAP_SERVERS={servers} DENBUN_KAFKA__REPLICATION=1\n"
        "トピック作成  then the topics:\n"
        "    denbun topics create --config FILE\n"
        "稼働中  running: Ctrl-C ends it"
    )
