"""The development issuer's form: who signs in, and what the id token says about them."""

import html
from collections.abc import Mapping

# By field: its label, its input's attributes, and a hint.
_FIELDS = {
    "email": ("E-mail", 'type="email" autocomplete="username" required', ""),
    "tenant": ("Tenant", 'type="text"', ""),
    "groups": ("Groups", 'type="text"', "separated by commas"),
    "name": ("Name", 'type="text" autocomplete="name"', "the e-mail if empty"),
    "agent": ("Agent", 'type="text"', "the name in the metadata of calls; none if empty"),
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in - Callseal's development issuer</title>
<main>
<h1>Sign in</h1>
<p>This issuer is for development. It believes everything that you enter.</p>
{problem}<form method="post" action="/authorize">
{hidden}{fields}<p><button type="submit">Sign in</button></p>
</form>
</main>
</html>
"""


def form_page(values: Mapping[str, str], problem: str = "") -> str:
    """Return the page with the form. Values that are not the form's own fields are in hidden fields."""
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">\n'
        for name, value in values.items()
        if name not in _FIELDS
    )
    fields = "".join(_field(name, values.get(name, "")) for name in _FIELDS)
    alert = f'<p role="alert">{html.escape(problem)}</p>\n' if problem else ""
    return _PAGE.format(problem=alert, hidden=hidden, fields=fields)


def _field(name: str, value: str) -> str:
    label, attributes, hint = _FIELDS[name]
    described = f' aria-describedby="{name}-hint"' if hint else ""
    note = f' <span id="{name}-hint">({hint})</span>' if hint else ""
    entry = f'<input id="{name}" name="{name}" value="{html.escape(value)}" {attributes}{described}>'
    return f'<p><label for="{name}">{label}</label><br>{entry}{note}</p>\n'
