"""The SFTP front's core: who may log in, and what a session may reach.

`authorized_keys.py` and `options.py` judge the text that a tenant sent, `session.py` says what a session reaches,
`login.py` reads what the server asks, `server_log.py` what it logs, and `events.py` tells the audit.
"""
