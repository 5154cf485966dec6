"""Fuzz a parser, guided by coverage: `python -m tests.security.abuse.fuzz PARSER --seconds N`, or `all` of them.

Findings and the corpus are written to `.fuzz/PARSER`. The next run continues with that corpus.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

# The names in parsers.py, which is imported only after its imports can be instrumented.
NAMES = ("landing", "notification", "queue", "settings", "key_text", "certificate", "openpgp_key", "openpgp_packets",
         "armour", "change", "metadata_xml", "metadata_json", "policy", "policy_csv", "sound")  # fmt: skip
FOLDER = Path(__file__).resolve().parents[3] / ".fuzz"
# An input that takes longer than this is also a finding.
SECONDS_EACH = 10
MODULES = [
    "callseal.archive.sound.byte_stream",
    "callseal.archive.sound.loudest",
    "callseal.archive.sound.mp3",
    "callseal.archive.sound.peaks",
    "callseal.archive.sound.sound",
    "callseal.archive.sound.wav",
    "callseal.calls.classes",
    "callseal.calls.conditions",
    "callseal.calls.converters",
    "callseal.calls.members",
    "callseal.calls.metadata_bounds",
    "callseal.calls.metadata_json",
    "callseal.calls.metadata_reader",
    "callseal.calls.numbers",
    "callseal.calls.paths",
    "callseal.calls.policy",
    "callseal.calls.policy_csv",
    "callseal.calls.profiles",
    "callseal.calls.profiles.generic",
    "callseal.core.landing",
    "callseal.crypto.openpgp_packets",
    "callseal.crypto.recipients.blocks",
    "callseal.crypto.recipients.openpgp",
    "callseal.crypto.recipients.x509",
    "callseal.inbound.changes",
    "callseal.inbound.notification",
    "callseal.tenants.settings",
    "json",
]


def fuzz(name: str, seconds: int, runs: int, seed: int, folder: Path) -> None:
    """Fuzz one parser and end this process, with 0 if there was no finding."""
    import atheris

    with atheris.instrument_imports(include=MODULES):
        from tests.security.abuse.parsers import PARSERS
    from tests.support.keys import clean_up

    parser = PARSERS[name]
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(parser.seeds()):
        (corpus / f"seed-{number}").write_bytes(sample)
    clean_up()  # no exit handler runs: libFuzzer exits immediately
    options = [f"-max_len={parser.max_bytes}", f"-timeout={SECONDS_EACH}", f"-artifact_prefix={corpus}/found-",
               "-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=1"]  # fmt: skip
    options += [f"-max_total_time={seconds}"] * bool(seconds) + [f"-runs={runs}"] * bool(runs)
    options += [f"-seed={seed}"] * bool(seed)
    atheris.Setup([sys.argv[0], *options, str(corpus)], parser.check)
    atheris.Fuzz()


def main() -> int:
    """Fuzz one parser, or each in its own process."""
    arguments = argparse.ArgumentParser(prog="python -m tests.security.abuse.fuzz", description=__doc__)
    arguments.add_argument("parser", choices=[*NAMES, "all"])
    arguments.add_argument("--seconds", type=int, default=0, help="how long")
    arguments.add_argument("--runs", type=int, default=0, help="how many inputs")
    arguments.add_argument("--seed", type=int, default=0, help="begin with this number, to get the same run again")
    arguments.add_argument("--folder", type=Path, default=FOLDER, help="where corpus and findings are kept")
    chosen = arguments.parse_args()
    if chosen.parser != "all":
        fuzz(chosen.parser, chosen.seconds, chosen.runs, chosen.seed, chosen.folder)
        return 0
    command = [sys.executable, "-m", "tests.security.abuse.fuzz"]
    rest = [
        f"--seconds={chosen.seconds}",
        f"--runs={chosen.runs}",
        f"--seed={chosen.seed}",
        f"--folder={chosen.folder}",
    ]
    failed = [name for name in NAMES if subprocess.run([*command, name, *rest], check=False).returncode]
    print(f"fuzz: {len(NAMES)} parsers, {len(failed)} with findings {failed or ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
