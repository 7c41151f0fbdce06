"""The plugin's pages, for members of the administrators' group alone.

Each action parses, calls a use case of the engine and renders. What must not be a URL takes arguments or starts with `__`.
"""

import json
from datetime import datetime
from urllib.parse import urlencode

from plugin_sync import conflicts as decisions, history as exchanges, jobs, options as saved_options, pages, peers as calling
from plugin_sync import register, services
from plugin_sync.catalog import read_catalog
from plugin_sync.charts import bars, sparkline, strip
from plugin_sync.errors import SyncError
from plugin_sync.formats.registry import format_of
from plugin_sync.instances import Standing, own_instance, utc_now
from plugin_sync.policies import Policy
from plugin_sync.sent import Since
from plugin_sync.texts import Texts
from plugin_sync.wishes import read_wish

HOME, INSTANCES = URL("index"), URL("instances")
T = plugin_sync_translator()
texts = Texts(T)


def __require_administrator():
    """The guard in front of every action: visitors may sign in, whoever else is no administrator is refused."""
    if not auth.is_logged_in():
        if request.env.request_method not in ("GET", "HEAD"):
            __refuse(403, T("You are not signed in. Nothing was done."))
        here = URL(args=request.args, vars=request.get_vars)
        redirect(f"{auth.settings.login_url}?{urlencode({'_next': here})}")
    if not auth.has_membership(plugin_sync_options.admin_group):
        __refuse(403, T("Only administrators may open these pages."))


def __refuse(status, message, back=None):
    """Answer with the page that says why nothing was done."""
    raise HTTP(status, response.render("plugin_sync/refused.html", __page(T("Nothing was done"), message=message, back=back)))


def __page(title, *parts, errors=(), **values):
    """What a view gets: its title, faults of the form (id of the field, sentence), data classes, and what formats values."""
    response.title = T("Error: %s", title) if errors else title
    formats = {"T": T, "texts": texts, "module_name": __module_name, "bars": bars, "strip": strip, "sparkline": sparkline}
    for part in parts:
        values = pages.values_of(part) | values
    return {**formats, "title": title, "errors": errors, "section": None, **values}


def __module_name(module):
    """The name of a module for people; the host may give it."""
    return T(plugin_sync_options.module_names.get(module, module))


def __labels():
    """The names of tables for people."""
    return {spec.name: spec.label for spec in read_catalog(db, plugin_sync_settings()).tables}


def __new_key():
    """A form that holds a fresh one-time key, for the view to put into its forms."""
    form = FORM()
    form.accepts({}, session, formname="plugin_sync")
    return form


def __require_key(back=None):
    """Refuse a POST without the one-time key of a page of this session."""
    if request.env.request_method != "POST" or not FORM().accepts(request.post_vars, session, formname="plugin_sync"):
        message = T("This page was used already, or it is too old. Open it again, then repeat what you wanted to do.")
        __refuse(403, message, back)


def __posted(back):
    """Whether the form of a page was sent; refuses one without the page's one-time key."""
    if request.env.request_method != "POST":
        return False
    __require_key(back)
    return True


def __release_session():
    """Save the session, with its key used up, and let this user's other requests go on during long work."""
    if not session._try_store_in_db(request, response):
        session._try_store_in_cookie_or_file(request, response)
    session.forget(response)


def __done(said, address):
    """Lead to a page that says, once, what was done."""
    session.plugin_sync_said = str(said)
    redirect(address)


def __said():
    """What the action before said, once."""
    said, session.plugin_sync_said = session.plugin_sync_said, None
    return said


def __ask(use_case, *arguments, status=None, back=HOME):
    """Call a use case; what it refuses is said on a page of its own."""
    try:
        return use_case(*arguments)
    except SyncError as error:
        __refuse(status or (503 if error.retryable else 409), texts.sentence(error.message, error.hint), back)


def __find(back, use_case, *arguments):
    """Call a use case that looks for what an address names."""
    return __ask(use_case, *arguments, status=404, back=back)


def __undone(error):
    """Undo what a use case did before it refused to go on; return what it says."""
    db.rollback()
    return texts.sentence(error.message, error.hint)


