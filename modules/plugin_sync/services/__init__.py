"""What other programs and other instances may ask of this one: plain functions over plain values.

    access -> limits -> calls (transfers) -> answering

Nothing here knows web2py: the controller hands in the request as a value and sends back the answer. See docs/services.md.
"""

from .access import Caller, Gate, Nonces
from .answering import Answer, Request, answer, read_request
from .calls import METHODS, Office
from .limits import Limits
from .transfers import Transfers

__all__ = ["METHODS", "Answer", "Caller", "Gate", "Limits", "Nonces", "Office", "Request", "Transfers", "answer", "read_request"]
