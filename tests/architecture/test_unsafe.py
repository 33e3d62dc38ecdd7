"""Rust stays safe: every `unsafe` is listed with its reason and the run that shows it is sound."""

import re
from pathlib import Path

from tests.architecture.sources import ledger, read, require_none, tracked_files

# comments and strings, so that a word in them is not taken for code
NOT_CODE = re.compile(
    r"//[^\n]*"
    r"|/\*.*?\*/"
    r"|'(?:\\.|[^'\\])'"
    r'|r(#*)".*?"\1'
    r'|"(?:\\.|[^"\\])*"',
    re.DOTALL,
)
ALLOWED = {path: (int(count), reason, proof) for path, count, reason, proof in ledger("unsafe_allowlist.txt")}


def count_unsafe(source: str) -> int:
    return len(re.findall(r"\bunsafe\b", NOT_CODE.sub(" ", source)))


def test_every_use_of_unsafe_is_listed_with_its_reason_and_its_proof() -> None:
    found = {path.as_posix(): count_unsafe(read(path)) for path in tracked_files("crates/*.rs")}
    used = {path: count for path, count in found.items() if count}
    listed = {path: entry[0] for path, entry in ALLOWED.items()}
    require_none(
        [
            f"{path}: {used.get(path, 0)} uses of unsafe, {listed.get(path, 0)} listed"
            for path in sorted(used | listed)
            if used.get(path, 0) != listed.get(path, 0)
        ],
        "write it without unsafe; where measurement shows that it must be, keep it in one small file and "
        "list it in tests/architecture/unsafe_allowlist.txt with its reason and the loom, valgrind or "
        "sanitizer run",
    )


def test_every_listed_unsafe_says_why_and_what_shows_that_it_is_sound() -> None:
    bare = [path for path, (_count, reason, proof) in ALLOWED.items() if len(reason) < 20 or len(proof) < 10]
    require_none(
        bare, "say in a sentence why safe code does not do, and name the command that shows it is sound"
    )


def test_every_crate_denies_unsafe_code() -> None:
    roots = [
        path for path in tracked_files("crates/*/src/lib.rs", "crates/*/src/main.rs") if len(path.parts) == 4
    ]
    assert roots, "no crate found under crates/"
    open_to_it = [path.as_posix() for path in roots if not denies_unsafe(path)]
    require_none(open_to_it, "put #![deny(unsafe_code)] at the top; a listed file opens it for itself alone")


def denies_unsafe(path: Path) -> bool:
    return re.search(r"^#!\[(deny|forbid)\(unsafe_code\)\]", read(path), re.MULTILINE) is not None


def test_the_check_counts_code_and_not_comments_or_strings() -> None:
    silent = '// unsafe\n/* unsafe */ let s = "unsafe"; let t = r#"unsafe "x" "#;\n#![deny(unsafe_code)]\n'
    source = "unsafe { a(b, '\"') }\n" + silent + "unsafe fn b() {}\n"
    assert count_unsafe(source) == 2
