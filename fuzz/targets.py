"""The targets: a name, and a function that raises for a finding and for nothing else."""

from collections.abc import Callable, Mapping

from fuzz.door import door, session
from fuzz.inspecting import inspect
from fuzz.installation import installation
from fuzz.library import client
from fuzz.records import records
from fuzz.schemas import schemas
from fuzz.streams import cafis, cardnet
from fuzz.telegrams import telegrams

TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "cafis": cafis,
    "cardnet": cardnet,
    "telegrams": telegrams,
    "records": records,
    "schemas": schemas,
    "door": door,
    "session": session,
    "client": client,
    "installation": installation,
    "inspect": inspect,
}
