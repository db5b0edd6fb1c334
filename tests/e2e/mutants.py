"""Signatures with one thing wrong: dropped, swapped, made again by another key or about another digest, expired, in another log, or spoiled anywhere.

Each says how it is attached and whether it may verify: `valid` is True or False where the formats leave no doubt, None where readers may differ. Whether
they do, and who is stricter, test_differential.py finds out.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import signing
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from signing import BUNDLE, COSIGN_SIGN, DSSE, IN_TOTO, SIMPLE_SIGNING, Key, Layer, encoded

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PLACES = 8  # of a text that are spoiled


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    bundles: tuple[bytes, ...] = ()
    layers: tuple[Layer, ...] = ()
    """Under the tag `.sig`."""
    valid: bool | None = False
    annotation: str = COSIGN_SIGN
    """The predicate type by the manifest's word."""
    subject: str | None = None
    """Another subject of the manifest."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """Who signs what."""

    key: Key
    stranger: Key
    digest: str
    other: str
    """The digest of another image."""


def _bundle(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()


def _changed(content: Any, *path: str | int, to: Any) -> Any:
    """A copy with one value replaced; `...` takes it away."""
    content = copy.deepcopy(content)
    at = content
    for step in path[:-1]:
        at = at[step]
    if to is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return content


def _spoiled(text: str | bytes, place: int) -> Any:
    """One character (or bit) changed."""
    if isinstance(text, bytes):
        return text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


def _places(length: int, wanted: int = PLACES) -> list[int]:
    return sorted({length * number // wanted for number in range(wanted)} if length else set())


def _pae(payload: bytes, payload_type: str = IN_TOTO) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)


def strange_signatures(key: Key, signed: bytes) -> Iterator[tuple[str, bytes, bool | None]]:
    """A signature that is almost one: name, bytes, whether it may count."""
    good = key.sign(signed)
    r, s = decode_dss_signature(good)
    yield "empty", b"", False
    yield "cut", good[:-1], False
    yield "with a tail", good + b"\0", None
    yield "raw", r.to_bytes(32, "big") + s.to_bytes(32, "big"), None
    yield "r and s swapped", encode_dss_signature(s, r), False
    yield "the other s", encode_dss_signature(r, P256_ORDER - s), None  # ECDSA itself allows it
    yield "zeros", encode_dss_signature(0, 0), False
    yield "r zero", encode_dss_signature(0, s), False
    yield "r and s of the order", encode_dss_signature(P256_ORDER, P256_ORDER), False
    yield "r beyond the order", encode_dss_signature(r + P256_ORDER, s), False
    for place in _places(len(good)):
        yield f"bit {place}", _spoiled(good, place), False


# --- bundles by a key ------------------------------------------------------------------------------------------------


def bundles_by_key(scene: Scene) -> Iterator[Mutant]:
    """What cosign 3 would make with a key, and everything near it."""
    key, stranger = scene.key, scene.stranger
    payload = signing.statement(scene.digest, COSIGN_SIGN, {})
    good = signing.bundle(payload, key)
    mutant = lambda name, content, **keys: Mutant(f"bundle: {name}", (content if isinstance(content, bytes) else _bundle(content),), **keys)  # noqa: E731
    signed = lambda text, by=key: signing.bundle(text if isinstance(text, bytes) else json.dumps(text).encode(), by)  # noqa: E731
    told = json.loads(payload)

    yield mutant("whole", good, valid=True)
    # dropped
    for path in [("mediaType",), ("verificationMaterial",), ("verificationMaterial", "publicKey"), ("dsseEnvelope",), ("dsseEnvelope", "payload"),
                 ("dsseEnvelope", "payloadType"), ("dsseEnvelope", "signatures"), ("dsseEnvelope", "signatures", 0), ("dsseEnvelope", "signatures", 0, "sig")]:  # fmt: skip
        valid = None if path == ("verificationMaterial", "publicKey") else False
        yield mutant(f"without {'.'.join(map(str, path))}", _changed(good, *path, to=...), valid=valid)
    yield mutant("without a hint", _changed(good, "verificationMaterial", "publicKey", to={}), valid=None)
    yield mutant("with another hint", _changed(good, "verificationMaterial", "publicKey", "hint", to="nobody"), valid=None)
    yield mutant("empty", b"")
    yield mutant("null", b"null")
    yield mutant("an empty list", b"[]")
    yield mutant("cut off", _bundle(good)[:-2])
    yield mutant("with a tail", _bundle(good) + b"{}")
    # swapped, and by others
    yield mutant("by a stranger", signed(payload, stranger))
    yield mutant("by a stranger with our hint", {**signed(payload, stranger), "verificationMaterial": good["verificationMaterial"]})
    both = [signed(payload, one)["dsseEnvelope"]["signatures"][0] for one in (stranger, key)]
    yield mutant("a stranger's signature first", _changed(good, "dsseEnvelope", "signatures", to=both), valid=None)
    yield mutant("a stranger's signature last", _changed(good, "dsseEnvelope", "signatures", to=both[::-1]), valid=None)
    yield mutant("our signature of another statement", _changed(signed(signing.statement(scene.other, COSIGN_SIGN, {})), "dsseEnvelope", "payload", to=encoded(payload)))
    yield mutant("another statement with this signature", _changed(good, "dsseEnvelope", "payload", to=encoded(signing.statement(scene.digest, COSIGN_SIGN, {"a": 1}))))
    for name, text in {"the bare payload": payload, "the payload as another type": _pae(payload, "text/plain"), "the digest": scene.digest.encode(), "nothing": b""}.items():
        yield mutant(f"signed was {name}", _changed(good, "dsseEnvelope", "signatures", 0, "sig", to=encoded(key.sign(text))))
    for name, signature, valid in strange_signatures(key, _pae(payload)):
        yield mutant(f"signature {name}", _changed(good, "dsseEnvelope", "signatures", 0, "sig", to=encoded(signature)), valid=valid)
    text = good["dsseEnvelope"]["payload"]
    for place in _places(len(text)):
        yield mutant(f"payload at {place}", _changed(good, "dsseEnvelope", "payload", to=_spoiled(text, place)))
    # about something else
    yield mutant("about another image", signed(signing.statement(scene.other, COSIGN_SIGN, {})))
    subject = told["subject"][0]
    for name, subjects, valid in [
        ("none", [], False),
        ("another and this", [{"digest": {"sha256": scene.other[7:]}}, subject], None),
        ("this and another", [subject, {"digest": {"sha256": scene.other[7:]}}], None),
        ("upper case", [{"digest": {"sha256": scene.digest[7:].upper()}}], False),
        ("with its algorithm", [{"digest": {"sha256": scene.digest}}], False),
        ("cut", [{"digest": {"sha256": scene.digest[7:-1]}}], False),
        ("sha512", [{"digest": {"sha512": scene.digest[7:]}}], False),
        ("no digest", [{"name": scene.digest}], False),
        ("a digest in the name", [{"name": scene.digest, "digest": {"sha256": scene.other[7:]}}], False),
        ("an object", subject, False),
    ]:
        yield mutant(f"subject {name}", signed({**told, "subject": subjects}), valid=valid)
    yield mutant("without a subject", signed(_changed(told, "subject", to=...)))
    yield mutant("an attestation", signed({**told, "predicateType": "https://example.org/test/v1"}))
    yield mutant("an attestation that is called a signature", signed({**told, "predicateType": "https://example.org/test/v1"}), annotation=COSIGN_SIGN)
    yield mutant("a signature that is called an attestation", good, annotation="https://example.org/test/v1", valid=None)
    yield mutant("without a predicate type", signed(_changed(told, "predicateType", to=...)))
    yield mutant("a predicate type with a slash more", signed({**told, "predicateType": COSIGN_SIGN + "/"}))
    yield mutant("statement v0.1", signed({**told, "_type": "https://in-toto.io/Statement/v0.1"}), valid=None)
    yield mutant("another statement", signed({**told, "_type": "https://example.org/Statement/v1"}))
    yield mutant("no statement", signed({"hello": "world"}))
    yield mutant("no JSON", signed(b"hello"))
    twice = payload[:-1] + b', "subject": ' + json.dumps([{"digest": {"sha256": scene.other[7:]}}]).encode() + b"}"
    yield mutant("subject twice, another last", signed(twice))
    yield mutant("subject twice, another first", signed(b'{"subject": ' + json.dumps([{"digest": {"sha256": scene.other[7:]}}]).encode() + b", " + payload[1:]))
    yield mutant("statement with a tail", signed(payload + b"{}"))
    # the form
    for version in ["application/vnd.dev.sigstore.bundle+json;version=0.1", "application/vnd.dev.sigstore.bundle+json;version=0.2", "application/vnd.dev.sigstore.bundle+json;version=0.3"]:
        yield mutant(f"media type {version.split(';')[-1]}", {**good, "mediaType": version}, valid=None)
    for version in ["application/vnd.dev.sigstore.bundle.v0.4+json", "application/vnd.dev.sigstore.bundle.v1+json", "application/json", ""]:
        yield mutant(f"media type {version or 'empty'}", {**good, "mediaType": version})
    yield mutant("another payload type", _changed(good, "dsseEnvelope", "payloadType", to="text/plain"))
    yield mutant("another payload type, signed", {**good, "dsseEnvelope": signing.envelope(payload, key, "text/plain")})
    yield mutant("a field more", {**good, "more": 1}, valid=None)
    yield mutant("an envelope twice", _bundle(good)[:-1] + b', "dsseEnvelope": ' + json.dumps(signed(payload, stranger)["dsseEnvelope"]).encode() + b"}")
    yield mutant("an envelope twice, ours last", _bundle(signed(payload, stranger))[:-1] + b', "dsseEnvelope": ' + json.dumps(good["dsseEnvelope"]).encode() + b"}", valid=None)
    message = {"messageDigest": {"algorithm": "SHA2_256", "digest": encoded(bytes.fromhex(scene.digest[7:]))}, "signature": encoded(key.sign(bytes.fromhex(scene.digest[7:])))}
    yield mutant("envelope and message", {**good, "messageSignature": message}, valid=None)
    yield mutant("a message signature by a stranger", {**_changed(good, "dsseEnvelope", to=...), "messageSignature": {**message, "signature": encoded(stranger.sign(b""))}})
    url_safe = base64.urlsafe_b64encode(payload).decode()
    yield mutant("payload in another alphabet", _changed(good, "dsseEnvelope", "payload", to=url_safe), valid=None)
    yield mutant("the subject of the manifest is another image", good, subject=scene.other, valid=None)
    # several
    yield Mutant("bundles: a bad one and ours", (_bundle(signed(payload, stranger)), b"{", _bundle(good)), valid=True)
    yield Mutant("bundles: two by strangers", (_bundle(signed(payload, stranger)), _bundle(signed(payload, Key()))))


# --- signatures of cosign 2 by a key ---------------------------------------------------------------------------------


def signatures_by_key(scene: Scene) -> Iterator[Mutant]:
    """What cosign 2 would make with a key, and everything near it."""
    key, stranger = scene.key, scene.stranger
    payload = signing.simple_signing(scene.digest)
    told = json.loads(payload)

    def mutant(name: str, text: bytes = payload, signature: bytes | None = None, by: Key = key, kind: str = SIMPLE_SIGNING, annotations: dict | None = None, **keys: Any) -> Mutant:
        said = {"dev.cosignproject.cosign/signature": encoded(by.sign(text) if signature is None else signature)} if annotations is None else annotations
        return Mutant(f"tag: {name}", layers=((kind, text, said),), **keys)

    yield mutant("whole", valid=True)
    yield mutant("without its signature", annotations={})
    for name, value in {"empty": "", "no base64": "!!!!", "a word": "valid"}.items():
        yield mutant(f"signature {name}", annotations={"dev.cosignproject.cosign/signature": value})
    yield mutant("signature under another name", annotations={"signature": encoded(key.sign(payload))})
    yield mutant("by a stranger", by=stranger)
    for name, signature, valid in strange_signatures(key, payload):
        yield mutant(f"signature {name}", signature=signature, valid=valid)
    for place in _places(len(payload)):
        yield mutant(f"payload at {place}", _spoiled(payload, place), key.sign(payload))
    yield mutant("signature of another payload", signature=key.sign(signing.simple_signing(scene.other)))
    yield mutant("a space more", payload + b" ", key.sign(payload))
    yield mutant("about another image", signing.simple_signing(scene.other))
    image = lambda value: json.dumps(_changed(told, "critical", "image", "docker-manifest-digest", to=value)).encode()  # noqa: E731
    for name, value in {"upper case": "sha256:" + scene.digest[7:].upper(), "no algorithm": scene.digest[7:], "cut": scene.digest[:-1], "empty": "", "a list": [scene.digest], "sha512": "sha512:" + scene.digest[7:]}.items():
        yield mutant(f"digest {name}", image(value))
    for path in [("critical",), ("critical", "image"), ("critical", "image", "docker-manifest-digest")]:
        yield mutant(f"without {'.'.join(path)}", json.dumps(_changed(told, *path, to=...)).encode())
    yield mutant("without a type", json.dumps(_changed(told, "critical", "type", to=...)).encode(), valid=None)
    yield mutant("atomic container signature", json.dumps(_changed(told, "critical", "type", to="atomic container signature")).encode(), valid=None)
    yield mutant("another type", json.dumps(_changed(told, "critical", "type", to="something else")).encode(), valid=None)
    yield mutant("another repository", signing.simple_signing(scene.digest, "registry.example/other"), valid=None)
    yield mutant("annotations", signing.simple_signing(scene.digest, annotations={"stage": "release"}), valid=True)
    other = json.dumps({"docker-manifest-digest": scene.other}).encode()
    yield mutant("image twice, another last", payload.replace(b'"type":', b'"image": ' + other + b', "type":'))
    yield mutant("image twice, another first", payload.replace(b'"image":', b'"image": ' + other + b', "image":'), valid=None)
    yield mutant("with a tail", payload + b"{}")
    yield mutant("empty", b"")
    yield mutant("no JSON", b"hello")
    yield mutant("only the digest", scene.digest.encode())
    yield mutant("another media type", kind="text/plain", valid=None)
    envelope = json.dumps(signing.envelope(signing.statement(scene.digest, COSIGN_SIGN, {}), key)).encode()
    yield mutant("an envelope", envelope, annotations={"dev.cosignproject.cosign/signature": ""}, kind=DSSE)
    yield mutant("a bundle", _bundle(signing.signature_bundle(scene.digest, key)), annotations={}, kind=BUNDLE, valid=None)
    layer = lambda by, text=payload: signing.signature_layer(text, by.sign(text))  # noqa: E731
    yield Mutant("tag: a bad layer and ours", layers=(layer(stranger), layer(key)), valid=True)
    yield Mutant("tag: ours and a bad layer", layers=(layer(key), layer(stranger)), valid=True)
    yield Mutant("tag: two by strangers", layers=(layer(stranger), layer(Key())))
    yield Mutant("tag: no layer", layers=())


# --- keyless ---------------------------------------------------------------------------------------------------------


def leaves(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value in a document that is neither an object nor a list, and where it is."""
    for step, value in content.items() if isinstance(content, dict) else enumerate(content):
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, step))
        else:
            yield (*path, step), value