def __job():
    """The job that the address names."""
    return __find(None, pages.find_shown, plugin_sync_imports(), request.args(0) or "")


def __peer(base_uuid, back=INSTANCES):
    """The instance that an address names."""
    return __find(back, register.find_peer, db, base_uuid or "")


def __posted_peer():
    """The instance that a form is about, and the address of its page; refuses a form without the page's one-time key."""
    peer = __peer(request.args(0))
    __require_key(URL("instance", args=peer.base_uuid))
    return peer, URL("instance", args=peer.base_uuid)


def __address(job, cancelled=False):
    """The page that shows a job as it is; `cancelled` when somebody wanted that."""
    place = pages.place_of(job.state, job.step, cancelled)
    return URL(place.page, args=job.uuid, vars=place.vars)


def __queue(job, step):
    """Let a job wait for its next step, and begin it."""
    __release_session()
    __ask(plugin_sync_imports().queue, job.uuid, step)
    __start(job.uuid)


def __start(job_uuid, here=False):
    """Let a waiting job begin, at a worker or, `here`, in this process, and lead to the page that then shows it."""
    __ask(plugin_sync_begin, job_uuid, here)
    redirect(__address(plugin_sync_imports().look(job_uuid)))


if request.function in ("status", "call"):
    session.forget(response)
if request.function != "call":  # the services judge their callers themselves: `services.access.Gate`
    __require_administrator()


