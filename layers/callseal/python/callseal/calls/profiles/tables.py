"""The profiles of nine platforms, from their public documentation or from samples.

docs/metadata.md says what is assumed. The real test of a tenant's own files is `callseal profile try`.
"""

from __future__ import annotations

from collections.abc import Mapping

from callseal.calls.profiles.profile import Profile, in_milliseconds, profile

# Puzzel publishes no schema. Attributes as in tests/samples, and elements of the same names. The two variables are
# documented by Puzzel.
PUZZEL = profile(
    "from samples",
    outside_first=True,
    session_id=("//session/@id", "//sessionID", "//session_id", "//iq_session_id"),
    started=("//session/@start", "//startTime", "//start_time", "//start"),
    ended=("//session/@end", "//endTime", "//end_time", "//end", "//finish"),
    seconds=("//file/@durationSeconds", "//durationSeconds", "//duration"),
    direction=("//session/@direction", "//request/@direction", "//direction"),
    caller=("//request/@remoteAddress", "//remoteAddress", "//remote_address"),
    callee=("//session/@accessNumber", "//accessNumber", "//access_number"),
    agent=("//agent/@id", "//agent/@userName", "//agentID", "//userName", "//user_id"),
    queue=("//request/@queueKey", "//queueKey", "//queue_key"),
    denied=(
        "//variable[@name=deny_recording]",
        "//variable[@name=deny_recording]/@value",
        "//variable[name=deny_recording]/value",
        "//deny_recording",
    ),
    restricted=(
        "//variable[@name=SET_RESTRICTED]",
        "//variable[@name=SET_RESTRICTED]/@value",
        "//variable[name=SET_RESTRICTED]/value",
        "//SET_RESTRICTED",
    ),
)

# RFC 7865. It does not say which participant called; recorders list the calling one first. Oracle and NetSapiens have
# the calling party in extensions.
SIPREC = profile(
    "from documentation",
    session_id=("/recording/session/@session_id", "/recording/session/sipSessionID"),
    started=("/recording/session/start-time", "/recording/group/associate-time"),
    ended=("/recording/session/stop-time",),
    caller=("//callingParty/number", "/recording/participant[0]/nameID/@aor"),
    callee=("//calledParty/number", "/recording/participant[1]/nameID/@aor"),
)

# Verint Verba, "Metadata XML fields".
VERBA = profile(
    "from documentation",
    session_id=("//id", "//native_call_id"),
    started=("//start_date", "//start_time", "//start"),
    ended=("//end_date", "//end_time", "//end"),
    direction=("//direction",),
    caller=("//source_caller_id",),
    callee=("//destination_caller_id",),
    agent=("//owner", "//owner_user_id"),
)

# Genesys Interaction Recording, "Recording resource".
GENESYS_GIR = profile(
    "from documentation",
    session_id=("/id",),
    started=("/startTime", "/mediaFiles[0]/startTime"),
    ended=("/stopTime", "/mediaFiles[0]/stopTime"),
    seconds=(in_milliseconds("/mediaFiles[0]/duration"),),
    direction=("/callType",),
    caller=("/callerPhoneNumber", "/mediaFiles[0]/parameters/ani"),
    callee=("/dialedPhoneNumber", "/mediaFiles[0]/parameters/dnis"),
    agent=("/mediaFiles[0]/parameters/agentId", "/mediaFiles[0]/parameters/username"),
)

# Genesys Cloud, "Working with exported recordings in AWS S3 bucket": *_metadata.json.
GENESYS_CLOUD = profile(
    "from documentation",
    session_id=("/conversationId", "/conversation_id"),
    started=("/startTime", "/conversationStart"),
    ended=("/endTime", "/conversationEnd"),
    seconds=(in_milliseconds("/durationMs"),),
    direction=("/initialDirection", "/originatingDirection", "/direction"),
    caller=("/ani",),
    callee=("/dnis",),
    agent=("/userIds[0]",),
    queue=("/queueIds[0]",),
)

# Amazon Connect, "Data model for contact records". The customer is the outside party in both directions.
AMAZON_CONNECT = profile(
    "from documentation",
    outside_first=True,
    session_id=("/ContactId",),
    started=("/InitiationTimestamp", "/Recordings[0]/StartTimestamp"),
    ended=("/DisconnectTimestamp", "/Recordings[0]/StopTimestamp"),
    direction=("/InitiationMethod",),
    caller=("/CustomerEndpoint/Address",),
    callee=("/SystemEndpoint/Address",),
    agent=("/Agent/Username",),
    queue=("/Queue/Name",),
)

# RingCentral, one record of the call log.
RINGCENTRAL = profile(
    "from samples",
    session_id=("/telephonySessionId", "/sessionId"),
    started=("/startTime",),
    seconds=(in_milliseconds("/durationMs"), "/duration"),
    direction=("/direction",),
    caller=("/from/phoneNumber", "/from/extensionNumber"),
    callee=("/to/phoneNumber", "/to/extensionNumber"),
    agent=("/extension/id", "/legs/extension/id"),
)

# Zoom Phone, one item of the list of recordings.
ZOOM_PHONE = profile(
    "from samples",
    session_id=("/call_id", "/call_log_id"),
    started=("/date_time",),
    ended=("/end_time", "/call_end_time"),
    seconds=("/duration",),
    direction=("/direction",),
    caller=("/caller_number",),
    callee=("/callee_number",),
    agent=("/accepted_by/name", "/outgoing_by/name", "/owner/name"),
)

# draft-ietf-vcon-vcon-core-04 with the roles and the skill of the contact-centre extension, and the grants of
# draft-howe-vcon-lawful-basis-02. Who called is known by the role alone.
VCON = profile(
    "from documentation",
    session_id=("/uuid", "/dialog[0]/interaction_id"),
    started=("/dialog[0]/start",),
    seconds=("/dialog[0]/duration",),
    caller=("/parties[role=customer]/tel",),
    callee=("/parties[role=agent]/tel",),
    agent=("/parties[role=agent]/name",),
    queue=("/dialog[0]/skill",),
    consent=("/attachments[purpose=lawful_basis]/body/purpose_grants[purpose=recording]/granted",),
)

TABLES: Mapping[str, Profile] = {
    "puzzel": PUZZEL,
    "siprec": SIPREC,
    "verba": VERBA,
    "genesys-gir": GENESYS_GIR,
    "genesys-cloud": GENESYS_CLOUD,
    "amazon-connect": AMAZON_CONNECT,
    "ringcentral": RINGCENTRAL,
    "zoom-phone": ZOOM_PHONE,
    "vcon": VCON,
}
