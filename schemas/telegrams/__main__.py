"""For those who write layouts: ``python -m schemas.telegrams check [PATH]`` and ``show PARTNER ROLE``."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from schemas.telegrams.comparing import differences
from schemas.telegrams.errors import LayoutError
from schemas.telegrams.fields import FieldSpec
from schemas.telegrams.folders import packaged
from schemas.telegrams.loader import load_partner
from schemas.telegrams.plans import Part
from schemas.telegrams.roles import Role
from schemas.telegrams.spec import PartnerSpec, Telegram
from schemas.telegrams.vocabulary import Value

app = typer.Typer(
    help="電文レイアウトの検査と表示 Check and show telegram layouts", no_args_is_help=True, add_completion=False
)

_PathArgument = Annotated[
    Path | None, typer.Argument(help="レイアウトのディレクトリ a directory of layouts; by default those of the package")
]
_PartnerArgument = Annotated[
    str, typer.Argument(help="提携先の名前、またはディレクトリ a packaged partner, or a directory")
]

_OnOption = Annotated[
    datetime | None,
    typer.Option(
        "--on", formats=["%Y-%m-%d"], help="その業務日付の版 the edition of that business date; by default today's"
    ),
]
_DateArgument = Annotated[
    datetime, typer.Argument(formats=["%Y-%m-%d"], help="業務日付 a business date, of which the edition is meant")
]
_CodeOption = Annotated[
    bool,
    typer.Option("--code", help="生成された関数も表示 also the functions made of the layout, that write and read it"),
]


def _load(partner: str | Path, on: datetime | None = None) -> PartnerSpec:
    try:
        return load_partner(partner, None if on is None else f"{on:%Y%m%d}")
    except LayoutError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@app.command()
def check(path: _PathArgument = None) -> None:
    """検査 Say everything that is wrong with the layouts, or "ok" for each telegram."""
    places: list[str | Path] = [path] if path is not None else [*packaged()]
    failed = False
    for place in places:
        try:
            partner = load_partner(place)
        except LayoutError as error:
            typer.echo(str(error), err=True)
            failed = True
            continue
        for edition in partner.editions:
            since = "" if edition.since is None else f" {_shown_date(edition.since)}〜"
            for telegram in edition.telegrams.values():
                typer.echo(f"{edition.name}{since} {telegram.type_code} {telegram.japanese} {telegram.role.value}: ok")
    if failed:
        raise typer.Exit(1)


@app.command()
def show(partner: _PartnerArgument, role: Role, on: _OnOption = None, code: _CodeOption = False) -> None:
    """表示 Print a telegram's fields: offset, length, type, name, sample, meaning; and the sample's bytes."""
    spec = _load(partner, on)
    telegram = spec.telegrams.get(role)
    if telegram is None:
        typer.echo(f"{spec.name} has no {role.value}: its lines carry no other partner's telegrams", err=True)
        raise typer.Exit(1)
    data = spec.encode(role, telegram.sample())
    console = Console(width=max(Console().width, 120))  # a narrower table cannot be read, in a file or a pipe
    console.print(_table(spec, telegram, spec.dissect(data)))
    console.print(f"電文例 sample, {len(data)} bytes without framing:\n{data.hex(' ')}", highlight=False, markup=False)
    if code:
        console.print(telegram.write.__doc__, telegram.read.__doc__, sep="\n", highlight=False, markup=False)


@app.command("differences")
def show_differences(partner: _PartnerArgument, old: _DateArgument, new: _DateArgument) -> None:
    """版の差分 Tell field by field what the edition of one date changed of that of another."""
    found = differences(_load(partner, old), _load(partner, new))
    table = Table(title=f"{partner} {old:%Y-%m-%d} → {new:%Y-%m-%d}", title_justify="left")
    for heading in ("電文\ntelegram", "項目\nfield", "属性\nkey", "変更前\nbefore", "変更後\nafter"):
        table.add_column(heading, overflow="fold")
    for each in found:
        what = f"{each.kind}" if each.key is None else each.key
        table.add_row(each.role or "", each.field or "", what, each.before, each.after)
    console = Console(width=max(Console().width, 120))
    console.print(table if found else "差分なし no difference")


def _shown_date(date: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:]}"


def _table(spec: PartnerSpec, telegram: Telegram, parts: list[Part]) -> Table:
    title = f"{spec.japanese} {telegram.type_code} {telegram.japanese} {telegram.english}\n{telegram.meaning}"
    caption = "＊ 仮定、仕様書で未確認 an assumption, not yet checked against the partner's specification"
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    table.add_column("項番\nno.", overflow="fold")
    table.add_column("位置\noffset", justify="right")
    table.add_column("桁数\nlength", justify="right")
    for heading in ("属性\ntype", "項目名\nname", "必須\nrequired", "例\nsample", "意味\nmeaning"):
        table.add_column(heading, overflow="fold")
    values = telegram.sample()
    for part in parts:
        if part.field is None:
            table.add_row(
                "", str(part.offset), str(len(part.raw)), "binary", "ビットマップ\nbitmap", "○", "", part.raw.hex()
            )
        else:
            table.add_row(part.field.number, str(part.offset), *_cells(part.field, values))
    return table


def _cells(field: FieldSpec, values: Mapping[str, Value]) -> tuple[str, ...]:
    mark = "＊" if field.assumption else ""
    sample = values.get(field.name, "") if field.const is None else field.const
    bit = "" if field.bit is None else f"\nbit {field.bit}"
    only = "値 values (no others)" if field.values_closed else "値 values"
    listed = [f"  {each.value} {each.japanese} {each.english}" for each in field.values]
    source = [] if field.source is None else [f"出典 source: {field.source}"]
    return (
        field.width,
        f"{field.type}\n{field.encoding}{_SIDES[field.justified]}{bit}",
        f"{field.japanese}\n{field.name}",
        "○" if field.always else "△" if field.required else "",
        str(sample),
        "\n".join(
            [
                f"{mark}{field.english}. {field.meaning}",
                *_condition(field),
                *([only] if listed else []),
                *listed,
                *source,
            ]
        ),
    )


_SIDES = {None: "", "left": "\n左詰め left", "right": "\n右詰め right"}


def _condition(field: FieldSpec) -> list[str]:
    if field.when is None:
        return []
    if field.when.at_least is not None:
        return [f"条件 when: {field.when.field} ≥ {field.when.at_least}"]
    return [f"条件 when: {field.when.field} = {', '.join(map(str, field.when.values))}"]


if __name__ == "__main__":
    app()
