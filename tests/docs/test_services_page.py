"""The page of the services: every method with its parameters, every limit as it is, examples that run."""

import inspect
import json
import re
import subprocess
import time
import urllib.parse

from plugin_sync.addresses import Addresses
from plugin_sync.services import METHODS, Limits
from plugin_sync.services.answering import PLACES
from plugin_sync.transports import Http, XmlRpc

from ..offices import Office
from ..web.calling import code, give_access, introduce, post
from .test_documented import text

PAGE = text("docs/services.md")


def examples() -> list[str]:
    """The indented blocks of the page."""
    return [block.replace("\n    ", "\n").strip() for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE, re.MULTILINE)]


def for_office(example: str, office: Office) -> str:
    quoted = example.replace("NAME", urllib.parse.quote(office.email)).replace("PASSWORD", office.password)
    return quoted.replace("127.0.0.1:8000", urllib.parse.urlsplit(office.url).netloc)


def test_every_method_with_its_parameters():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*)\|", PAGE.split("## Methods")[1].split("\n## ")[0], re.MULTILINE)
    told = {name: re.findall(r"`(\w+)", parameters) for name, parameters in rows}
    told["export_begin"] = told["export"]  # "the same"
    wanted = {name: list(inspect.signature(method).parameters)[2:] for name, method in METHODS.items()}
    assert told == wanted


def test_the_limits():
    limits = Limits()
    section = PAGE.split("## Limits")[1].split("\n## ")[0]
    shown = (limits.data_bytes >> 20, limits.piece_bytes >> 20, limits.transfer_bytes >> 30, limits.open_transfers, PLACES)
    assert [int(number) for number in re.findall(r"^\| [^|]+ \| (\d+)", section, re.MULTILINE)][:5] == list(shown)


def test_the_examples_run(main_office, capsys):
    python, curl = examples()[:2]
    exec(compile(for_office(python, main_office), "docs/services.md", "exec"), {})
    counts = capsys.readouterr().out
    assert "'gis_location': 3" in counts and "'new': 0" in counts
    command = for_office(curl, main_office).replace("%40", "@")
    told = json.loads(subprocess.run(command, shell=True, capture_output=True, check=True, text=True).stdout)
    assert told["result"]["base_uuid"] == code(main_office)


def test_a_signature_as_described_opens_the_services(start_office, jacmel_office):
    office = start_office("signed")
    here, _ = introduce(office, jacmel_office)
    token = give_access(here, jacmel_office)
    example = next(block for block in examples() if "plugin_sync.tokens" in block)
    made: dict = {"token": token}
    exec(compile(example.replace("1777713120", str(int(time.time()))), "docs/services.md", "exec"), made)
    status, answer = post(office, made["body"], made["headers"]["Authorization"])
    assert (status, json.loads(answer)["result"]["policy"]) == (200, "newer")
    assert post(office, made["body"], made["headers"]["Authorization"])[0] == 401  # the same call again
    transport = XmlRpc(Http(Addresses(http_loopback=True).place(office.url)), token)
    assert transport.call("info")["base_uuid"] == code(office)
