"""The demonstration host: what runs, fills and serves this repository's own application.

`plugin_sync` never imports anything of this package; an application that only adopts the plugin does not need it.
"""
