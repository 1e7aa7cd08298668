"""The telegrams 電文 of the partners: layouts as data (one directory a partner) and the one codec that compiles them.

    cafis = load_partner("cafis")
    data = cafis.framing.wrap(cafis.encode(Role.SALE_REQUEST, {"trace_number": 1, …}))
    message = cafis.decode(telegram)              # Message(role, values); repr is masked
    cafis.match_key(message.role, message.values)  # the same for a request and its report
    cafis.classify(message)                        # approved, declined, turned round 折返し, in error 異常報告

Of a layout there may be editions 版, each from a business date on: `PartnerSpec.on` gives that of a date, `read`
decodes by that of the telegram's own date, and `differences` tells what one changed of another.

The layouts that come with the package are plausible assumptions of our own, marked so field by field; a licensee
replaces the files, not the code. ``python -m schemas.telegrams check PATH`` says everything that is wrong with them.
"""

from schemas.records import Outcome
from schemas.telegrams.asking import ASKED_AS, Asking
from schemas.telegrams.comparing import Difference, Kind, differences
from schemas.telegrams.errors import DecodeError, EncodeError, Fault, FramingError, LayoutError, TelegramError
from schemas.telegrams.fields import FieldSpec, ListedValue
from schemas.telegrams.folders import packaged
from schemas.telegrams.framing import Deframer, Framing
from schemas.telegrams.loader import load_partner
from schemas.telegrams.masking import mask_pan
from schemas.telegrams.plans import Part
from schemas.telegrams.roles import (
    COMMAND_OF_ROLE,
    ENVELOPES,
    FAMILY_OF,
    FAULT_COMMANDS,
    ORDINARY_REQUESTS,
    REPORT_OF,
    ROLE_OF_COMMAND,
    ROLE_OF_KIND,
    STATION_REQUESTS,
    Family,
    Role,
)
from schemas.telegrams.sendable import contract_fault
from schemas.telegrams.spec import Editions, ErrorClass, ErrorCode, MatchKey, Message, PartnerSpec, ResultCode, Telegram
from schemas.telegrams.vocabulary import VOCABULARY, Sensitivity, Value

__all__ = [
    "ASKED_AS",
    "COMMAND_OF_ROLE",
    "ENVELOPES",
    "FAMILY_OF",
    "FAULT_COMMANDS",
    "ORDINARY_REQUESTS",
    "REPORT_OF",
    "ROLE_OF_COMMAND",
    "ROLE_OF_KIND",
    "STATION_REQUESTS",
    "VOCABULARY",
    "Asking",
    "DecodeError",
    "Deframer",
    "Difference",
    "Editions",
    "EncodeError",
    "ErrorClass",
    "ErrorCode",
    "Family",
    "Fault",
    "FieldSpec",
    "Framing",
    "FramingError",
    "Kind",
    "LayoutError",
    "ListedValue",
    "MatchKey",
    "Message",
    "Outcome",
    "Part",
    "PartnerSpec",
    "ResultCode",
    "Role",
    "Sensitivity",
    "Telegram",
    "TelegramError",
    "Value",
    "contract_fault",
    "differences",
    "load_partner",
    "mask_pan",
    "packaged",
]
