"""What a telegram is for, whichever partner's it is: the words the services use instead of a partner's type codes."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from schemas.records import Command, Kind


class Role(StrEnum):
    """The part a telegram plays. Each partner's layouts hold exactly one telegram for each role.

    Those of `ENVELOPES` are for a partner whose lines carry another one's telegrams; others have none of the two.
    """

    AUTHORISATION_REQUEST = "authorisation_request"  # オーソリ要求
    AUTHORISATION_REPORT = "authorisation_report"  # オーソリ報告
    SALE_REQUEST = "sale_request"  # 売上要求
    SALE_REPORT = "sale_report"  # 売上報告
    CANCEL_REQUEST = "cancel_request"  # 取消要求
    CANCEL_REPORT = "cancel_report"  # 取消報告, of the client's own cancel; that of a fault cancel is below
    REFUND_REQUEST = "refund_request"  # 返品要求
    REFUND_REPORT = "refund_report"  # 返品報告

    FAULT_CANCEL = "fault_cancel"  # 取消指令 (8910)
    FAULT_CANCEL_AGAIN = "fault_cancel_again"  # 取消再指令 (8920)
    FAULT_CONFIRM = "fault_confirm"  # 取消確認指令 (8930)
    FAULT_CONFIRM_AGAIN = "fault_confirm_again"  # 取消確認再指令 (8940)
    FAULT_CANCEL_REPORT = "fault_cancel_report"  # 取消報告 (8950)
    FAULT_CONFIRM_REPORT = "fault_confirm_report"  # 取消確認報告 (8960)
    ERROR_REPORT = "error_report"  # 異常報告: the telegram itself was in error

    OPENING_REQUEST = "opening_request"  # 開局要求
    OPENING_ANSWER = "opening_answer"  # 開局応答
    CLOSING_REQUEST = "closing_request"  # 閉局要求
    CLOSING_ANSWER = "closing_answer"  # 閉局応答
    KEEPALIVE_REQUEST = "keepalive_request"  # 疎通確認要求
    KEEPALIVE_ANSWER = "keepalive_answer"  # 疎通確認応答

    ENVELOPE_REQUEST = "envelope_request"  # 搬送要求: to the partner, with another partner's telegram inside
    ENVELOPE_REPORT = "envelope_report"  # 搬送報告: from it; what is inside says what it answers


class Family(StrEnum):
    """Roles whose answers find their requests by the same fields; the keys of ``[match]`` in ``partner.toml``."""

    ORDINARY = "ordinary"  # what a client asked for
    FAULT = "fault"  # 障害電文
    STATION = "station"  # opening, closing, keep-alive
    ERROR = "error"  # 異常報告, which may answer any request


ORDINARY_REQUESTS: tuple[Role, ...] = (
    Role.AUTHORISATION_REQUEST,
    Role.SALE_REQUEST,
    Role.CANCEL_REQUEST,
    Role.REFUND_REQUEST,
)
FAULT_COMMANDS: tuple[Role, ...] = (
    Role.FAULT_CANCEL,
    Role.FAULT_CANCEL_AGAIN,
    Role.FAULT_CONFIRM,
    Role.FAULT_CONFIRM_AGAIN,
)
STATION_REQUESTS: tuple[Role, ...] = (Role.OPENING_REQUEST, Role.CLOSING_REQUEST, Role.KEEPALIVE_REQUEST)
ENVELOPES: tuple[Role, ...] = (Role.ENVELOPE_REQUEST, Role.ENVELOPE_REPORT)

# Each request and the report that answers it; ERROR_REPORT may come instead of any of them.
REPORT_OF: Mapping[Role, Role] = MappingProxyType(
    {
        Role.AUTHORISATION_REQUEST: Role.AUTHORISATION_REPORT,
        Role.SALE_REQUEST: Role.SALE_REPORT,
        Role.CANCEL_REQUEST: Role.CANCEL_REPORT,
        Role.REFUND_REQUEST: Role.REFUND_REPORT,
        Role.FAULT_CANCEL: Role.FAULT_CANCEL_REPORT,
        Role.FAULT_CANCEL_AGAIN: Role.FAULT_CANCEL_REPORT,
        Role.FAULT_CONFIRM: Role.FAULT_CONFIRM_REPORT,
        Role.FAULT_CONFIRM_AGAIN: Role.FAULT_CONFIRM_REPORT,
        Role.OPENING_REQUEST: Role.OPENING_ANSWER,
        Role.CLOSING_REQUEST: Role.CLOSING_ANSWER,
        Role.KEEPALIVE_REQUEST: Role.KEEPALIVE_ANSWER,
    }
)


def _families() -> dict[Role, Family]:
    families = {Role.ERROR_REPORT: Family.ERROR}
    for family, requests in (
        (Family.ORDINARY, ORDINARY_REQUESTS),
        (Family.FAULT, FAULT_COMMANDS),
        (Family.STATION, STATION_REQUESTS),
    ):
        for request in requests:
            families[request] = families[REPORT_OF[request]] = family
    return families


# An envelope has no family: nothing is matched by it.
FAMILY_OF: Mapping[Role, Family] = MappingProxyType(_families())

# What a client asks for and what the cancel service orders, as telegrams.
ROLE_OF_KIND: Mapping[Kind, Role] = MappingProxyType(
    {
        Kind.AUTHORISATION: Role.AUTHORISATION_REQUEST,
        Kind.SALE: Role.SALE_REQUEST,
        Kind.CANCEL: Role.CANCEL_REQUEST,
        Kind.REFUND: Role.REFUND_REQUEST,
    }
)
ROLE_OF_COMMAND: Mapping[Command, Role] = MappingProxyType(
    {
        Command.CANCEL: Role.FAULT_CANCEL,
        Command.CANCEL_AGAIN: Role.FAULT_CANCEL_AGAIN,
        Command.CONFIRM: Role.FAULT_CONFIRM,
        Command.CONFIRM_AGAIN: Role.FAULT_CONFIRM_AGAIN,
    }
)
COMMAND_OF_ROLE: Mapping[Role, Command] = MappingProxyType({role: command for command, role in ROLE_OF_COMMAND.items()})
