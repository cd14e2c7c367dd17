"""Makes up a sample of Stack Overflow: API pages as a collector would have stored them, the same on every machine.

    python3 benches/sample LAKE/raw --scale 10             writes run folders into a lake's raw location
    python3 benches/sample --archive src/ingest/sample.tar.xz    makes the sample that soflow has in it: scale 1

18 months of questions with their answers and comments, all for one logical date, the last day. Volume declines, tags
rise and fall, some annoy people; and every oddity that real pages have is there in small numbers. Scale 1 takes some
seconds, scale 100 (242,000 questions) about ten minutes.
"""

import argparse
import datetime
import gzip
import hashlib
import io
import json
import pathlib
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import items
from chance import SEED
from outline import END, LAST_DAY, Outline

PAGE_SIZE = 100  # The API's largest.
FETCHED = END + 4 * 3_600  # The first page was fetched two seconds later, and each next one two seconds after that.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", nargs="?", type=pathlib.Path, help="the raw location of a lake on this machine")
    parser.add_argument("--scale", type=int, default=1, help="times the normal size [default: 1]")
    parser.add_argument("--archive", type=pathlib.Path, help="write scale 1 into this archive instead")
    wanted = parser.parse_args()
    if wanted.archive:
        write_archive(wanted.archive)
    elif wanted.raw:
        write_raw(wanted.raw, wanted.scale)
    else:
        parser.error("where to?")


@dataclass
class Page:
    number: int
    items: list[str]
    has_more: bool

    @property
    def fetched(self) -> int:
        return FETCHED + 2 * self.number

    @property
    def about(self) -> dict[str, int]:
        """What the API says around the items."""
        backoff = {"backoff": 10} if self.number % 9 == 0 else {}
        # The API has been seen to answer -1 while it still answered.
        return {**backoff, "quota_max": 10_000, "quota_remaining": -1 if self.number == 13 else 9_990 - self.number}

    @property
    def body(self) -> bytes:
        about = json.dumps({"has_more": self.has_more, **self.about}, separators=(",", ":"))
        return f'{{"items":[{",".join(self.items)}],{about[1:]}'.encode()


def pages(outline: Outline) -> Iterator[tuple[str, Iterator[Page]]]:
    """The pages of each endpoint, in the order in which a collector would have received them."""
    yield "answers", of_endpoint("answers", outline.answers, items.answer)
    yield "comments", of_endpoint("comments", outline.comments, items.comment)
    yield "questions", of_endpoint("questions", outline.questions, items.question)


def of_endpoint(endpoint: str, rows: list, item: Callable[[int, object, bool], items.Item]) -> Iterator[Page]:
    number, listed = 1, []
    for index, row in enumerate(rows):
        made = item(index, row, False)
        if len(listed) >= PAGE_SIZE:
            yield Page(number, listed, True)
            # Something moved while the collector turned the page: it gets a row again, in a newer version.
            listed = [text(item(index - 1, rows[index - 1], True))] if number % 5 == 0 else []
            number += 1
        listed.append(text(made))
        malformed = malform(endpoint, index, made)
        if malformed:
            if len(listed) >= PAGE_SIZE:
                yield Page(number, listed, True)
                number, listed = number + 1, []
            listed.append(text(malformed))
    yield Page(number, listed, False)


def malform(endpoint: str, index: int, item: items.Item) -> items.Item | None:
    """A broken copy that follows a few rows, so that there is something to quarantine."""
    if endpoint == "questions" and index % 2_000 == 701:
        return {name: value for name, value in item.items() if name != "question_id"}
    if endpoint == "questions" and index % 2_000 == 1_701:
        return {**item, "score": "n/a"}
    if endpoint == "answers" and index % 3_000 == 1_201:
        return {**item, "creation_date": "yesterday"}
    return None


def text(item: items.Item) -> str:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"))


def write_raw(raw: pathlib.Path, scale: int) -> None:
    """Writes the layout of docs/raw-layout.md: of each endpoint the pages first and the manifest last."""
    for endpoint, made in pages(Outline(scale)):
        folder = raw / f"site=stackoverflow/endpoint={endpoint}/dt={LAST_DAY}/run=sample-{SEED}-x{scale}"
        folder.mkdir(parents=True)
        lines = []
        for page in made:
            name, body = f"{page.number:06}.json.gz", page.body
            (folder / name).write_bytes(gzip.compress(body, 6, mtime=0))
            fetched_at = datetime.datetime.fromtimestamp(page.fetched, datetime.timezone.utc)
            line = {
                "page": name,
                "endpoint": endpoint,
                "fetched_at": f"{fetched_at:%Y-%m-%dT%H:%M:%SZ}",
                "sha256": hashlib.sha256(body).hexdigest(),
                "n_items": len(page.items),
            }
            lines.append(json.dumps(line) + "\n")
        (folder / "_manifest.jsonl").write_text("".join(lines))


def write_archive(path: pathlib.Path) -> None:
    """Writes `<endpoint>/000001.json` and so on; a file's time is when the page was fetched."""
    with tarfile.open(path, "w:xz", preset=9, format=tarfile.USTAR_FORMAT) as archive:
        for endpoint, made in pages(Outline(1)):
            for page in made:
                member = tarfile.TarInfo(f"{endpoint}/{page.number:06}.json")
                body = page.body
                member.size, member.mtime, member.mode = len(body), page.fetched, 0o644
                archive.addfile(member, io.BytesIO(body))


if __name__ == "__main__":
    main()
