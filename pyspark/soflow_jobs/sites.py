"""Where the sites of the network are."""

from __future__ import annotations

import re

# Sites with a domain of their own, by the name the API calls them. All others are below stackexchange.com.
# Source: api.stackexchange.com/docs/sites.
OWN_DOMAIN = {
    "stackoverflow": "stackoverflow.com",
    "superuser": "superuser.com",
    "serverfault": "serverfault.com",
    "askubuntu": "askubuntu.com",
    "stackapps": "stackapps.com",
    "mathoverflow": "mathoverflow.net",
}
SHARED_DOMAIN = "stackexchange.com"
NAME = re.compile(r"[a-z0-9-]+(\.meta)?")


def host(site: str) -> str | None:
    """The site's host: `bicycles.meta.stackexchange.com` of `bicycles.meta`; None of what is no name of a site.

    A language or `meta` stands before the name of a site with its own domain: `ru.stackoverflow`, `meta.superuser`.
    """
    before, dot, name = site.removesuffix(".net").rpartition(".")
    if name in OWN_DOMAIN:
        return f"{before}{dot}{OWN_DOMAIN[name]}"
    return f"{site}.{SHARED_DOMAIN}" if NAME.fullmatch(site) else None
