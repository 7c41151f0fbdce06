"""The host application's own pages.

web2py serves a function only if its head has neither arguments nor an annotation.
"""


def index():
    """Show the home page of the office."""
    response.title = T("Field office")
    return dict()


def user():
    """Sign in, sign out, change one's profile and password: web2py's own forms."""
    return dict(form=auth())


@auth.requires_login()
def download():
    """Answer with an uploaded file."""
    return response.download(request, db)


def export_data():
    """Lead to the plugin's export page, from the address earlier versions had."""
    redirect(URL("plugin_sync", "export"))


def import_data():
    """Lead to the plugin's import page, from the address earlier versions had."""
    redirect(URL("plugin_sync", "import_file"))
