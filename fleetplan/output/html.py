"""Documents as one HTML file: no script, no network, light and dark, phone and desktop.

Everything that comes from an inventory is escaped; there is one style sheet, and no attribute that a name is written into unescaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import assert_never

from fleetplan.output.document import Align, Bar, Bars, Block, Bullets, Column, Document, Kind, Paragraph, Quote, Section, Table, Tone
from fleetplan.output.printable import printable

CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")

GLYPHS: Mapping[Tone, str] = {Tone.GOOD: "✓", Tone.CAUTION: "▲", Tone.BAD: "✗", Tone.PLAIN: "", Tone.FAINT: ""}
"""A tone is told by a mark too, not by colour alone."""

STYLE = """
:root{color-scheme:light dark;--back:#ffffff;--raised:#f4f5f7;--line:#d0d4da;--text:#1b1f24;--faint:#57606a;
--good:#0f6b43;--caution:#8a4b00;--bad:#a5182a;--plain:#1f5fa8;--fill:#ffffff}
@media (prefers-color-scheme:dark){:root{--back:#12151a;--raised:#1b2027;--line:#39414c;--text:#e7eaee;--faint:#a3adb9;
--good:#58cf97;--caution:#f0b04d;--bad:#ff8a8a;--plain:#7fb8ff;--fill:#12151a}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main,header,footer{max-width:72rem;margin:0 auto;padding:0 1rem}
h1{font-size:1.5rem;line-height:1.25;margin:1.5rem 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line);padding-bottom:.25rem;overflow-wrap:anywhere}
p{margin:.5rem 0;overflow-wrap:anywhere}
.about,footer,.note,.faint{color:var(--faint)}
.good{color:var(--good)}.caution{color:var(--caution)}.bad{color:var(--bad)}
.mark{display:inline-block;width:1.25em}
code,pre{font:.875rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{background:var(--raised);padding:.1em .3em;border-radius:.25em;overflow-wrap:anywhere}
pre,.wide{overflow-x:auto;background:var(--raised);border:1px solid var(--line);border-radius:.375rem}
pre{padding:.75rem;margin:.5rem 0}
.wide{margin:.75rem 0}
table{border-collapse:collapse;width:100%;font-size:.9375rem}
th,td{text-align:left;vertical-align:top;padding:.375rem .75rem;border-bottom:1px solid var(--line)}
tbody tr:last-child>*{border-bottom:0}
th{font-weight:600;white-space:nowrap}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
@media (max-width:40rem){thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody,tr,td{display:block}tr{padding:.375rem 0;border-bottom:1px solid var(--line)}tbody tr:last-child{border-bottom:0}
td{border-bottom:0;padding:.125rem .75rem;overflow-wrap:anywhere}td.number{text-align:left}
td::before{content:attr(data-label) ": ";color:var(--faint)}}
ul{margin:.5rem 0;padding-left:1.25rem}
li{overflow-wrap:anywhere}
figure{margin:1rem 0}
figcaption{font-weight:600;margin-bottom:.375rem}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;padding:0;font-size:.875rem}
.key{display:inline-block;width:.75rem;height:.75rem;border-radius:2px;margin-right:.375rem;vertical-align:-1px}
.bars{display:grid;grid-template-columns:minmax(5rem,max-content) 1fr;gap:.375rem .75rem;align-items:center}
.bars>dt{font-size:.875rem;overflow-wrap:anywhere;max-width:16rem}
.bars>dd{margin:0;display:flex;align-items:center;gap:.5rem;min-width:0}
.bar{display:flex;flex:0 1 auto;height:1.125rem;border-radius:3px;overflow:hidden}
.bar>span{min-width:2px}
.sum{font-size:.875rem;font-variant-numeric:tabular-nums;white-space:nowrap}
.fill-good{background:var(--good)}.fill-caution{background:var(--caution)}.fill-bad{background:var(--bad)}
.fill-plain{background:var(--plain)}.fill-faint{background:var(--faint)}
.fill-caution{background-image:repeating-linear-gradient(45deg,transparent 0 4px,var(--fill) 4px 5px)}
.fill-bad{background-image:repeating-linear-gradient(-45deg,transparent 0 6px,var(--fill) 6px 7px)}
:focus-visible{outline:2px solid var(--plain);outline-offset:2px}
@media print{.wide,pre{overflow:visible}}
"""


def render(document: Document, *, title: str, about: str = "") -> str:
    """A whole page that ends with a newline. `about` stands below the title: what it is about, and of when it is."""
    body = "\n".join(line for section in document.sections for line in _section(section))
    below = f'<p class="about">{marked(about)}</p>\n' if about else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{plain(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{plain(title)}</h1>\n{below}</header>\n<main>\n{body}\n</main>\n"
        "<footer><p>Made by fleetplan.</p></footer>\n</body>\n</html>\n"
    )


def plain(text: str) -> str:
    """Text that a browser shows as it is, in content and in attributes."""
    return escape(printable(text), quote=True)


def marked(text: str) -> str:
    """The same, with what stands between backticks as code."""
    return CODE.sub(r"<code>\1</code>", plain(text))


def _section(section: Section) -> Iterator[str]:
    yield "<section>"
    if section.title:
        yield f"<h2>{plain(section.title)}</h2>"
    for block in section.blocks:
        yield _block(block)
    yield "</section>"


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return _paragraph(block)
        case Quote():
            lines = "\n".join(map(plain, block.lines))
            return f'<pre tabindex="0">{lines}</pre>'
        case Bullets():
            return _bullets(block)
        case Table():
            note = f'<p class="note">{marked(block.note)}</p>' if block.note else ""
            return _table(block) + note
        case Bars():
            return _bars(block)
        case _:
            assert_never(block)


def _paragraph(block: Paragraph) -> str:
    glyph = GLYPHS[block.tone]
    mark = f'<span class="mark" aria-hidden="true">{glyph}</span>' if glyph else ""
    return f'<p class="{block.tone.value}">{mark}{marked(block.text)}</p>'


def _bullets(block: Bullets) -> str:
    """Lists within lists, as deep as the points say."""
    parts: list[str] = []
    depth = -1
    for level, point in block.points:
        parts.append("</li>" if level <= depth else "")
        parts.append("<ul>" * (level - depth) if level > depth else "</ul></li>" * (depth - level))
        parts.append(f"<li>{marked(point)}")
        depth = level
    parts.append("</li></ul>" * (depth + 1))
    return "".join(parts)


def _table(table: Table) -> str:
    heads = "".join(f'<th role="columnheader" scope="col"{_aligned(column)}>{marked(column.title)}</th>' for column in table.columns)
    rows = "\n".join(f'<tr role="row">{_cells(table.columns, row)}</tr>' for row in table.rows)
    named = plain(", ".join(column.title for column in table.columns))
    return (
        f'<div class="wide" role="group" aria-label="Table: {named}" tabindex="0"><table role="table">\n'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead>\n<tbody role="rowgroup">\n{rows}\n</tbody></table></div>'
    )


def _cells(columns: tuple[Column, ...], row: tuple[str, ...]) -> str:
    """Each names its column too, for narrow screens, on which a row is a list."""
    pairs = zip(columns, row, strict=True)
    return "".join(f'<td role="cell" data-label="{plain(column.title)}"{_aligned(column)}>{marked(cell)}</td>' for column, cell in pairs)


def _aligned(column: Column) -> str:
    return ' class="number"' if column.align is Align.RIGHT else ""


def _bars(chart: Bars) -> str:
    """A figure: its legend, and a bar for each row with its numbers in words for those who do not see it."""
    most = max((sum(bar.parts) for bar in chart.bars), default=0)
    legend = "".join(
        f'<li><span class="key fill-{kind.tone.value}" aria-hidden="true"></span>{plain(kind.label)}</li>' for kind in chart.kinds
    )
    rows = "\n".join(_bar(bar, chart.kinds, most) for bar in chart.bars)
    caption = f"<figcaption>{plain(chart.title)}</figcaption>"
    return f'<figure>{caption}\n<ul class="legend">{legend}</ul>\n<dl class="bars">\n{rows}\n</dl></figure>'


def _bar(bar: Bar, kinds: tuple[Kind, ...], most: int) -> str:
    total = sum(bar.parts)
    words = ", ".join(f"{kind.label} {part:,}" for part, kind in zip(bar.parts, kinds, strict=True) if part) or "none"
    spans = "".join(
        f'<span class="fill-{kind.tone.value}" style="width:{100 * part / total:.3f}%"></span>'
        for part, kind in zip(bar.parts, kinds, strict=True)
        if part
    )
    width = 80 * total / most if most else 0
    drawn = f'<div class="bar" role="img" aria-label="{plain(bar.label)}: {plain(words)}" style="width:{width:.3f}%">{spans}</div>'
    return f'<dt>{plain(bar.label)}</dt><dd>{drawn}<span class="sum">{total:,}</span></dd>'
