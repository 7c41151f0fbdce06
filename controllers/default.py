"""The host application's own pages.

web2py serves a function only if its head has neither arguments nor an annotation.
"""

from demo_host import browse, demo


def index():
    """Show which records this office has."""
    response.title = office_name
    if not auth.is_logged_in():
        return dict()
    modules = browse.tables_by_module(db)
    total = sum(count for tables in modules.values() for _, _, count in tables)
    return dict(modules=modules, total=total, demo_form=__demo_form(total))


def __demo_form(total):
    """The form by which an administrator fills an empty office; True if the package for it is missing, else None."""
    if total or not is_administrator:
        return None
    if not demo.is_available():
        return True
    form = FORM(INPUT(_type="submit", _value=T("Load demonstration data")), _action=URL("default", "index"))
    if form.process(formname="demo").accepted:
        count = demo.load(db, "main", request.folder)
        session.flash = T("%s records were loaded.", number_text(count))
        redirect(URL("default", "index"))
    return form


@auth.requires_login()
def records():
    """Show the records of one table, page by page."""
    if not request.args:
        redirect(URL("default", "index"))
    if not browse.may_be_seen(db, request.args(0)):
        response.title = T("Not found")
        raise HTTP(404, response.render("default/refused.html", dict(message=T("There is no such table."))))
    response.title = str(db[request.args(0)]._plural)
    number = request.vars.page or "1"
    page = int(number) if number.isdecimal() and int(number) else 1
    return dict(page=browse.page_of(db, request.args(0), page, number_text))


def user():
    """Sign in, sign out, change one's profile and password: web2py's own forms."""
    titles = {"login": T("Sign in"), "profile": T("Your profile"), "change_password": T("Change password")}
    title = titles.get(request.args(0), T("Not allowed"))
    form = __completed(auth())
    response.title = T("Error: %s", title) if getattr(form, "errors", None) else title
    return dict(form=form, title=title)


def __completed(form):
    """Tell browsers and password managers what each box of a form is for."""
    purposes = {
        "email": "username",
        "password": "current-password",
        "old_password": "current-password",
        "new_password": "new-password",
        "new_password2": "new-password",
        "first_name": "given-name",
        "last_name": "family-name",
    }
    for name, purpose in purposes.items() if isinstance(form, FORM) else ():
        for box in form.elements(f"input[name={name}]"):
            box["_autocomplete"] = purpose
    return form


@auth.requires_login()
def download():
    """Answer with an uploaded file."""
    return response.download(request, db)


def export_data():
    """Lead to the plugin's export page, from the address that users know."""
    redirect(URL("plugin_sync", "export"))


def import_data():
    """Lead to the plugin's import page, from the address that users know."""
    redirect(URL("plugin_sync", "import_file"))
