"""The SFTP front: who may log in, what a session may reach, and what became of each delivered file.

Logins: `authorized_keys.py` and `options.py` parse the keys that a tenant sent, `login.py` parses the server's request,
and `session.py` builds its answer. Audit: `server_log.py` parses the server's log, and `events.py` builds the events.
"""