def call():
    """The services, for other programs and instances: XML-RPC and JSON-RPC. See docs/services.md."""
    limit = int(plugin_sync_options.largest_call_mb) << 20
    limits = services.Limits(body_bytes=limit * 3 // 2, data_bytes=limit)
    gate = services.Gate(db, plugin_sync_vault(), services.Nonces(_plugin_sync_private("nonces")), __may_call)
    asked = services.read_request(request.env, request.args(0) or "", request.client, lambda: request.body.read())
    answer = services.answer(asked, gate, lambda: __office(limits), limits)
    response.status = answer.status
    response.headers.update({"Content-Type": answer.content_type, "Cache-Control": "no-store", **answer.headers})
    return answer.body


def __office(limits):
    """This instance, as the services offer it."""
    imports, transfers = plugin_sync_imports(), services.Transfers(_plugin_sync_private("transfers"), limits)
    settings, policy = plugin_sync_settings(), plugin_sync_saved().policy
    return services.Office(db, imports, settings, plugin_sync_instance(), policy, transfers, imports.synced, plugin_sync_begin)


def __may_call(name, password):
    """The id of a user with this password who may call the services; None for anybody else."""
    user = auth.login_bare(name, password)
    groups = (plugin_sync_options.admin_group, plugin_sync_options.service_group)
    return user.id if user and any(auth.has_membership(group, user.id) for group in groups) else None


def index():
    """Home: what was exchanged and what waits."""
    home = pages.read_home(db, plugin_sync_imports(), utc_now(), texts)
    peers = register.list_peers(db)
    lately = __listed(exchanges.read_entries(db, exchanges.Filters(result="ended"), size=5), peers)
    return __page(T("Data exchange"), home, lately, __known(peers), key=__new_key())


def __listed(entries, peers):
    """What the list of exchanges needs."""
    return pages.list_entries(db, plugin_sync_imports(), entries, peers, texts)


def __known(peers):
    """What the lists of instances need."""
    return pages.read_known(db, plugin_sync_outbox(), plugin_sync_syncs(), peers)


def export():
    """Choose what to export and for whom; the form leads to the download."""
    asked = request.get_vars
    peer = __peer(asked["for"], URL("export")) if asked["for"] else None
    whom = pages.read_whom(db, plugin_sync_outbox().sent, peer, asked.since)
    values = {"key": __new_key(), "form": pages.form_of(asked.format), "forms": pages.form_labels(texts)}
    values["errors"] = [("table", T("Select at least one table"))] if asked.none else ()
    return __page(T("Export"), whom, pages.read_holdings(db, plugin_sync_settings()), **values)


def export_file():
    """Answer with the file: everything, one module (`module`), or chosen tables (`table`, repeated), in a format (`format`).

    What is `for` an instance comes as a POST, for the next file for it starts from this one.
    """
    asked, part = request.vars, pages.read_part(request.vars)
    whom = {"for": asked["for"], "since": asked.since} if asked["for"] else {}
    form = __find(URL("export"), format_of, asked.format or "csv")
    if part.tables == ():
        redirect(URL("export", vars={"what": "tables", "none": 1, "format": form.name, **whom}))
    download = __download(part, form, __target(whom) if whom else None)
    __find(URL("export"), download.require, db)
    if download.target:
        __release_session()
    else:
        session.forget(response)
    return __as_file(download.file_name, form.content_type, download.stream(db))


def __download(part, form, target):
    """The download of a part of the data, in a format, for an instance or for anybody."""
    instance = own_instance(db)
    what = f"{part.name} for {target.peer.label}" if target else part.name
    name = texts.file_name(instance.label, what, utc_now(), form.suffix)
    options = {"target": target, "form": form, "uploads": plugin_sync_uploads(), "signer": plugin_sync_signer()}
    return jobs.Download(plugin_sync_settings(), instance, part.module, part.tables, auth.user_id, name, **options)


def __as_file(name, kind, content):
    """Say that the answer is a file to keep."""
    response.headers["Content-Type"] = kind
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return content


def __target(whom):
    """The instance that a file is for, and what of the data it holds; asks for the page's key, which it leaves valid."""
    back = URL("export", vars=whom)
    __require_key(back)
    session.setdefault("_formkey[plugin_sync]", []).append(request.post_vars._formkey)
    if whom["since"] not in tuple(Since):
        __refuse(404, T("Choose what the file is to hold."), back)
    return jobs.Target(__peer(whom["for"], URL("export")), Since(whom["since"]), plugin_sync_outbox().sent)


def import_file():
    """Choose a file and what happens to records that are here; a POST keeps and checks it."""
    errors, post = [], request.post_vars
    if __posted(URL("import_file")):
        whole = pages.is_whole(request.body, request.env.content_length)
        job_uuid, errors = pages.receive(plugin_sync_imports(), post, whole, auth.user_id, texts)
        if not errors:
            __release_session()
            __start(job_uuid)
    elif request.args:
        errors = pages.why_failed(__job(), texts)
    chosen = post.policy or plugin_sync_saved().policy
    return __page(T("Import a file"), errors=errors, key=__new_key(), policies=list(Policy), chosen=chosen)


def check():
    """What importing a kept file would do; a POST looks again."""
    job = __job()
    if __posted(URL("check", args=job.uuid)):
        __queue(job, jobs.Step.CHECK)
    if job.state is not jobs.State.CHECKED:
        redirect(__address(job))
    checked = pages.read_checked(plugin_sync_imports(), job)
    return __page(T("Check the changes"), checked, job=job, key=__new_key(), own=own_instance(db), labels=__labels())


def apply():
    """Import a checked file, once, and lead to the result."""
    job = __job()
    if job.state is jobs.State.CHECKED:
        __require_key(URL("check", args=job.uuid))
        __queue(job, jobs.Step.APPLY)
    redirect(__address(job))


def again():
    """Run a job that failed, was cancelled or interrupted once more, from the kept file; or one that waits, here and now."""
    job = __job()
    __require_key(__address(job))
    __release_session()
    waits = job.state is jobs.State.QUEUED
    if waits or __ask(plugin_sync_imports().again, job.uuid):
        __start(job.uuid, here=waits)
    redirect(__address(__job()))


def cancel():
    """Stop a job that waits or runs; discard one that was checked."""
    job = __job()
    __require_key(__address(job))
    redirect(__address(__ask(plugin_sync_imports().cancel, job.uuid), cancelled=True))


def progress():
    """How far a job is; leads on when it has ended."""
    job, cancelled = __job(), bool(request.get_vars.cancel)
    if not job.state.is_under_way:
        redirect(__address(job, cancelled))
    shown = pages.read_progress(db, plugin_sync_imports(), job, texts)
    section = "instances" if job.kind == "sync" else None
    return __page(pages.title_of(job, texts), job=job, key=__new_key(), shown=shown, cancelling=cancelled, section=section)


def status():
    """How far a job is, for the script of the progress page: a few hundred bytes of JSON, and the next page when it ended."""
    job = __job()
    response.headers["Content-Type"] = "application/json"
    if job.state.is_under_way:
        return json.dumps(pages.values_of(pages.read_progress(db, plugin_sync_imports(), job, texts)))
    return json.dumps({"next": __address(job, bool(request.get_vars.cancel))})


def result():
    """What an import, an undo or a synchronisation did."""
    job, late = __job(), bool(request.get_vars.late)
    if job.state is jobs.State.CHECKED or job.state.is_under_way:
        redirect(__address(job))
    if job.kind == "sync":
        done = pages.read_synchronised(plugin_sync_syncs(), job)
        values = __page(T("Synchronisation"), done, job=job, labels=__labels(), late=late, section="instances")
        return response.render("plugin_sync/synchronised.html", values)
    title = T("Undo") if job.kind == "undo" else T("Import")
    ended = pages.read_ended(plugin_sync_imports(), job)
    return __page(title, ended, job=job, key=__new_key(), labels=__labels(), late=late)


def rejects():
    """The rejected rows of a file as a file of their own, with the reasons, to be mended and imported."""
    job = __job()
    rows = plugin_sync_imports().rejects(job.uuid, texts)
    if rows is None:
        __refuse(404, T("The rejected rows of this import are not kept any more."), URL("index"))
    name = texts.file_name(job.file_name.rpartition(".")[0], "rejected", utc_now())
    session.forget(response)
    return __as_file(name, "text/csv; charset=utf-8", rows)


def undo():
    """What undoing an import would do; a POST does it."""
    job = __job()
    if not plugin_sync_imports().can_undo(job):
        __lead_to_undo(job)
    if __posted(URL("undo", args=job.uuid)):
        __release_session()
        undo_uuid = __ask(plugin_sync_imports().undo, job.uuid, auth.user_id)
        if undo_uuid is not None:
            __start(undo_uuid)
        redirect(URL("undo", args=job.uuid))
    look = __ask(plugin_sync_imports().look_at_undo, job.uuid)
    return __page(T("Undo this import"), job=job, key=__new_key(), report=look, labels=__labels())


def __lead_to_undo(job):
    """Lead from an import that cannot be undone to the undo that was begun already."""
    found = jobs.undo_of(db, job.uuid)
    if found is None:
        message = T("This import cannot be undone: it was not done, or what it changed is not kept any more.")
        __refuse(404, message, URL("result", args=job.uuid))
    redirect(__address(plugin_sync_imports().look(found.uuid)))


def conflicts():
    """The records with two versions; a POST decides all that the page's filter shows."""
    if __posted(URL("conflicts")):
        return __conflicts_at_once(request.get_vars.table or "", request.get_vars.instance or "")
    found = pages.list_conflicts(db, request.get_vars)
    errors = [("side", T("Select which versions to keep"))] if request.get_vars.none else ()
    return __page(T("Records with two versions"), found, errors=errors, key=__new_key(), labels=__labels(), said=__said())


def __conflicts_at_once(table, instance):
    """Decide all conflicts of a filter, after asking whether that is meant."""
    side, of_filter = request.post_vars.side, {"table": table, "instance": instance}
    if side not in pages.AT_ONCE:
        redirect(URL("conflicts", vars={**of_filter, "none": 1}))
    if request.post_vars.sure:
        try:
            said = pages.decide_all(db, table, instance, side, utc_now(), texts)
        except SyncError as error:
            said = __undone(error)
        __done(said, URL("conflicts"))
    count = decisions.count_filtered(db, table, instance)
    values = __page(T("Decide all of them?"), key=__new_key(), side=side, count=count, **of_filter)
    return response.render("plugin_sync/conflicts_sure.html", values)


def conflict():
    """One record with two versions, side by side; a POST writes what was picked and leads to the next."""
    found = __find(URL("conflicts"), decisions.find_conflict, db, request.args(0) or "")
    which = __find(URL("conflicts"), pages.candidates, db, found, plugin_sync_settings())
    posted = not request.post_vars.look and __posted(URL("conflict", args=found.uuid))
    compared = __ask(pages.compare, db, found, which, request.vars)
    errors = pages.decide(db, request.post_vars, compared, utc_now(), texts) if posted else []
    if posted and not errors:
        __done(T("Saved."), URL("conflict", args=compared.following) if compared.following else URL("conflicts"))
    if errors:
        db.rollback()
    values = {"key": __new_key(), "labels": __labels(), "posted": request.post_vars}
    return __page(T("Two versions of one record"), compared, errors=errors, **values)


def tables():
    """Each table: whether it travels, and whether its uuids can be relied on."""
    return __page(T("Tables"), pages.read_tables(db, plugin_sync_settings()), key=__new_key(), said=__said())


def mend():
    """Mend a table's uuids: make the index, give the missing ones, renew the duplicates."""
    __require_key(URL("tables"))
    what = request.args(1)
    spec = pages.mendable(db, plugin_sync_settings(), request.args(0) or "", what)
    if spec is None:
        __refuse(404, T("There is nothing to mend at this address."), URL("tables"))
    try:
        said = pages.mend(db, spec, what, plugin_sync_new_uuid, texts)
    except SyncError as error:
        said = f"{spec.name}: {__undone(error)}"
    __done(said, URL("tables", anchor=spec.name))


def instances():
    """The register of instances: who is known here, and when data last went there and came from there."""
    return __page(T("Instances"), __known(register.list_peers(db)), said=__said())


def instance():
    """One instance, to be edited; what lies ready for it; a POST saves."""
    peer = __peer(request.args(0))
    facts, errors = peer.facts, ()
    if __posted(URL("instance", args=peer.base_uuid)):
        facts = pages.read_facts(request.post_vars)
        errors = pages.worded(register.edit_peer(db, peer, facts), texts)
        if not errors:
            __done(T("Saved."), URL("instance", args=peer.base_uuid))
    parcels = [parcel for parcel in plugin_sync_outbox().parcels() if parcel.base_uuid == peer.base_uuid]
    return __instance_page(peer, facts, errors, parcels, __said())


def __instance_page(peer, facts, errors, parcels=(), said=None):
    """The page of an instance."""
    own_address = URL("default", "index", scheme=True, host=True).removesuffix("/default/index")
    values = {"key": __new_key(), "peer": peer, "facts": facts, "parcels": parcels, "said": said, "policies": list(Policy)}
    calls = pages.read_calling(plugin_sync_syncs(), peer)
    return __page(peer.label, calls, __known([peer]), errors=errors, own_address=own_address, **values)


def synchronise():
    """Synchronise with an instance now, and lead to how far it is."""
    (peer, here), post = __posted_peer(), request.post_vars
    modules = pages.all_of(post, "module") if post.what == "modules" else ()
    if post.what == "modules" and not modules:
        __refuse(409, T("No module was chosen. Choose at least one."), here)
    wish = __ask(read_wish, post.direction or "", post.extent or "", modules, status=409, back=here)
    job_uuid = __ask(plugin_sync_syncs().ask, peer, wish, auth.user_id, status=409, back=here)
    __release_session()
    __start(job_uuid)


def instance_calls():
    """Keep the token that an instance gave us, and what happens to what it sends."""
    (peer, here), post = __posted_peer(), request.post_vars
    if post.forget:
        calling.forget_token(db, peer)
    elif post.token and not __ask(calling.keep_token, db, peer, post.token, plugin_sync_vault()):
        errors = [("token", T("This is no token. Copy all of it, 43 characters, from the page of the other office"))]
        return response.render("plugin_sync/instance.html", __instance_page(peer, peer.facts, errors))
    __ask(calling.set_policy, db, peer, post.policy or "")
    __done(T("Saved."), here)


def instance_access():
    """Let an instance call here: the token is shown once; or end that."""
    peer, here = __posted_peer()
    if request.args(1) == "end":
        calling.end_access(db, peer)
        __done(T("%s cannot call this office any more.", peer.label), here)
    token = __ask(calling.give_access, db, peer, plugin_sync_vault(), utc_now())
    response.headers["Cache-Control"] = "no-store"
    return __page(T("Access for %s", peer.label), peer=peer, token=token)


def instance_add():
    """Add an instance by hand or from a pairing file."""
    facts, errors, post = register.Facts(), [], request.post_vars
    if __posted(URL("instance_add")):
        facts, errors = pages.read_paired(post.file, texts) if post.how == "file" else (pages.read_facts(post), [])
        errors = errors or pages.worded(register.add_peer(db, facts, utc_now()), texts)
        if not errors:
            __done(T("%s was added.", facts.name), URL("instances"))
    return __page(T("Add an office"), errors=errors, key=__new_key(), facts=facts)


def instance_state():
    """Pause an instance or let it go on."""
    peer, here = __posted_peer()
    paused = request.args(1) == "pause"
    __ask(register.set_state, db, peer, Standing.PAUSED if paused else Standing.KNOWN)
    said = T("%s is paused.", peer.label) if paused else T("%s is active again.", peer.label)
    __done(said, here)


def instance_remove():
    """Ask whether an instance is to be removed; a POST removes it."""
    peer = __peer(request.args(0))
    if __posted(URL("instance", args=peer.base_uuid)):
        __ask(register.remove_peer, db, peer)
        plugin_sync_outbox().sent.forget(peer)
        __done(T("%s was removed.", peer.label), URL("instances"))
    return __page(T("Remove %s?", peer.label), key=__new_key(), peer=peer)


def pairing():
    """The file by which another office gets to know this one."""
    peer = register.list_peers(db)[0]
    session.forget(response)
    signer = plugin_sync_signer()
    told = register.pairing_file(peer, signer.public_key if signer else "")
    return __as_file(f"pairing-{peer.base_uuid}.json", "application/json", told)


def parcel():
    """A file that the schedule has made."""
    path = __find(URL("instances"), plugin_sync_outbox().path, request.args(0) or "")
    session.forget(response)
    __as_file(path.name, "text/csv; charset=utf-8", None)
    return response.stream(str(path), request=request)


def history():
    """What was exchanged, by filters of the address."""
    peers = register.list_peers(db, removed=True)
    asked, page = pages.read_asked(request.get_vars), pages.page_number(request.get_vars.page)
    filters, errors = pages.read_filters(asked, peers, texts)
    entries = __listed(exchanges.read_entries(db, filters, page), peers)
    pictures = pages.read_pictures(db, filters, utc_now().date(), peers, texts)
    values = {"asked": asked, "page": page, "total": exchanges.count_entries(db, filters)}
    return __page(T("History"), entries, pictures, errors=errors, labels=__labels(), seen=exchanges.tables_seen(db), **values)


def options():
    """The settings that administrators may change; a POST saves them."""
    peer = register.list_peers(db)[0]
    posted = request.post_vars if __posted(URL("options")) else None
    if posted is None:
        return __options_page(peer, peer.facts, jobs.plan_of(plugin_sync_saved().schedule))
    facts, wanted = pages.read_facts(posted), pages.read_wanted(posted, plugin_sync_saved(), datetime.now(), texts)
    errors = wanted.errors or pages.worded(register.edit_peer(db, peer, facts), texts)
    if not errors:
        __save(wanted)
    return __options_page(peer, facts, wanted.plan, errors, posted)


def __options_page(peer, facts, plan, errors=(), posted=None):
    """The page Settings, with what is saved, or what was posted and could not be."""
    schedule = pages.read_schedule(plugin_sync_options.scheduler() if plugin_sync_options.scheduler else None)
    values = {"key": __new_key(), "said": __said(), "peer": peer, "facts": facts, "posted": posted, "plan": plan}
    values |= {"specs": read_catalog(db, plugin_sync_settings()).included, "policies": list(Policy), "clock": datetime.now()}
    return __page(T("Settings"), schedule, errors=errors, now=plugin_sync_saved(), **values)


def __save(wanted):
    """Save the settings and lead back to them; the schedule is given to the Scheduler when it has changed."""
    before = jobs.plan_of(plugin_sync_saved().schedule)
    __ask(saved_options.save_options, db, wanted.options, plugin_sync_host_options())
    db.commit()
    if wanted.plan != before and plugin_sync_options.scheduler:
        __ask(jobs.set_plan, plugin_sync_options.scheduler(), wanted.plan, plugin_sync_fill_outbox.__name__)
    __done(T("Saved."), URL("options"))
