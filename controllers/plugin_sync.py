"""The plugin's pages, for members of the administrators' group alone.

Each action parses, calls a use case of the engine and renders. What must not be a URL takes arguments or starts with `__`.
"""

from pathlib import Path
from urllib.parse import urlencode

from plugin_sync import integrity, jobs, sizes, texts
from plugin_sync.catalog import is_denied, read_catalog
from plugin_sync.errors import SyncError
from plugin_sync.instances import own_instance, utc_now
from plugin_sync.policies import Policy
from plugin_sync.records import Identity


def __require_administrator():
    """The guard in front of every action: visitors may sign in, whoever else is no administrator is refused."""
    if not auth.is_logged_in():
        if request.env.request_method not in ("GET", "HEAD"):
            raise HTTP(403, __refusal(T("You are not signed in. Nothing was done.")))
        here = URL(args=request.args, vars=request.get_vars)
        redirect(f"{auth.settings.login_url}?{urlencode({'_next': here})}")
    if not auth.has_membership(plugin_sync_options.admin_group):
        raise HTTP(403, __refusal(T("Only administrators may open these pages.")))


def __refusal(message, back=None):
    """The page that says why nothing was done, as text."""
    return response.render("plugin_sync/refused.html", __page(T("Nothing was done"), message=message, back=back))


def __page(title, errors=(), **values):
    """What a view gets: its title, faults of the form (id of the field, sentence), and what formats values."""
    response.title = T("Error: %s", title) if errors else title
    return {"title": title, "errors": errors, "texts": texts, "module_name": __module_name, **values}


def __module_name(module):
    """The name of a module for people; the host may give it."""
    return T(plugin_sync_options.module_names.get(module, module))


def __new_key():
    """A form that holds a fresh one-time key, for the view to put into its forms."""
    form = FORM()
    form.accepts({}, session, formname="plugin_sync")
    return form


def __require_key(back=None):
    """Refuse a POST without the one-time key of a page of this session."""
    if request.env.request_method != "POST" or not FORM().accepts(request.post_vars, session, formname="plugin_sync"):
        message = T("This page was used already, or it is too old. Open it again, then repeat what you wanted to do.")
        raise HTTP(403, __refusal(message, back))


def __release_session():
    """Save the session, with its key used up, and let this user's other requests go on during long work."""
    if not session._try_store_in_db(request, response):
        session._try_store_in_cookie_or_file(request, response)
    session.forget(response)


def __job():
    """The job that the address names."""
    try:
        return jobs.find_job(db, request.args(0) or "")
    except SyncError as error:
        raise HTTP(404, __refusal(texts.sentence(error.message, error.hint))) from error


def __imports():
    """The use cases of imports, with the files kept in the application's private folder."""
    folder = Path(request.folder, "private", "plugin_sync", "imports")
    return jobs.Imports(db, folder, plugin_sync_settings(), own_instance(db), plugin_sync_new_uuid)


def __body_is_whole():
    """Whether as many bytes came as the sender announced: some servers run pages on uploads that were cut off."""
    request.body.seek(0, 2)
    return str(request.body.tell()) == request.env.content_length


__require_administrator()


def index():
    """Home: what was exchanged and what waits."""
    begun = jobs.last_jobs(db, "import", jobs.State.CHECKED, jobs.State.RUNNING, limit=10)
    return __page(
        T("Data exchange"),
        instance=own_instance(db),
        exports=jobs.last_jobs(db, "export", limit=3),
        imports=jobs.last_jobs(db, "import", jobs.State.DONE, jobs.State.FAILED, limit=3),
        waiting=[job for job in begun if job.state == "running" or (job.check and job.check.counts.written)],
        known=db(db.sync_instance.is_self == None).select(orderby=db.sync_instance.name),  # noqa: E711
    )


def export():
    """Choose what to export; the form leads to the download."""
    catalog = read_catalog(db, plugin_sync_settings())
    found = sizes.table_sizes(db, catalog.included)
    return __page(
        T("Export"),
        [("table", T("Select at least one table"))] if request.get_vars.none else (),
        catalog=catalog,
        left_out=[spec for spec in catalog.tables if not spec.included],
        sizes=found,
        module_sizes={name: sizes.total(found, specs) for name, specs in catalog.modules.items()},
        total=sizes.total(found, catalog.included),
    )


def export_file():
    """Answer with the file: everything, one module (`module`), or chosen tables (`table`, repeated)."""
    get, settings = request.get_vars, plugin_sync_settings()
    tables = tuple(get.getlist("table")) if get.what == "tables" else None
    module = (get.module or "") if get.what == "module" else None
    if tables == ():
        redirect(URL("export", vars={"what": "tables", "none": 1}))
    instance = own_instance(db)
    name = texts.file_name(instance.label, module or ("tables" if tables else "all"), utc_now())
    download = jobs.Download(settings, instance, module, tables, auth.user_id, name)
    try:
        download.require(db)
    except SyncError as error:
        raise HTTP(404, __refusal(texts.sentence(error.message, error.hint), URL("export"))) from error
    session.forget(response)
    response.headers["Content-Type"] = "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return download.stream(db)