# What nobody signed: a reader may go by it or not.
UNSIGNED = {"logIndex", "hint", "treeSize", "keyid", "mediaType", "kind", "version", "algorithm", "logID"}


def spoiled_documents(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The document with one value spoiled, or with one taken away."""
    for path, value in leaves(content):
        name = ".".join(map(str, path))
        if isinstance(value, str):
            for place in _places(len(value), 3):
                yield f"{name} at {place}", _changed(content, *path, to=_spoiled(value, place))
            yield f"{name} empty", _changed(content, *path, to="")
            if value.isdigit():
                yield f"{name} one more", _changed(content, *path, to=str(int(value) + 1))
        elif isinstance(value, int) and not isinstance(value, bool):
            yield f"{name} one more", _changed(content, *path, to=value + 1)
        yield f"{name} gone", _changed(content, *path, to=...)


def keyless(mint: Callable[..., signing.Minted]) -> Iterator[tuple[Mutant, signing.Minted]]:
    """What the test authority signs, right and with each of its faults, and every value of a good one spoiled."""

    def both(name: str, minted: signing.Minted, valid: bool | None, in_a_layer: bool | None) -> Iterator[tuple[Mutant, signing.Minted]]:
        yield Mutant(f"keyless bundle: {name}", (minted.bundle,), valid=valid), minted
        if minted.layer:
            yield Mutant(f"keyless tag: {name}", layers=(minted.layer,), valid=in_a_layer), minted

    good = mint()
    yield from both("whole", good, True, True)
    yield from both("stamped", mint("--timestamp"), True, True)
    yield from both("in Rekor v2", mint("--entry", "tiles", "--timestamp"), True, None)
    yield from both("in Rekor v2 without a time", mint("--entry", "tiles"), False, None)
    for entry in ["intoto", "hashedrekord"]:
        yield from both(f"entry {entry}", mint("--entry", entry), None, None)
    for fault, code in signing.faults().items():
        if fault == "unknown-key":
            continue  # only of signers by key
        stamped = ["--timestamp"] if code == "signature.timestamp" else []
        yield from both(f"fault {fault}", mint("--fault", fault, *stamped), False, None)
    for name, arguments in {
        "another identity": ["--identity", signing.IDENTITY + "x"],
        "an e-mail address of the same text": ["--identity", "acme@gitlab.example.com"],
        "another issuer": ["--issuer", signing.ISSUER + "/"],
        "about another image": ["--subject", "sha256:" + "1" * 64],
    }.items():
        yield from both(name, mint(*arguments), False, False)
    other = dataclasses.replace(mint("--seed", "another authority"), root=good.root)
    yield from both("by another authority", other, False, False)
    for name, content in spoiled_documents(json.loads(good.bundle)):
        yield Mutant(f"keyless bundle: {name}", (_bundle(content),), valid=None if _unsigned(name) else False), good
    kind, payload, annotations = good.layer
    entry = json.loads(annotations["dev.sigstore.cosign/bundle"])
    for name, content in spoiled_documents(entry):
        said = {**annotations, "dev.sigstore.cosign/bundle": json.dumps(content)}
        yield Mutant(f"keyless tag: {name}", layers=((kind, payload, said),), valid=False), good
    for name in annotations:
        gone = {key: value for key, value in annotations.items() if key != name}
        yield Mutant(f"keyless tag: without {name}", layers=((kind, payload, gone),), valid=None if name.endswith("chain") else False), good


def _unsigned(name: str) -> bool:
    return bool(UNSIGNED & set(name.split(" ")[0].split(".")))
