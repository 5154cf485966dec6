"""Where the waveform of a call's file is kept in the table of waveforms."""


def place_of(call: str, n: int, content: str) -> str:
    """Return the sort key of a file's waveform. `content` is the id of the file's delivery."""
    return f"{call}#{n}#{content}"