def import_file():
    """Choose a file and what happens to records that are here; a POST keeps and checks it."""
    errors = []
    if request.env.request_method == "POST":
        __require_key(URL("import_file"))
        errors = __receive(request.post_vars)
    elif request.args:
        fault = __job().error or {}
        errors = [("file", texts.fault_text(fault))] if fault else []
    chosen = request.post_vars.policy or plugin_sync_options.policy
    return __page(T("Import a file"), errors, key=__new_key(), policies=list(Policy), chosen=chosen)


def __receive(post):
    """Keep the uploaded file, check it and lead to what was found; return the form's faults if there are any."""
    if not getattr(post.file, "filename", None):
        return [("file", T("Select a file"))]
    try:
        facts = {"file_name": post.file.filename, "policy": post.policy or "", "user_id": auth.user_id}
        job_uuid = __imports().receive(post.file.file, whole=__body_is_whole(), **facts)
    except SyncError as error:
        return [("file", texts.fault_text(error.to_dict()))]
    __release_session()
    job = __imports().check(job_uuid)
    redirect(URL("check" if job.check else "import_file", args=job_uuid))


def check():
    """What importing a kept file would do; a POST looks again."""
    job = __job()
    if request.env.request_method == "POST":
        __require_key(URL("check", args=job.uuid))
        __release_session()
        job = __imports().check(job.uuid)
        redirect(URL("check", args=job.uuid))
    if job.state not in (jobs.State.CHECKED, jobs.State.QUEUED):
        redirect(URL("result" if job.check else "import_file", args=job.uuid))
    return __page(
        T("Check the changes"),
        job=job,
        key=__new_key(),
        own=own_instance(db),
        labels=__labels(),
        earlier=jobs.last_jobs(db, "import", jobs.State.DONE, limit=1, sha256=job.file_sha256),
    )


def apply():
    """Import a checked file, once, and lead to the result."""
    job = __job()
    if job.state is jobs.State.CHECKED:
        __require_key(URL("check", args=job.uuid))
        __release_session()
        __imports().apply(job.uuid)
    redirect(URL("result", args=job.uuid))


def result():
    """What an import did."""
    job = __job()
    if job.state in (jobs.State.CHECKED, jobs.State.QUEUED):
        redirect(URL("check", args=job.uuid))
    return __page(T("Import"), job=job, key=__new_key(), labels=__labels())


def __labels(*_):
    """The names of tables for people."""
    return {spec.name: spec.label for spec in read_catalog(db, plugin_sync_settings()).tables}


def tables():
    """Each table: whether it travels, and whether its uuids can be relied on."""
    catalog = read_catalog(db, plugin_sync_settings())
    states = {s.name: integrity.uuid_state(db, s) for s in catalog.included if s.identity is Identity.UUID}
    rows = {spec.name: sizes.count_rows(db, spec) for spec in catalog.tables}
    said = session.plugin_sync_said
    session.plugin_sync_said = None
    modules = {}
    for spec in sorted(catalog.tables, key=lambda spec: (is_denied(spec.name), spec.module not in catalog.modules, spec.module)):
        modules.setdefault("" if is_denied(spec.name) else spec.module, []).append(spec)
    return __page(T("Tables"), key=__new_key(), modules=modules, states=states, rows=rows, said=said)


def mend():
    """Mend a table's uuids: make the index, give the missing ones, renew the duplicates."""
    __require_key(URL("tables"))
    spec = read_catalog(db, plugin_sync_settings()).get(request.args(0) or "")
    if spec is None or not spec.included or request.args(1) not in ("index", "missing", "duplicates"):
        raise HTTP(404, __refusal(T("There is nothing to mend at this address."), URL("tables")))
    try:
        session.plugin_sync_said = __mend(spec, request.args(1))
    except SyncError as error:
        db.rollback()
        session.plugin_sync_said = f"{spec.name}: {texts.sentence(error.message, error.hint)}"
    redirect(URL("tables", anchor=spec.name))


def __mend(spec, what):
    """Do one mend; return what was done as text."""
    if what == "index":
        integrity.create_uuid_index(db, spec)
        return str(T("%s: the unique index on UUIDs is there.", spec.name))
    give = integrity.give_missing_uuids if what == "missing" else integrity.renew_duplicate_uuids
    count = give(db, spec, plugin_sync_new_uuid)
    return str(T("%(table)s: %(count)s records were given new UUIDs.", {"table": spec.name, "count": count}))


def instances():
    """The instances known here."""
    return __page(T("Instances"), rows=db(db.sync_instance).select(orderby=~db.sync_instance.is_self | db.sync_instance.name))
