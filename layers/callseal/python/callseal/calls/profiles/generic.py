"""The profile `generic`: facts by the usual names, wherever in the file they are.

Names are compared without case and punctuation. A value has its own name (`callId`), the name with its parent's before
it (`from/phoneNumber`, `agent/@id`), or, in a pair of name and value, what the pair names
(`<variable name="deny_recording">`, `{"key": "callId", "value": ...}`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from callseal.calls import converters as convert
from callseal.calls.converters import Converter
from callseal.calls.metadata_bounds import Entry
from callseal.calls.paths import Document

# By fact: names, the most certain first.
NAMES: Mapping[str, tuple[str, ...]] = {
    "session_id": (
        "sessionid", "callid", "conversationid", "contactid", "interactionid", "telephonysessionid", "recordingid",
    ),
    "started": (
        "starttime", "startedat", "startdatetime", "startdate", "callstarttime", "callstart", "contactstart",
        "sessionstart", "started", "start", "begintime", "datetime",
    ),
    "ended": (
        "endtime", "endedat", "enddatetime", "enddate", "stoptime", "callendtime", "callend", "contactend",
        "sessionend", "ended", "end", "finish",
    ),
    "seconds": (
        "durationseconds", "totaldurationseconds", "durationms", "durationmillis", "durationmilliseconds", "duration",
        "callduration",
    ),
    "direction": ("direction", "calldirection", "initialdirection", "isoutbound"),
    "caller": (
        "callernumber", "callerphonenumber", "caller", "callerid", "ani", "fromphonenumber", "fromnumber",
        "fromaddress", "from", "callingnumber", "callingparty", "remoteaddress", "sourcenumber",
    ),
    "callee": (
        "calleenumber", "calleephonenumber", "callee", "calleeid", "dnis", "tophonenumber", "tonumber", "toaddress",
        "to", "callednumber", "calledparty", "dialednumber", "dialedphonenumber", "accessnumber", "destinationnumber",
    ),
    "agent": ("agentid", "agentusername", "agentname", "agent", "userid", "username"),
    "queue": ("queuekey", "queuename", "queueid", "queue", "skillname", "skillid", "skill"),
    "restricted": ("restricted", "setrestricted", "isrestricted"),
    "sensitive": ("sensitive", "setsensitive", "issensitive"),
    "denied": ("denyrecording", "recordingdenied", "denied"),
    "consent": ("recordingconsent", "callerconsent", "consent"),
    "informed": ("callerinformed", "informed"),
    "paused": ("recordingpaused", "paused"),
    "agent_accepted": ("agentaccepted",),
}  # fmt: skip
# Names that say in which form their value is. They hold for the setting `metadata_paths`, too.
FORMS: Mapping[str, Converter] = {
    "durationms": convert.from_milliseconds,
    "durationmillis": convert.from_milliseconds,
    "durationmilliseconds": convert.from_milliseconds,
    "isoutbound": convert.from_outbound_flag,
}
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]")
_NAMING = ("@name", "@key", "name", "key")
_VALUES = ("value", "@value")


def plain(name: str) -> str:
    """Return a name without case and punctuation."""
    return _NOT_IN_NAMES.sub("", name.lower())


def guesses(document: Document) -> dict[str, list[tuple[Entry, Converter | None]]]:
    """Return for each fact the values that may be it, the most certain first, with the converter of their form."""
    by_name: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in document.entries:
        for name in _names(document, entry):
            by_name[name].append(entry)
    return {
        fact: [(entry, FORMS.get(name)) for name in names for entry in by_name.get(name, ())[:1]]
        for fact, names in NAMES.items()
    }


def _names(document: Document, entry: Entry) -> Iterator[str]:
    *above, last = entry.path
    yield plain(last.name)
    if above:
        yield plain(above[-1].name) + plain(last.name)
    # <variable name="x">text</variable> names its own text; {"key": "x", "value": ...} the value beside it.
    pairs = document.siblings(entry) if last.name in _VALUES else document.children(entry)
    yield from (plain(text) for name, text in pairs if name in _NAMING)
