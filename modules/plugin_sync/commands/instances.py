"""`sync instances`: the register of other offices, and pairing files."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import asdict

from ..instances import Standing, utc_now
from ..register import (
    MESSAGES,
    PAIRING_BYTES,
    Facts,
    Peer,
    add_peer,
    find_peer,
    list_peers,
    pairing_file,
    read_pairing,
    remove_peer,
    set_state,
)
from . import synchronising
from .context import Context
from .exits import Exit, Refusal
from .files import STREAM, opened, write_whole
from .flags import common_flags
from .terminal import table_text


def add_arguments(parser: ArgumentParser) -> None:
    """Say what can be asked for; each action has arguments of its own."""
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", title="actions", help="what to do; each has a --help of its own"
    )
    actions.add_parser("list", parents=[common_flags(again=True)], help="this instance and the others; the default")
    add = actions.add_parser(
        "add", parents=[common_flags(again=True)], help="make another office known, by its code or by its pairing file"
    )
    add.add_argument("code", metavar="CODE", nargs="?", default="", help="its four characters")
    add.add_argument("--file", metavar="FILE", help="its pairing file; - is stdin")
    for name in ("name", "owner", "contact", "url"):
        add.add_argument(f"--{name}", default="", help=f"its {'web address' if name == 'url' else name}")
    pairing = actions.add_parser(
        "pairing", parents=[common_flags(again=True)], help="write the file by which others get to know this instance"
    )
    pairing.add_argument("-o", "--output", metavar="FILE", default=STREAM, help="- is stdout, the default")
    for name, text in STATES.items():
        action = actions.add_parser(name, parents=[common_flags(again=True)], help=text)
        action.add_argument("code", metavar="CODE", help="the instance's four characters")
    now = actions.add_parser("sync", parents=[common_flags(again=True)], help="exchange with it over the network, now")
    synchronising.add_arguments(now)


STATES: Mapping[str, str] = {
    "pause": "make no files for it on schedule",
    "resume": "make files for it again",
    "remove": "take it out of the register; what was noted of its files is forgotten",
}


def run(context: Context, asked: Namespace) -> Exit:
    """Do one of the actions."""
    return ACTIONS[asked.action or "list"](context, asked)


def _list(context: Context, asked: Namespace) -> Exit:
    peers = list_peers(context.db)
    sent = {peer.id: None if peer.is_self else context.outbox.sent.made_on(peer) for peer in peers}
    if asked.json:
        found = [
            {
                **asdict(peer.facts),
                "state": peer.state.value,
                "last_update": peer.last_update,
                "sync_count": peer.sync_count,
                "last_file": sent[peer.id],
            }
            for peer in peers
        ]
        context.answer_json(found)
    else:
        rows = [(p.base_uuid, p.facts.name, p.state.value, p.sync_count, sent[p.id] or "", p.facts.url) for p in peers]
        head = ["code", "name", "state", "exchanges", "last file for it (UTC)", "address"]
        context.answer(table_text(head, rows, numbers=(3,)))
    return Exit.DONE


def _add(context: Context, asked: Namespace) -> Exit:
    facts = Facts(asked.code, asked.name, asked.owner, asked.contact, asked.url)
    if asked.file:
        if any(asdict(facts).values()):
            raise Refusal(Exit.USAGE, "a pairing file says all there is: give --file alone")
        with opened(context, asked.file) as file:
            facts = read_pairing(file.read(PAIRING_BYTES))
    faults = add_peer(context.db, facts, utc_now())
    if faults:
        context.db.rollback()
        texts = (MESSAGES[fault.message] % dict(fault.values) for fault in faults)
        raise Refusal(Exit.USAGE, "; ".join(texts))
    context.db.commit()
    return _changed(context, asked, f"{facts.name} was added.", facts.base_uuid.lower())


def _pairing(context: Context, asked: Namespace) -> Exit:
    data = pairing_file(list_peers(context.db)[0])
    if asked.output == STREAM:
        context.stdout.write(data)
    else:
        write_whole(asked.output, [data])
    return Exit.DONE


def _set(state: Standing) -> Callable[[Context, Namespace], Exit]:
    def action(context: Context, asked: Namespace) -> Exit:
        peer = _peer(context, asked)
        set_state(context.db, peer, state)
        context.db.commit()
        return _changed(context, asked, f"{peer.label} is {'paused' if state is Standing.PAUSED else 'active'}.", peer.base_uuid)

    return action


def _remove(context: Context, asked: Namespace) -> Exit:
    peer = _peer(context, asked)
    remove_peer(context.db, peer)
    context.db.commit()
    context.outbox.sent.forget(peer)
    return _changed(context, asked, f"{peer.label} was removed.", peer.base_uuid)


def _peer(context: Context, asked: Namespace) -> Peer:
    return find_peer(context.db, asked.code.lower())


def _changed(context: Context, asked: Namespace, text: str, code: str) -> Exit:
    if asked.json:
        context.answer_json({"code": code, "done": asked.action})
    elif not asked.quiet:
        context.say(text)
    return Exit.DONE


ACTIONS: Mapping[str, Callable[[Context, Namespace], Exit]] = {
    "list": _list,
    "add": _add,
    "pairing": _pairing,
    "pause": _set(Standing.PAUSED),
    "resume": _set(Standing.KNOWN),
    "remove": _remove,
    "sync": synchronising.run,
}
