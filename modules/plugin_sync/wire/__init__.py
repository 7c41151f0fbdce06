"""Calls and answers as bytes: XML-RPC and JSON-RPC, read with limits. Pure; no network."""

from .contract import Call, Protocol, find_protocol, plain
from .jsonrpc import JSON_RPC
from .xmlrpc import XML_RPC, read_answer, write_call

PROTOCOLS = {protocol.name: protocol for protocol in (XML_RPC, JSON_RPC)}

__all__ = ["JSON_RPC", "PROTOCOLS", "XML_RPC", "Call", "Protocol", "find_protocol", "plain", "read_answer", "write_call"]
