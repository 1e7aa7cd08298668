"""What an application is told: a `Result`, or an error that says what may have happened and what to do."""

from dataclasses import dataclass

from schemas.client_frames import RefusalTold, Refused, Told
from schemas.records import Status


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a transaction. The partner's fields are None where the partner did not answer."""

    reference: str
    status: Status
    refusal: RefusalTold | None = None
    approval_code: str | None = None
    result_code: str | None = None
    error_code: str | None = None
    trace_number: int | None = None
    route_number: int | None = None
    business_date: str | None = None

    @property
    def approved(self) -> bool:
        """Whether the payment stands: confirmed, never cancelled by the gateway on its own."""
        return self.status is Status.APPROVED

    @classmethod
    def of(cls, told: Told) -> "Result":
        """What a frame tells, once it is final."""
        return cls(
            reference=told.reference,
            status=told.status,
            refusal=told.refusal,
            approval_code=told.approval_code,
            result_code=told.result_code,
            error_code=told.error_code,
            trace_number=told.trace_number,
            route_number=told.route_number,
            business_date=told.business_date,
        )


class ClientError(Exception):
    """The base of what the library raises."""


class ConnectError(ClientError):
    """No gateway could be reached. Nothing was sent."""


class NotAuthenticated(ConnectError):  # noqa: N818  it says what happened
    """The gateway does not know this customer and token. Nothing was sent."""


class ClientClosed(ClientError):  # noqa: N818  it says what happened
    """The client has been closed. Nothing was sent."""


class UsedElsewhere(ClientError):  # noqa: N818  it says what happened
    """The client was made before a fork, or on another event loop: it works where it was made alone. Nothing was sent.

    A process forks and its child has the client's memory, but neither its thread nor a connection of its own. So make
    the client in the child: in gunicorn's `post_fork`, uWSGI's `@postfork`, the function that `multiprocessing` calls.
    """


class RequestRefused(ClientError):  # noqa: N818  it says what happened
    """The request is wrong, or cannot be taken; it was not taken. `text_en` names the field, never its value."""

    def __init__(self, reference: str | None, refused: Refused) -> None:
        super().__init__(f"{refused.code}: {refused.text_en}")
        self.reference = reference
        self.code = refused.code
        self.text_en = refused.text_en
        self.text_ja = refused.text_ja
        self.retryable = refused.retryable


class NotSent(ClientError):  # noqa: N818  it says what happened
    """The time was up before the request could be handed to a gateway: it was not taken. It may be tried again."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"{reference}: no gateway could be reached in time; nothing was sent, it may be tried again")
        self.reference = reference


class OutcomeUnknown(ClientError):  # noqa: N818  it says what happened
    """The time was up and the end is not known. Treat it as not approved, and `inquire` until there is an end."""

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"{reference}: not known yet what became of it; do not repeat it under another reference, "
            "inquire about this one until it has an end"
        )
        self.reference = reference
