"""The SFTP front on one machine: serves what AWS Transfer Family serves in AWS, for the same template.

    client -> connection -> files -> object_reader -> bucket -> moto
                  `-> logins -> authenticate_sftp (the template's own function)

asyncssh speaks SSH and SFTP. `logins.py` asks the identity function as Transfer does and compares keys as it does;
`lines.py` has the log lines and events that Transfer writes; `bucket.py` checks each request to S3 against the session
policy that the function answered, as IAM does.
"""
