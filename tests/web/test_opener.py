"""The Opener's interface: what it does with its arguments, its progress, errors of others, and its end."""

import pytest

from tests.interop.damage import SIZE, sealed_to
from tests.interop.rows import GCM, Row, plain, seal
from tests.web.browser import Browser, Sealed, sha256
from tests.web.key_files import bare, openpgp_secret

PLAIN = sha256(plain(SIZE))


@pytest.fixture
def places(browser: Browser) -> dict[str, str]:
    """Return where the page finds a sealed file and its key."""
    sealed, key = sealed_to(GCM, "p256"), bare("p256").data
    return {"sealed": browser.site.put(sealed), "key": browser.site.put(key), "size": len(sealed)}


def run(browser: Browser, places: dict[str, str], body: str):
    """Run a test's own lines in the page."""
    return browser.page.evaluate(
        """async ({ sealed, key, size }) => {
            const { Opener, bytesOf, hexDigest } = page;
            const [file, secret] = [new Uint8Array(await bytesOf(sealed)), await bytesOf(key)];
            const opener = new Opener();
            const options = { envelope: "cms", size, sha256: null };
            const refused = (promise) => promise.then(() => "", (error) => `${error.name} ${error.message}`);
            try { BODY } finally { opener.close(); }
        }""".replace("BODY", body),
        places,
    )


def test_large_recording_opens_while_it_is_fetched(browser: Browser) -> None:
    """An hour at 128 kbit/s."""
    data = plain(1_000_000) * 58
    for form, name, key, envelope in (
        (GCM, "rsa2048", bare("rsa2048"), "cms"),
        ("openpgp", "cv25519", openpgp_secret("cv25519"), "openpgp"),
    ):
        sealed = seal(Row(form, (name,), "definite DER" if envelope == "cms" else ""), data)
        file = {"sealed": browser.site.put(sealed), "envelope": envelope, "size": len(sealed), "sha256": sha256(sealed)}
        answer = browser.page.call("stream", {"key": browser.site.put(key.data), "passphrase": ""}, file)
        assert answer["digest"] == sha256(data)


def test_pieces_of_a_larger_buffer_stay_usable(browser: Browser, places: dict[str, str]) -> None:
    opened = run(browser, places, """
        await opener.addKey(secret, "");
        const middle = Math.floor(size / 2);
        const parts = await opener.open([file.subarray(0, middle), file.subarray(middle)], options);
        return [await hexDigest(parts), file.length, secret.byteLength > 0];
    """)  # fmt: skip
    assert opened == [PLAIN, places["size"], True]


def test_progress_is_the_number_of_sealed_bytes(browser: Browser, places: dict[str, str]) -> None:
    seen = run(browser, places, """
        await opener.addKey(secret, "");
        const seen = [];
        await opener.open([file.slice(0, 100), file.slice(100)], { ...options, onProgress: (done) => seen.push(done) });
        return seen;
    """)  # fmt: skip
    assert seen == [100, places["size"]]


def test_several_recordings_open_at_the_same_time(browser: Browser, places: dict[str, str]) -> None:
    digests = run(browser, places, """
        await opener.addKey(secret, "");
        const slow = async function* () {
            for (let at = 0; at < size; at += 500) yield file.slice(at, at + 500);
        };
        const all = await Promise.all([1, 2, 3, 4].map(() => opener.open(slow(), options)));
        return Promise.all(all.map(hexDigest));
    """)  # fmt: skip
    assert digests == [PLAIN] * 4


def test_error_of_the_source_is_passed_on_and_the_opener_goes_on(browser: Browser, places: dict[str, str]) -> None:
    answers = run(browser, places, """
        await opener.addKey(secret, "");
        const broken = async function* () { yield file.slice(0, 500); throw new Error("the network is gone"); };
        const first = await refused(opener.open(broken(), options));
        return [first, await hexDigest(await opener.open([file.slice()], options))];
    """)  # fmt: skip
    assert answers == ["Error the network is gone", PLAIN]


def test_closed_opener_has_no_keys_and_refuses_what_was_being_opened(browser: Browser, places: dict[str, str]) -> None:
    answers = run(browser, places, """
        await opener.addKey(secret, "");
        const halves = async function* () { yield file.slice(0, 500); opener.close(); yield file.slice(500); };
        const first = await refused(opener.open(halves(), options));
        const adding = refused(opener.addKey(secret, ""));
        opener.close();
        return [first, await adding, await refused(opener.open([file.slice()], options))];
    """)  # fmt: skip
    closed = "AbortError The opener was closed."
    assert answers == [closed, closed, "OpenProblem The file is not sealed to this key."]


@pytest.mark.parametrize("size", [2**30 + 1, 2**53])
def test_too_large_a_recording_is_refused_before_it_is_read(browser: Browser, size: int) -> None:
    for envelope, key in (("cms", bare("p256")), ("openpgp", openpgp_secret("cv25519"))):
        answer = browser.open_one(key, Sealed(b"x", envelope, size=size))
        assert (answer.code, answer.about, answer.progress) == ("NotSupported", "Size", 0)


def test_keys_are_not_exportable(browser: Browser, places: dict[str, str]) -> None:
    """The worker is the only place of the keys. Here its module is loaded in the page, to look at them."""
    found = browser.page.evaluate(
        """async (places) => {
            const { readKeys } = await import("/open/cms-keys.js");
            const bytes = await Promise.all(places.map(page.bytesOf));
            const texts = bytes.map((one) => new TextDecoder().decode(one));
            const keys = (await Promise.all(texts.map((text, at) => readKeys(bytes[at], text, "")))).flat();
            const all = keys.flatMap((key) => Object.values(key.byHash ?? { key: key.key }));
            return all.map((key) => [key.type, key.extractable, key.usages.join()]);
        }""",
        [places["key"], browser.site.put(bare("rsa2048").data)],
    )
    assert found == [["private", False, "deriveBits"]] + [["private", False, "unwrapKey"]] * 4


def test_worker_that_cannot_start_is_a_problem_with_a_code(browser: Browser) -> None:
    with browser.page.without("**/opener-worker.js"):
        (answer,) = browser.add(bare("p256"))
    assert (answer["code"], answer["about"]) == ("NotSupported", "Worker")
