"""The statements of the notes on gpgsm 2.2 beyond yes and no."""

from pathlib import Path

from tests.interop import keys
from tests.interop.rows import CBC, DER, Row, plain


def test_second_rsa_recipient_gets_the_right_bytes_with_a_wrong_exit_code() -> None:
    sealed = Row(CBC, ("rsa2048", "rsa2048b"), DER).sealed(16)

    done = keys.gpgsm(Path(keys.gpgsm_import("rsa2048b")["home"]), "--decrypt", sealed)

    assert done.returncode == 2
    assert done.stdout == plain(16)
