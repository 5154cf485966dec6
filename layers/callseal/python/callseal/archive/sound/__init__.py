"""Sound files: WAV and MP3 as a stream of samples, and the peaks of samples. Nothing here knows AWS.

The files come from outside, so each parser bounds its work, and what it cannot read is a NoWaveformError.
"""
