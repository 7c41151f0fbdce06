"""The connection, who may sign in, and what every answer carries. Runs at every request, so it stays cheap."""

from demo_host import compat  # noqa: F401  must come first
from demo_host import browse, first_start
from plugin_sync.texts import Texts

from gluon.tools import Auth, PluginManager

settings = first_start.settings(request.folder)
first_start_due = first_start.pending(request.folder)

db = DAL(
    settings["database_uri"],
    pool_size=0 if settings["database_uri"].startswith("sqlite") else 10,
    migrate_enabled=first_start_due is not None,
    lazy_tables=first_start_due is None,
    check_reserved=None,
    driver_args=first_start.driver_args(settings["database_uri"]),
)

T.is_writable = False
T.set_current_languages("en")
number_text = Texts(T).number_text
response.generic_patterns = []
response.static_version = first_start.static_version(request.folder)
response.static_version_urls = True
if request.is_https:
    session.secure()

response.formstyle = "divs"
office_name = settings["name"]

auth = Auth(db, host_names=None)
auth.settings.actions_disabled = ["register", "request_reset_password", "retrieve_username", "retrieve_password"]
auth.settings.login_next = auth.settings.logout_next = URL("default", "index")
auth.settings.create_user_groups = None
auth.settings.remember_me_form = False
auth.messages.login_button = T("Sign in")
auth.messages.submit_button = auth.messages.profile_save_button = T("Save")
auth.messages.invalid_login = T("The address or the password is wrong. Check both, then try again.")
auth.messages.logged_in = T("You are signed in.")
auth.messages.logged_out = T("You are signed out.")
auth.messages.access_denied = T("Your account may not open that page. Ask an administrator of this office.")
auth.messages.label_email = T("E-mail address")
auth.define_tables(username=False, signature=False)
# A list, for signing in lifts the last one's least length: a password tried there is right or wrong, never too short.
too_short = T("Choose a password of at least 8 characters.")
db.auth_user.password.requires = [CRYPT(digest_alg="pbkdf2(210000,32,sha512)", min_length=8, error_message=too_short)]

response.headers["Content-Security-Policy"] = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
response.headers["X-Content-Type-Options"] = "nosniff"
response.headers["X-Frame-Options"] = "DENY"
response.headers["Referrer-Policy"] = "same-origin"

plugins = PluginManager()
plugins.sync.name = office_name
plugins.sync.lookup = ["gis_layer_openstreetmap", "gis_layer_google"]
plugins.sync.site_specific = ["gis_config", "gis_apikey", "system_config"]
plugins.sync.modules = {}
plugins.sync.module_names = browse.MODULES
plugins.sync.scheduler = lambda: host_scheduler()
plugins.sync.allow_http_loopback = True  # offices that are tried out on one machine have no certificates
plugins.sync.match = {"org_organisation": ["name"]}

# What every record of the host's tables has beside its own fields.
record_fields = db.Table(
    db,
    "record_fields",
    Field("uuid", length=64, default=lambda: plugin_sync_new_uuid(), readable=False, writable=False),
    Field("created_on", "datetime", label=T("Created on"), default=request.utcnow, readable=False, writable=False),
    Field(
        "modified_on",
        "datetime",
        label=T("Modified on"),
        default=request.utcnow,
        update=request.utcnow,
        writable=False,
    ),
    Field("deleted", "boolean", default=False, readable=False, writable=False),
)


def named(name, **settings):
    """A record's required name."""
    settings.setdefault("label", T("Name"))
    return Field(name, length=128, notnull=True, requires=[IS_NOT_EMPTY(), IS_LENGTH(128)], **settings)


def linked(name, table, choose=True, **settings):
    """A field that refers to a record of `table`: chosen by name, or entered by number where there are thousands."""
    known = IS_IN_DB(db, f"{table}.id", "%(name)s" if choose else None)
    settings.setdefault("ondelete", "SET NULL")
    if not choose:
        settings["widget"] = lambda field, value: SQLFORM.widgets.string.widget(field, value)
    return Field(name, f"reference {table}", requires=IS_EMPTY_OR(known), **settings)
