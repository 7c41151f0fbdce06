"""The navigation of every page: (label, whether it is this page, address)."""

is_administrator = auth.is_logged_in() and "admin" in (auth.user_groups or {}).values()
response.menu = [(T("Home"), request.controller == "default" and request.function == "index", URL("default", "index"))]
if auth.is_logged_in():
    response.menu.append((T("Records"), request.function == "records", URL("default", "records")))
if is_administrator:
    response.menu.append((T("Synchronise"), request.controller == "plugin_sync", URL("plugin_sync", "index")))
    response.menu.append((T("Database"), request.controller == "appadmin", URL("appadmin", "index")))
