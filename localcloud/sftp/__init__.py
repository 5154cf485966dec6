"""The SFTP front on one machine: what AWS Transfer Family is in AWS, made of rclone, for the same template.

    client -> relay -> rclone serve sftp -> S3 gate -> moto
                            `-> ask.py -> logins -> authenticate_sftp (the template's own function)

rclone speaks SFTP and knows no tenant. `logins.py` asks the identity function as Transfer does, compares keys as it
does, and writes the log lines that it writes; `s3_gate.py` holds each session to the session policy that the function
answered, request by request, as IAM does.
"""
