"""The whole function compared with a plain copy of the same bytes; its memory and its cold start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import ROUNDS, Row, duration, speed, take_turns
from benchmarks.subject import ROOT, batch, environment, null_aws, our_function, pass_through
from tests.support.keys import x509_tenant

GIB, SMALL, MANY = 1024**3, 500_000, 1000
# Less than S3 takes. The other rows use services that answer at once, so that they measure only our own work.
LATENCY_SECONDS = 0.005
BOTH = {"deliver_to_archive": True, "archive_formats": ["wav"]}
BARE_HANDLER = """
import json
import boto3
s3 = boto3.client("s3")
def lambda_handler(event, context):
    key = json.loads(event["Records"][0]["body"])["Records"][0]["s3"]["object"]["key"]
    s3.put_object(Bucket="sftp", Key=key, Body=s3.get_object(Bucket="landing", Key=key)["Body"].read())
    return {"batchItemFailures": []}
"""


def function_vs_passthrough() -> Row:
    """Compare with a plain copy for one file of 1 GiB."""
    event = batch(GIB)
    with null_aws(x509_tenant().public_text, {}):
        ours, plain = our_function(), pass_through()
        times = take_turns(lambda: ours(event), lambda: plain(event))
    row = speed("function_vs_passthrough", GIB, times, "<= 1.10", "1 GiB, CMS; boto3's get_object and upload_fileobj")
    return Row(row.name, row.ours, row.peer, row.unit, round(times[0] / times[1], 3), row.goal, row.note)


def small_recordings_vs_passthrough() -> Row:
    """Compare with a plain copy for 1,000 files of 500 KB in batches of 10, both with ten workers."""
    events = [batch(SMALL, 10)] * (MANY // 10)
    with null_aws(x509_tenant().public_text, {}):
        ours, plain = our_function(), pass_through()
        times = take_turns(lambda: [ours(event) for event in events], lambda: [plain(event) for event in events])
    note = "1,000 x 500 KB, CMS; boto3's get_object and put_object, 2 requests a file to our 2 and shares of two"
    return duration("small_recordings_vs_passthrough", times, "<= 1.10", note)


def two_destinations_vs_one() -> Row:
    """Compare one file of 1 GiB to SFTP and archive with the same file to SFTP only."""
    event, key = batch(GIB), x509_tenant().public_text
    with null_aws(key, BOTH):
        two = our_function()
        two(event)
        with null_aws(key, {}):
            one = our_function()
            one(event)
            times = take_turns(lambda: two(event), lambda: one(event))
    return duration("two_destinations_vs_one", times, "<= 1.15", "1 GiB, CMS; the second is a server-side copy")


def batch_vs_one_by_one() -> Row:
    """Compare 1,000 files of 500 KB in batches of 10 with one file in each invocation."""
    tens, ones = [batch(SMALL, 10)] * (MANY // 10), [batch(SMALL)] * MANY
    with null_aws(x509_tenant().public_text, {}, LATENCY_SECONDS):
        ours = our_function()
        times = take_turns(lambda: [ours(event) for event in tens], lambda: [ours(event) for event in ones])
    note = f"1,000 x 500 KB over services that take {LATENCY_SECONDS * 1e3:g} ms to answer: what waiting at once saves"
    return duration("batch_vs_one_by_one", times, "<= 1.0", note)


def peak(family: str, size: int, count: int = 1) -> float:
    """Return the peak memory in MB of a new process that handles `count` files of `size` bytes, the median of three."""
    command = [sys.executable, "-m", "benchmarks.subject", family, str(size), str(count)]
    variables = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/layers/callseal/python"}
    runs = [subprocess.run(command, capture_output=True, check=True, cwd=ROOT, env=variables) for _ in range(3)]
    return float(sorted(json.loads(run.stdout)["peak_mb"] for run in runs)[1])


def memory() -> list[Row]:
    """Measure the peak memory of the whole handler at 10 MiB, 1 GiB and 5 GiB, for both kinds of envelopes."""
    sizes = {"10 MiB": 10 * 1024**2, "1 GiB": GIB, "5 GiB": 5 * GIB}
    peaks = {(family, name): peak(family, size) for family in ("x509", "openpgp") for name, size in sizes.items()}
    note = "; ".join(f"{family} {name}: {value:.0f} MB" for (family, name), value in peaks.items())
    grown = max(peaks[family, name] - peaks[family, "10 MiB"] for family, name in peaks)
    large, small = peaks["x509", "5 GiB"], peaks["x509", "10 MiB"]
    highest = max(peaks.values())
    full = peak("x509", GIB, 10)
    return [
        Row("peak_memory_growth_mb", round(large, 1), round(small, 1), "MB", round(grown, 1), "<= 20", note),
        Row("handler_peak_mb", round(highest, 1), round(full, 1), "MB", round(max(highest, full), 1), "<= 160",
            "the whole handler; the peer is a batch of ten files of 1 GiB"),
    ]  # fmt: skip


def cold_start_vs_boto3() -> Row:
    """Compare INIT and the first sealed recording with a bare boto3 handler's INIT, GET and PUT, under the RIE."""
    sys.path.insert(0, str(ROOT / "tests" / "template" / "sam"))
    import rie

    ours = rie.built_function("EncryptRecordingFunction", ROOT / "functions" / "encrypt_recording")
    event = batch(SMALL)
    with null_aws(x509_tenant().public_text, {}), tempfile.TemporaryDirectory() as folder:
        bare = bare_function(Path(folder) / "bare", rie.runtime())
        variables = {
            **environment(os.environ["AWS_ENDPOINT_URL"], Path(os.environ["AWS_CA_BUNDLE"])),
            "GPG_BINARY": str(rie.gpg_layer() / "bin" / "gpg"),
        }

        def first_call(function: Path, **more: str) -> float:
            with rie.running(function, Path(folder), variables | more) as running:
                started = time.perf_counter()
                answer = running.invoke(event)
                assert answer == {"batchItemFailures": []}, answer
                return time.perf_counter() - started

        pairs = [(first_call(ours), first_call(bare, PYTHONPATH=str(bare))) for _ in range(ROUNDS + 2)][2:]
    times = sorted(pair[0] for pair in pairs)[ROUNDS // 2], sorted(pair[1] for pair in pairs)[ROUNDS // 2]
    return duration(
        "cold_start_vs_boto3", times, "<= 1.3", "INIT plus first recording under the RIE; bare boto3 handler"
    )


def bare_function(folder: Path, python: Path) -> Path:
    """Create the peer's folder: its handler and the whole boto3 of our pins, byte-compiled like our layers."""
    pins = (ROOT / "layers/dependencies/requirements.in").read_text().split()
    sdk = [pin for pin in pins if pin.startswith(("boto3==", "botocore=="))]
    folder.mkdir()
    (folder / "app.py").write_text(BARE_HANDLER)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--target", folder, *sdk], check=True)
    subprocess.run(
        [python, "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", folder], check=True
    )
    return folder
