"""web2py's own appadmin, put into the application for members of its admin group alone.

web2py's welcome application brings the controller; its check lets in whoever holds the site's admin password, or sits at
the server. That check is replaced, never bypassed: a welcome application whose check is not one of those known here,
byte for byte, is refused, and appadmin is then simply not there.
"""

import hashlib
import importlib.util
from pathlib import Path

NAME = "appadmin.py"
START = "global_env['datetime'] = datetime\n"
END = "ignore_rw = True\n"
KNOWN_CHECKS = {
    "728b28ffa9d72292394a9f040aa440f9d89e230a2a1650300bfc45734ea46e75": "2.21.1 to 3.3.1",
    "73128d510b1a5aaf85f43614e2dfb6436ca81c7c25b9b5d916bc4bd4816fcefb": "3.3.2 and later",
}
GUARD = """
# The check of the members of the admin group, put here by demo_host.appadmin in place of web2py's own.
import re as __re


def __refuse(message, status=403):
    response.title = T("Nothing was done")
    raise HTTP(status, response.render("default/refused.html", dict(message=message)))


if "auth" not in globals():
    raise HTTP(403)
if not auth.is_logged_in():
    redirect(URL("default", "user", args="login", vars=dict(_next=URL(args=request.args, vars=request.get_vars))))
if not auth.has_membership("admin"):
    __refuse(T("Only administrators may open this page."))
if request.function not in ("index", "insert", "select", "update", "csv", "download", "state", "ccache"):
    __refuse(T("There is no such page."), 404)
if any(isinstance(value, list) for value in request.vars.values()):
    __refuse(T("A value was given twice."), 400)
# The query box evaluates Python. A link, which any site can make an administrator follow, may only ask for rows.
if request.env.http_sec_fetch_site in ("cross-site", "same-site") and request.vars:
    __refuse(T("Open this page from within the application."))
if request.env.request_method != "POST":
    if request.vars.query and not __re.fullmatch(r'(db\\.)?\\w+\\.\\w+(>0|!=""|==?\\d+)', request.vars.query):
        __refuse(T("Enter this query on the page itself."))
    if request.vars.update_check or request.vars.delete_check:
        __refuse(T("Change records on the page itself."))
if request.vars.orderby and not __re.fullmatch(r"~?\\w+\\.\\w+", request.vars.orderby):
    __refuse(T("Rows cannot be sorted by that."))
if request.function == "csv" and "auth_" in (request.vars.query or ""):
    __refuse(T("These tables hold passwords and are not exported."))
response.title = T("Database")
menu = False

"""


class UnknownAppadminError(RuntimeError):
    """This web2py's appadmin is absent or not one whose check can be replaced safely."""


def put(app: Path) -> None:
    """Put the guarded appadmin into the application folder `app`; leave it out, or remove it, if that is not safe.

    Raises UnknownAppadminError, after removing an appadmin put there earlier.
    """
    target = app / "controllers" / NAME
    try:
        text = guarded(source(app).read_text(encoding="utf-8"))
    except UnknownAppadminError:
        target.unlink(missing_ok=True)
        raise
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")


def source(app: Path) -> Path:
    """The welcome application's appadmin: beside the application `app`, else where web2py was installed by pip."""
    places = [app.parent / "welcome"]
    installed = importlib.util.find_spec("gluon")
    if installed and installed.origin:
        places.append(Path(installed.origin).parents[1] / "applications" / "welcome")
    for place in places:
        if (place / "controllers" / NAME).exists():
            return place / "controllers" / NAME
    raise UnknownAppadminError(f"No welcome application with an {NAME} in {' or '.join(map(str, places))}.")


def guarded(text: str) -> str:
    """The controller `text` with its check replaced by ours; raises UnknownAppadminError for a check not known."""
    head, found_start, rest = text.partition(START)
    check, found_end, tail = rest.partition(END)
    digest = hashlib.sha256((START + check).encode("utf-8")).hexdigest()
    if not (found_start and found_end) or digest not in KNOWN_CHECKS:
        raise UnknownAppadminError(
            "This web2py's appadmin has a check of who may use it that is not known here"
            f" (sha256 {digest[:12]}…). appadmin was left out. demo_host/appadmin.py lists the known ones."
        )
    return head + START + GUARD + END + tail
