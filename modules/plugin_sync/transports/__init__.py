"""How another instance is called. A transport has `call(method, *values, timeout_s=…)` and says nothing of what it carries."""

from .contract import Transport
from .http import Http, Patience
from .xmlrpc import XmlRpc

__all__ = ["Http", "Patience", "Transport", "XmlRpc"]
