"""Keys and signatures: whose bundle is taken, and that nothing is parsed before its signature is right."""

import contextlib
import io
import itertools
import threading
import zipfile
from types import SimpleNamespace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from plugin_sync import SettingsError, SignatureRefused, Trust, own_signer
from plugin_sync import signing as module
from plugin_sync.formats import bundle_reading

from .bundles import place
from .states import contents
from .test_bundle_hostile import members, packed

JACMEL = SimpleNamespace(base_uuid="c3d4", uuid="c3d40000-0000-4000-8000-000000000000", name="Jacmel")
OTHER = "beef0000-0000-4000-8000-000000000000"


@pytest.fixture
def signer(tmp_path):
    return own_signer(tmp_path / "private" / "signing.key")


@pytest.fixture
def there(tmp_path):
    with place("sqlite", tmp_path / "there") as there:
        there.store("org", "logo", b"logo", uuid="o1", name="One")
        there.db.commit()
        yield there


@pytest.fixture
def here(tmp_path):
    with place("sqlite", tmp_path / "here") as here:
        yield here


def test_a_key_is_made_once_and_is_nobody_elses(tmp_path):
    path, found = tmp_path / "a" / "signing.key", []
    threads = [threading.Thread(target=lambda: found.append(own_signer(path).public_key)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["signing.key"]
    assert path.read_text(encoding="ascii") not in repr(own_signer(path))


@pytest.mark.parametrize("content", ["", "zz", "00", "00" * 33])
def test_a_damaged_key_is_no_key(tmp_path, content):
    path = tmp_path / "signing.key"
    path.write_text(content, encoding="ascii")
    with pytest.raises(SettingsError, match="the key of this office cannot be read: ValueError") as caught:
        own_signer(path)
    assert content == "" or content not in str(caught.value)
    assert path.read_text(encoding="ascii") == content


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "has_cryptography", False)
    with pytest.raises(SettingsError, match="signatures and tokens need the package cryptography"):
        own_signer(tmp_path / "signing.key")


def unsigned(data):
    return packed((name, content) for name, content in members(data).items() if name != "manifest.sig")


@pytest.mark.parametrize("required", [True, False])
def test_who_is_known_is_taken(there, here, signer, required):
    data = there.bundle(instance=JACMEL, signer=signer)
    assert list(members(data))[-2:] == ["manifest.json", "manifest.sig"]
    assert here.take(data, trust=Trust({signer.public_key: JACMEL.uuid}, required)).counts.new == 1


def test_strangers_are_taken_unless_a_signature_is_required(there, here, signer, tmp_path):
    data = there.bundle(instance=JACMEL, signer=signer)
    known = own_signer(tmp_path / "another.key").public_key
    before = contents(here.db)
    for file, words in ((data, "signed by an office that is not known here"), (unsigned(data), "the bundle is not signed")):
        with pytest.raises(SignatureRefused, match=words):
            here.take(file, trust=Trust({known: OTHER}, required=True))
        assert (contents(here.db), here.files()) == (before, {})
    assert here.take(unsigned(data), trust=Trust({known: OTHER})).counts.new == 1
    assert here.take(data, trust=Trust({known: OTHER})).counts.same == 1


@pytest.mark.parametrize("required", [True, False])
def test_a_known_office_always_signs_itself(there, here, signer, tmp_path, required):
    """Neither another's signature, nor none, nor the own name under a known key."""
    known = own_signer(tmp_path / "another.key")
    trust = Trust({known.public_key: JACMEL.uuid}, required)
    for data in (there.bundle(instance=JACMEL, signer=signer), unsigned(there.bundle(instance=JACMEL, signer=known))):
        with pytest.raises(SignatureRefused):
            here.take(data, trust=trust)
    for impostor in (SimpleNamespace(base_uuid="beef", uuid=OTHER, name="Main"), None):
        with pytest.raises(SignatureRefused, match=r"says that it comes from (Main|), whose key did not sign it|did not sign it"):
            here.take(there.bundle(instance=impostor, signer=known), trust=trust)
    assert (here.db(here.db.org).count(), here.files()) == (0, {})


def test_what_was_altered_after_it_was_signed_is_refused_before_it_is_parsed(there, here, signer, monkeypatch):
    data = there.bundle(instance=JACMEL, signer=signer)
    found = members(data)
    trust = Trust({signer.public_key: JACMEL.uuid})
    parsed = []
    monkeypatch.setattr(bundle_reading, "load_manifest", parsed.append)
    wrong = [{"manifest.json": found["manifest.json"].replace(b"Jacmel", b"Cayes!")}]
    wrong += [{"manifest.sig": found["manifest.sig"][:at] + b"\0" + found["manifest.sig"][at + 1 :]} for at in range(0, 96, 7)]
    wrong += [{"manifest.sig": found["manifest.sig"][:-1]}, {"manifest.sig": b""}, {"manifest.sig": bytes(96)}]
    wrong += [{"manifest.sig": found["manifest.sig"] + b"\0"}, {"manifest.json": found["manifest.json"] + b" "}]
    for change in wrong:
        if found | change != found:
            with pytest.raises(SignatureRefused, match="the bundle's signature is wrong"):
                here.take(packed((found | change).items()), trust=trust)
    assert parsed == []


@pytest.mark.parametrize("y", sorted(module.SMALL_ORDER))
@pytest.mark.parametrize("sign", [0, 1])
def test_keys_for_which_anybody_can_sign_are_refused(y, sign):
    """Ed25519 as OpenSSL checks it takes R = A or the neutral point, S = 0 for some of all messages when A is of small order."""
    key = (y | sign << 255).to_bytes(32, "little")
    try:
        public = ed25519.Ed25519PublicKey.from_public_bytes(key)
    except ValueError:
        return
    forged = []
    for number, point in itertools.product(range(64), (key, (1).to_bytes(32, "little"))):
        with contextlib.suppress(InvalidSignature):
            public.verify(point + bytes(32), module.PURPOSE + str(number).encode())
            forged.append((str(number).encode(), key + point + bytes(32)))
    assert forged
    for message, signature in forged:
        with pytest.raises(SignatureRefused, match="the bundle's signature is wrong"):
            Trust().signer_of(message, signature)


def test_a_signature_of_something_else_is_none_of_a_bundle(there, here, signer):
    """The key may come to sign other things: those must not pass for a manifest."""
    found = members(there.bundle(instance=JACMEL, signer=signer))
    bare = signer.key.sign(found["manifest.json"])
    found["manifest.sig"] = bytes.fromhex(signer.public_key) + bare
    with pytest.raises(SignatureRefused):
        here.take(packed(found.items()))


def test_contents_of_a_signed_bundle_cannot_be_exchanged(there, here, signer):
    found = members(there.bundle(instance=JACMEL, signer=signer))
    for name in ("tables/org.csv", "uploads/000001"):
        with pytest.raises(Exception, match="not as it was written"):
            here.take(packed((found | {name: found[name][::-1]}).items()), trust=Trust({signer.public_key: JACMEL.uuid}))
    assert zipfile.ZipFile(io.BytesIO(packed(found.items()))).testzip() is None
