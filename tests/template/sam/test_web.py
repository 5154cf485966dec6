"""`make web` uploads the archive's page with its types, changes only what differs, and invalidates the distribution."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
import rie
from moto import mock_aws

# As a script finds its neighbours. By its name in the package `tools` mypy would find them twice.
sys.path.insert(0, str(rie.ROOT / "tools"))
web: Any = importlib.import_module("web")
REGION: Final = "eu-north-1"


class Deployed:
    """A stack with a page's bucket and a distribution on moto."""

    def __init__(self, folder: Path, outputs: bool = True) -> None:
        self.folder = folder / "web"
        (self.folder / "views").mkdir(parents=True)
        self.write("index.html", "<!doctype html>")
        self.write("views/call.js", "export {};")
        self.write("style.css", "main { color: #111 }")
        self.session = boto3.Session("a", "b", region_name=REGION)
        self.s3, self.cloudfront = self.session.client("s3"), self.session.client("cloudfront")
        self.s3.create_bucket(Bucket="page", CreateBucketConfiguration={"LocationConstraint": REGION})
        origins = {"Quantity": 1, "Items": [{"Id": "page", "DomainName": "page.s3.amazonaws.com",
                                             "S3OriginConfig": {"OriginAccessIdentity": ""}}]}  # fmt: skip
        config: dict[str, Any] = {
            "CallerReference": "1", "Origins": origins, "Comment": "", "Enabled": True,
            "DefaultCacheBehavior": {"TargetOriginId": "page", "ViewerProtocolPolicy": "https-only"},
        }  # fmt: skip
        made = self.cloudfront.create_distribution(DistributionConfig=config)["Distribution"]
        self.distribution, self.url = made["Id"], f"https://{made['DomainName']}"
        values = {"ArchiveUrl": self.url, **({"ArchiveWebBucketName": "page"} if outputs else {})}
        template = {"Resources": {}, "Outputs": {name: {"Value": value} for name, value in values.items()}}
        self.session.client("cloudformation").create_stack(StackName="tested", TemplateBody=json.dumps(template))

    def write(self, name: str, content: str) -> None:
        (self.folder / name).write_text(content, encoding="utf-8")

    def run(self) -> str:
        return str(web.deploy_page(self.session, "tested", self.folder))

    def stored(self) -> set[str]:
        return {item["Key"] for item in self.s3.list_objects_v2(Bucket="page").get("Contents", [])}

    def invalidations(self) -> int:
        listed = self.cloudfront.list_invalidations(DistributionId=self.distribution)
        return len(listed["InvalidationList"].get("Items", []))


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    with mock_aws():
        yield Deployed(tmp_path)


def test_page_is_uploaded_with_types_and_cache_headers(deployed: Deployed) -> None:
    assert deployed.run() == f"The page of {deployed.url}: 3 files changed."
    heads = {key: deployed.s3.head_object(Bucket="page", Key=key) for key in deployed.stored()}
    assert {key: head["ContentType"] for key, head in heads.items()} == {
        "index.html": "text/html; charset=utf-8",
        "views/call.js": "text/javascript; charset=utf-8",
        "style.css": "text/css; charset=utf-8",
    }
    assert {head["CacheControl"] for head in heads.values()} == {"no-cache"}
    assert deployed.invalidations() == 1


def test_run_without_a_change_does_nothing(deployed: Deployed) -> None:
    deployed.run()
    assert deployed.run() == f"The page of {deployed.url}: 0 files changed."
    assert deployed.invalidations() == 1


def test_file_that_the_page_no_longer_has_goes(deployed: Deployed) -> None:
    deployed.run()
    (deployed.folder / "style.css").unlink()
    deployed.write("index.html", "<!doctype html><title>new</title>")
    assert deployed.run().endswith("2 files changed.")
    assert deployed.stored() == {"index.html", "views/call.js"}


def test_page_itself_is_the_last_file(deployed: Deployed) -> None:
    assert list(web.files_of(deployed.folder))[-1] == "index.html"


def test_what_is_for_readers_of_the_repository_is_not_uploaded(deployed: Deployed) -> None:
    for name in ("README.md", "LICENSE"):
        deployed.write(name, "text")
    assert set(web.files_of(deployed.folder)) == {"index.html", "views/call.js", "style.css"}


def test_file_without_a_type_is_refused_before_the_first_upload(deployed: Deployed) -> None:
    deployed.write("a.xyz", "?")
    with pytest.raises(web.WebError, match=r"a\.xyz has no content type"):
        deployed.run()
    assert deployed.stored() == set()


def test_folder_without_a_page_is_refused(deployed: Deployed) -> None:
    (deployed.folder / "index.html").unlink()
    with pytest.raises(web.WebError, match=r"no index\.html"):
        deployed.run()


def test_distribution_that_is_not_there_is_named(deployed: Deployed) -> None:
    with pytest.raises(web.WebError, match=r"domain name other\.cloudfront\.net"):
        web.invalidate(deployed.cloudfront, "https://other.cloudfront.net")


def test_stack_without_a_page_has_nothing_to_upload(tmp_path: Path) -> None:
    with mock_aws():
        deployed = Deployed(tmp_path, outputs=False)
        assert "ArchiveFront=none" in deployed.run()
        assert deployed.stored() == set()


def test_command_names_an_unknown_environment() -> None:
    command: list[str | Path] = [sys.executable, rie.ROOT / "tools/web.py", "--config-env", "nowhere"]
    environment = {"PYTHONPATH": ".", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(command, cwd=rie.ROOT, env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("make web: samconfig.toml has no [nowhere...] tables")


def test_every_file_of_the_page_has_a_type() -> None:
    if (rie.ROOT / "web").exists():
        assert web.files_of(rie.ROOT / "web")
