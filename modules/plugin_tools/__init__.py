"""Brings the plugin into applications: packs it, installs it, takes it out again. Standard library only, no web2py."""
