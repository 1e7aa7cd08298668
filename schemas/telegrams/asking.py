"""Whether a partner's layout takes what a client asks for: told at the door, before anything is written. Pure."""

from collections.abc import Mapping
from operator import attrgetter
from types import MappingProxyType

from schemas.telegrams.errors import EncodeError
from schemas.telegrams.roles import Role
from schemas.telegrams.spec import PartnerSpec
from schemas.telegrams.writing import quick_fit

# The names of the telegrams that a client gives a value for, and what the client protocol calls them: by these names a
# request has them as its attributes.
ASKED_AS: Mapping[str, str] = MappingProxyType(
    {
        "terminal_id": "terminal_id",
        "amount": "amount",
        "payment_method": "payment_method",
        "reference": "reference",
        "pan": "card.number",
        "expiry": "card.expiry",
        "track2": "track2",
        "security_code": "security_code",
    }
)


class Asking:
    """What one telegram of a partner's takes of a client's request. Made once, and asked about every request.

    `partner` is the edition of the day; `role` one of `ORDINARY_REQUESTS`: `KeyError` is raised where it has no such
    telegram.
    """

    def __init__(self, partner: PartnerSpec, role: Role) -> None:
        telegram = partner.telegrams[role]
        self._partner, self._role = partner, role
        self._others = telegram.sample(optional=False)
        self._asked = {name: at for name, at in ASKED_AS.items() if name in telegram.names}
        self._fit = quick_fit(telegram, self._asked, self._others)

    def fault(self, request: object) -> str | None:
        """The first field that the telegram cannot take, and why; None: it takes all.

        `request` has what `ASKED_AS` calls its attributes, None where the client gave no value. The text is in the
        client's words and holds no value.
        """
        if self._fit(request) is not None:  # what is as it should be needs no words
            return None
        asked = {name: value for name, at in self._asked.items() if (value := attrgetter(at)(request)) is not None}
        try:
            self._partner.encode(self._role, {**self._others, **asked})
        except EncodeError as error:
            told = ASKED_AS.get(error.field or "")
            if told is None:  # then the law of loading has a hole, and the client needs an answer all the same
                return f"a {self._role.value} does not fit, in the telegrams of {self._partner.name}"
            return f"{told} {error.problem}, in the telegrams of {self._partner.name}"
        return None
