"""What `denbun inspect` says, in Japanese with English beside."""

import re

from images.finding import Heading
from images.matching import NearMiss
from ops.times import clock
from schemas.telegrams import PartnerSpec, Role

HEADINGS = {
    Heading.GOING: ("→", "提携先へ", "to the partner"),
    Heading.COMING: ("←", "提携先から", "from the partner"),
    Heading.EITHER: ("–", "どちらの方向にもありうる", "either way"),
}

# The codec's sentences (schemas/telegrams); what is not here is shown in English alone.
_PROBLEMS = [
    (r"is not made of digits only", "数字以外を含みます"),
    (r"is not a date.*", "日付ではありません"),
    (r"is not a time.*", "時刻ではありません"),
    (r"is blank", "空白です"),
    (r"is not the constant the layout demands", "電文形式が定める定数と異なります"),
    (r"ends after (\d+) of its (\d+) bytes", r"\2 バイトのうち \1 バイトで終わっています"),
    (r"ends after (\d+) of the (\d+) bytes of its length", r"長さの \2 バイトのうち \1 バイトで終わっています"),
    (r"holds a byte not allowed in type (\w+)", r"属性 \1 に許されないバイトを含みます"),
    (r"does not begin with a length the layout allows", "先頭の長さが電文形式に合いません"),
    (r"does not begin with a zero half byte", "先頭の半バイトが 0 ではありません"),
    (r"does not have the length it announces", "先頭の長さと実際の長さが異なります"),
    (r"has (\d+) characters where (.+) belong", r"\1 文字です（正しくは \2）"),
    (r"is (\d+) bytes long where the layout has (\d+)( and more)?", r"\1 バイトです（電文形式では \2）"),
    (r"goes on for (\d+) bytes after its last field", r"最後の項目の後に \1 バイト続きます"),
    (r"ends inside the bitmap, after (\d+) of (\d+) bytes", r"ビットマップの途中（\1／\2 バイト）で終わっています"),
    (r"bit (\d+) is set, but .*", r"ビット \1 が立っていますが、この電文に該当項目がありません"),
    (r"bit (\d+) is not set, but .*", r"必須項目のビット \1 が立っていません"),
    (r"is not one of the partner's type codes", "この提携先の電文種別コードではありません"),
    (r"ends after (\d+) bytes, before the type code is complete", r"\1 バイトで終わり、電文種別コードに届きません"),
    (r"no telegram of this type code has this constant", "この電文種別コードにない値です"),
    (r"is not there, but it says which telegram this is", "電文を区別する項目がありません"),
    (r"is of a day on which another edition of the layouts holds", "その営業日には別の版の電文形式が使われます"),
    (r"is missing, and (\w+) says that it is there", r"\1 によれば必要な項目がありません"),
    (r"is there, and (\w+) says that it is not", r"\1 によれば設定できない項目です"),
    (r"counts more than the (\d+) that the layout has room for", r"電文形式の上限 \1 件を超えています"),
    (r"no layout is near", "近い電文形式がありません"),
]


def problem_words(problem: str) -> str:
    """What is wrong, in both languages."""
    told = []
    for part in problem.split("; "):
        place, _, bare = part.rpartition(": ")
        for pattern, japanese in _PROBLEMS:
            found = re.fullmatch(pattern, bare)
            if found is not None:
                told.append(f"{place}{'：' if place else ''}{found.expand(japanese)}  {bare}")
                break
        else:
            told.append(part)
    return "; ".join(told)


def time_words(time_ns: int | None, day: str) -> str:
    """A time of day to the millisecond, on another day than `day` below its date; ``–`` where it is not known."""
    if time_ns is None:
        return "–"
    date, time, zone = clock(time_ns // 1_000_000).split()
    return time if f"{date} {zone}" == day else f"{date}\n{time}"


def day_words(time_ns: int | None) -> str:
    """The day, with the zone in which its times are told: ``2026-12-01 JST``."""
    if time_ns is None:
        return "–"
    date, _, zone = clock(time_ns // 1_000_000).split()
    return f"{date} {zone}"


def field_words(partner: PartnerSpec, name: str) -> tuple[str, str]:
    """A field's name in Japanese and English; those of ``role`` for the kind of telegram."""
    if name == "role":
        return "電文の種類", "kind of telegram"
    for telegram in partner.telegrams.values():
        if name in {field.name for field in telegram.fields}:
            field = telegram.field(name)
            return field.japanese, field.english.lower()
    return name, name


def role_words(partner: PartnerSpec, role: Role) -> tuple[str, str, str]:
    """A telegram's type code and names."""
    telegram = partner.telegrams[role]
    return telegram.type_code, telegram.japanese, telegram.english


def miss_words(partner: PartnerSpec, miss: NearMiss | None, of: str) -> tuple[str, str]:
    """Why an answer answers nothing, in Japanese and English. `of`: how the request is called, as ``#3``."""
    if miss is None:
        return "近い要求もありません", "no request is near"
    asked = miss.asked
    trace = asked.values.get("trace_number", "?")
    code, japanese, english = role_words(partner, asked.role)
    name = f"{code} {japanese}（処理通番 {trace}、{of}）"
    if not miss.differences:
        by = "" if asked.answered_by is None else f" #{asked.answered_by}"
        if asked.answered_by is None:
            return f"{name}に対応します", f"matches trace {trace} ({english.lower()}, {of})"
        return f"{name}に対応しますが、応答済みです{by}", f"matches trace {trace} ({of}), which was answered before{by}"
    parts = [(*field_words(partner, each.name), each) for each in miss.differences]
    theirs = "、".join(
        f"{ja}（要求 {_value(partner, d.asked)}、報告 {_value(partner, d.answered)}）" for ja, _, d in parts
    )
    ours = " and ".join(
        f"the {en} (request {_value(partner, d.asked)}, answer {_value(partner, d.answered)})" for _, en, d in parts
    )
    before = "" if asked.answered_by is None else "（応答済み）"
    answered = "" if asked.answered_by is None else ", answered before,"
    return (
        f"{name}{before}に対応するはずですが、{theirs}が異なります",
        f"would match trace {trace} ({english.lower()}, {of}){answered} but for {ours}",
    )


def _value(partner: PartnerSpec, value: str | int) -> str:
    if isinstance(value, str) and value in set(Role):
        code, japanese, _ = role_words(partner, Role(value))
        return f"{code} {japanese}"
    return str(value) if value != "" else "なし/none"
