#!/usr/bin/env python3
"""How much there is to read: code lines of Rust without tests, comments and blanks, and names that several types share.

    python3 benches/size.py            the table of docs/architecture.md
    python3 benches/size.py --names    each name that more than one type has, and where

A file is a test when it is named `tests.rs` or `testing.rs` or lies in a folder `tests`; the rest of a file is one from
its `#[cfg(test)]` on a module with a body. Counted by lexing: a comment sign inside a string is no comment.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)|(?P<block>/\*.*?\*/)|(?P<raw>b?r(?P<hashes>\#*)".*?"(?P=hashes))"""
    r"""|(?P<string>b?"(?:\\.|[^"\\])*")|(?P<char>b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^'\\\n])')""",
    re.DOTALL,
)
TYPE = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:struct|enum|trait|union)\s+(\w+)", re.MULTILINE)


def bare(text: str) -> str:
    """The text without comments, with strings emptied but for their line breaks."""

    def replace(match: re.Match[str]) -> str:
        lines = match.group().count("\n")
        if match.lastgroup in ("comment", "block"):
            return "\n" * lines
        return '"' + "_\n" * lines + '"'

    return TOKEN.sub(replace, text)


def without_tests(text: str) -> str:
    """The text without the items that stand under `#[cfg(test)]`."""
    out = []
    at = 0
    for match in re.finditer(r"#\[cfg\(test\)\]", text):
        if match.start() < at:
            continue
        out.append(text[at : match.start()])
        end = match.end()
        depth = 0
        while end < len(text):
            sign = text[end]
            end += 1
            depth += (sign in "{([") - (sign in "})]")
            if depth == 0 and (sign == ";" or sign == "}"):
                break
        at = end
    out.append(text[at:])
    return "".join(out)


def is_test(path: Path) -> bool:
    return path.name in ("tests.rs", "testing.rs") or "tests" in path.parts


def main() -> None:
    lines: dict[str, int] = defaultdict(int)
    files: dict[str, int] = defaultdict(int)
    types: dict[str, list[str]] = defaultdict(list)
    long, short = [], 0
    for path in sorted((ROOT / "src").rglob("*.rs")):
        inside = path.relative_to(ROOT / "src")
        if is_test(inside):
            continue
        text = path.read_text(encoding="utf-8")
        code = without_tests(bare(text))
        count = sum(1 for line in code.splitlines() if line.strip())
        folder = inside.parts[0].removesuffix(".rs")
        lines[folder] += count
        files[folder] += 1
        if text.count("\n") > 400:
            long.append(str(inside))
        short += text.count("\n") < 40
        for name in TYPE.findall(code):
            types[name].append(str(inside))
    several = {name: where for name, where in types.items() if len(where) > 1}
    if "--names" in sys.argv:
        for name, where in sorted(several.items(), key=lambda item: (-len(item[1]), item[0])):
            print(f"{len(where):3} {name}: {', '.join(where)}")
        return
    print("| folder | code lines | files |\n|---|---|---|")
    for folder, count in sorted(lines.items(), key=lambda item: -item[1]):
        print(f"| `{folder}` | {count:,} | {files[folder]} |")
    print(f"| all | {sum(lines.values()):,} | {sum(files.values())} |")
    total = sum(len(where) for where in types.values())
    shared = sum(len(where) for where in several.values())
    print(f"\nFiles over 400 lines: {len(long)}; under 40: {short}.")
    print(f"Of {total} types {shared} share their name with another.")


if __name__ == "__main__":
    main()
