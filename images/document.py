"""What the documents of a partner say, before anybody draws it: telegrams, flows, codes, assumptions. No output here.

Every byte in it comes from a record, is read by the partner's layouts, and is masked unless all card numbers beside it
are published test numbers. A kind of telegram that never travelled is shown by the layout's own sample, and says so.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from images.annotated import AnnotatedTelegram, annotate
from images.cards import may_be_shown
from images.catalogue import BY_NAME, CATALOGUE, Entry
from images.editions import digest_of
from images.record import Flow, PartnerRecord, Record, RecordError, Travelled
from schemas.telegrams import REPORT_OF, FieldSpec, Message, PartnerSpec, Role, Telegram, TelegramError, load_partner

TO_PARTNER = "→"


_FIRST_LOOKS: Mapping[str, tuple[Role, str, str]] = {
    "approved": (
        Role.SALE_REQUEST,
        "テストカードでの {amount} 円の売上で、送るバイト列と返るバイト列",
        "which bytes go out for a sale of {amount} yen on a test card, and which come back",
    ),
    "silence": (
        Role.FAULT_CONFIRM,
        "{amount} 円の売上に報告がないときの {code} {name}",
        "what {code} {name} looks like for a sale of {amount} yen without a report",
    ),
    "client_gone": (
        Role.FAULT_CANCEL,
        "{amount} 円の売上の報告を返却できないときの {code} {name}",
        "what {code} {name} looks like for a sale of {amount} yen whose report cannot be returned",
    ),
}


class Image(NamedTuple):
    """One telegram that travelled. `number` counts within its flow; `after_ms` from the flow's first telegram."""

    flow: str
    number: int
    travelled: Travelled
    after_ms: int
    telegram: AnnotatedTelegram
    message: Message
    inside: "Inside | None" = None

    @property
    def role(self) -> Role:
        """What it is for; of an envelope, what is inside is for."""
        return self.message.role if self.inside is None else self.inside.message.role


class Inside(NamedTuple):
    """What an envelope carries."""

    partner: PartnerSpec
    telegram: AnnotatedTelegram
    message: Message


class FlowView(NamedTuple):
    """One flow: its words, its record, its images. `number` counts within the document."""

    number: int
    entry: Entry
    flow: Flow
    images: tuple[Image, ...]


class TelegramView(NamedTuple):
    """One kind of telegram. `shown` is the first image of it, or the layout's sample where `images` is empty."""

    spec: Telegram
    ways: tuple[str, ...]
    images: tuple[Image, ...]
    shown: AnnotatedTelegram
    answers: tuple[Telegram, ...]  # what it answers
    answered_by: Telegram | None

    @property
    def travelled(self) -> bool:
        return bool(self.images)

    @property
    def sizes(self) -> str:
        """How many bytes it has: as the layout says where that is one number, else those that were seen."""
        seen = sorted({image.telegram.size for image in self.images} or {self.shown.size})
        return str(seen[0]) if len(seen) == 1 else f"{seen[0]}〜{seen[-1]}"

    def going(self, way: str) -> tuple[Image, ...]:
        """Those that travelled this way."""
        return tuple(image for image in self.images if image.travelled.way == way)


class Counted(NamedTuple):
    """How much of the layouts is an assumption: fields, each once for each telegram it stands in."""

    assumed: int
    fields: int


class Document(NamedTuple):
    """All about one partner."""

    record: Record
    part: PartnerRecord
    spec: PartnerSpec
    digest: str  # of the layouts that the bytes were read by
    telegrams: Mapping[Role, TelegramView]
    flows: tuple[FlowView, ...]

    @property
    def centre(self) -> str:
        """The centre in a word: ``CAFIS``."""
        return self.spec.english.partition(" ")[0]

    @property
    def first_looks(self) -> list[tuple[FlowView, str, str]]:
        """Where the first questions of a reviewer are answered: the flow, and the question in both languages."""
        looks = []
        for flow in self.flows:
            if flow.entry.name in _FIRST_LOOKS and flow.flow.asks:
                role, japanese, english = _FIRST_LOOKS[flow.entry.name]
                amount, telegram = f"{flow.flow.asks[0].amount:,}", self.spec.telegrams[role]
                named = {"amount": amount, "code": telegram.type_code}
                looks.append((
                    flow,
                    japanese.format(**named, name=telegram.japanese),
                    english.format(**named, name=telegram.english),
                ))  # fmt: skip
        return looks

    def flow(self, name: str) -> FlowView:
        """The flow of this name. Raises `KeyError`."""
        for flow in self.flows:
            if flow.entry.name == name:
                return flow
        raise KeyError(name)

    def flows_of(self, images: Sequence[Image]) -> list[FlowView]:
        """The flows in which these travelled, in order."""
        names = {image.flow for image in images}
        return [flow for flow in self.flows if flow.entry.name in names]

    @property
    def counted(self) -> Counted:
        return counted([view.spec for view in self.telegrams.values()])

    @property
    def never_travelled(self) -> tuple[Telegram, ...]:
        return tuple(view.spec for view in self.telegrams.values() if not view.travelled)


