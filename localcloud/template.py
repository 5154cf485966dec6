"""The translated template: the description of the system as CloudFormation receives it after SAM's transform."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import yaml
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.utils.py27hash_fix import to_py27_compatible_template, undo_mark_unicode_str_in_template
from samtranslator.yaml_helper import yaml_parse

from localcloud.errors import TemplateError

Template = dict[str, Any]

LOCAL_BUCKET = "local-folder"
_FOLDER_PROPERTIES = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


def load_template(path: Path, region: str, parameters: Mapping[str, str] | None = None) -> Template:
    """Return a SAM template, translated without calls to AWS. Raise TemplateError.

    Folders of functions and layers become `{"S3Bucket": LOCAL_BUCKET, "S3Key": <folder>}`.
    """
    source = _read(path)
    _address_folders(source)
    try:
        return _translate(source, region, dict(parameters or {}))
    except InvalidDocumentException as exc:
        raise TemplateError(f"{path.name} cannot be translated: {_causes(exc)}") from exc


def _translate(source: Template, region: str, parameters: dict[str, str]) -> Template:
    # As samtranslator's own `transform`, but with a session: without one it fails if no region is configured.
    to_py27_compatible_template(source, parameters)
    # No managed policies: SAM would ask IAM for them.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=region))
    translated: Template = undo_mark_unicode_str_in_template(translator.translate(source, parameters))
    # The metrics are sent nowhere, but samtranslator prints a warning if they are not published.
    translator.metrics.publish()
    return translated


def _read(path: Path) -> Template:
    try:
        source = yaml_parse(path.read_text(encoding="utf-8"))  # type: ignore[no-untyped-call]
    except (OSError, yaml.YAMLError) as exc:
        raise TemplateError(f"{path.name} cannot be read: {' '.join(str(exc).split())}") from exc
    if not isinstance(source, dict) or not isinstance(source.get("Resources"), dict):
        raise TemplateError(f"{path.name} is not a template: it has no Resources.")
    # YAML anchors create shared objects, and SAM's changes in place would change every use of one.
    unshared: Template = json.loads(json.dumps(source, default=str))
    return unshared


def _address_folders(source: Template) -> None:
    # SAM translates only what `sam package` has uploaded, so each local folder gets an S3 address that names it.
    sections = [(r.get("Type"), r.get("Properties", {})) for r in source["Resources"].values()]
    sections.append(("AWS::Serverless::Function", source.get("Globals", {}).get("Function", {})))
    for kind, properties in sections:
        name = _FOLDER_PROPERTIES.get(str(kind))
        folder = properties.get(name) if name else None
        if isinstance(folder, str) and not folder.startswith("s3://"):
            properties[name] = f"s3://{LOCAL_BUCKET}/{folder}"


def _causes(exc: InvalidDocumentException) -> str:
    return "; ".join(cause.message for cause in exc.causes) or str(exc.message)