def counted(telegrams: Sequence[Telegram]) -> Counted:
    """How many fields of these telegrams are assumptions."""
    fields = [field for telegram in telegrams for field in telegram.fields]
    return Counted(sum(field.assumption for field in fields), len(fields))


def document_of(record: Record, partner: str) -> Document:
    """What there is to say about this partner. Raises `RecordError`, `LayoutError`."""
    part = next((each for each in record.partners if each.partner == partner), None)
    if part is None:
        known = ", ".join(each.partner for each in record.partners)
        raise RecordError(f"nothing of {partner} was recorded: one of {known}, or record anew")
    on = _business_date(record)
    spec = load_partner(part.layout, on)
    carried = {code: load_partner(layout, on) for code, layout in part.carries.items()}
    order = {entry.name: number for number, entry in enumerate(CATALOGUE)}
    unknown = sorted({flow.name for flow in part.flows} - order.keys())
    if unknown:
        raise RecordError(f"{partner}: the flow {unknown[0]} is not known: record anew")
    flows = tuple(
        FlowView(number, BY_NAME[flow.name], flow, tuple(_images(spec, carried, flow)))
        for number, flow in enumerate(sorted(part.flows, key=lambda each: order[each.name]), 1)
    )
    return Document(record, part, spec, digest_of(part.layout), _telegrams(spec, flows), flows)


def _business_date(record: Record) -> str:
    try:
        return dt.datetime.fromisoformat(record.made_at).strftime("%Y%m%d")
    except ValueError:
        raise RecordError(f"the record was made at {record.made_at!r}, which is no time: record anew") from None


def _images(spec: PartnerSpec, carried: Mapping[str, PartnerSpec], flow: Flow) -> list[Image]:
    images = []
    for number, travelled in enumerate(flow.telegrams, 1):
        try:
            payload = travelled.payload
            message = spec.read(payload)
            inside = _inside(carried, message)
            reveal = may_be_shown(message, None if inside is None else inside.telegram)
            framing = spec.framing.wrap(payload)[: spec.framing.length_bytes]
            telegram = annotate(spec.dated(message.values), payload, framing=framing, reveal=reveal)
        except (TelegramError, ValueError) as error:
            told = str(error) if isinstance(error, TelegramError) else "its bytes are no pairs of hexadecimal digits"
            where = f"{spec.name}, flow {flow.name}, telegram {number}"
            raise RecordError(f"{where}: {told}: record anew with these layouts") from None
        images.append(
            Image(flow.name, number, travelled, travelled.at_ms - flow.telegrams[0].at_ms, telegram, message, inside)
        )
    return images


def _inside(carried: Mapping[str, PartnerSpec], envelope: Message) -> Inside | None:
    code, data = envelope.values.get("carried_code"), envelope.values.get("carried_telegram")
    if code is None or data is None or str(code) not in carried:
        return None
    spec, payload = carried[str(code)], bytes.fromhex(str(data))
    message = spec.read(payload)
    return Inside(spec, annotate(spec.dated(message.values), payload, reveal=may_be_shown(message)), message)


def _telegrams(spec: PartnerSpec, flows: Sequence[FlowView]) -> dict[Role, TelegramView]:
    every = [image for flow in flows for image in flow.images]
    views = {}
    for role in sorted(spec.telegrams, key=list(Role).index):
        telegram = spec.telegrams[role]
        images = tuple(image for image in every if image.message.role is role)
        ways = tuple(sorted({image.travelled.way for image in images}, reverse=True)) or _ways(role)
        answers = tuple(spec.telegrams[each] for each, report in REPORT_OF.items() if report is role)
        answer = REPORT_OF.get(role)
        views[role] = TelegramView(
            spec=telegram,
            ways=ways,
            images=images,
            shown=images[0].telegram if images else _sample(spec, telegram),
            answers=answers,
            answered_by=None if answer is None else spec.telegrams[answer],
        )
    return views


def _sample(spec: PartnerSpec, telegram: Telegram) -> AnnotatedTelegram:
    data = spec.encode(telegram.role, telegram.sample())
    reveal = may_be_shown(spec.decode(data))
    return annotate(spec, data, framing=spec.framing.wrap(data)[: spec.framing.length_bytes], reveal=reveal)


def _ways(role: Role) -> tuple[str, ...]:
    """Which way a telegram goes that has not been seen: requests and commands go to the partner."""
    goes = role in REPORT_OF or role is Role.ENVELOPE_REQUEST
    return ("→",) if goes else ("←",)


def present(telegram: AnnotatedTelegram, field: FieldSpec) -> bool:
    """Whether the telegram has this field at all."""
    return any(row.field is not None and row.field.name == field.name for row in telegram.rows)
