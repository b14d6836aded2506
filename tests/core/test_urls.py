import string
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.formats.task_urls import (
    TaskPlace,
    TaskUrlTemplate,
    build_task_url,
    check_api_path,
    check_task_id,
    split_task_url,
)
from notifier.core.formats.urls import (
    InvalidUrl,
    check_base_url,
    check_callback_url,
    url_to_endpoint,
    url_to_origin,
)
from tests.core.texts import any_text


def places(**bases: str) -> dict[str, TaskUrlTemplate]:
    """Providers that are asked as MuleRouter is."""
    return {name: TaskUrlTemplate(base_url, MULEROUTER_PATH) for name, base_url in bases.items()}


BASES = {
    "mulerouter": "https://api.mulerouter.ai",
    "inner": "https://api.mulerouter.ai/inner/",
    "local": "http://127.0.0.1:8080/v1",
}
MULEROUTER_PATH = "{api_path}/{task_id}"
PLACES = places(**BASES)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("http://127.0.0.1:9001/hook", "http://127.0.0.1:9001/hook"),
        ("HTTP://Example.COM/Hook", "http://example.com/Hook"), ("http://h", "http://h/"),
        ("http://h?a=1", "http://h/?a=1"),
        ("http://h:80/", "http://h/"), ("https://h:443/x", "https://h/x"), ("http://h:443/", "http://h:443/"),
        ("https://h:80/", "https://h:80/"), ("http://h:0080/", "http://h/"), ("http://h:1/", "http://h:1/"),
        ("http://h:65535/", "http://h:65535/"),
        ("http://my_service.docker-1/x", "http://my_service.docker-1/x"),
        ("http://Localhost./x", "http://localhost./x"), ("http://h/a//b/", "http://h/a//b/"),
        ("http://hook.svc.intern.:81", "http://hook.svc.intern.:81/"),
        ("http://h/?a[]={b}|^`&c=%5B", "http://h/?a[]={b}|^`&c=%5B"),
        ("http://☃.net/", "http://xn--n3h.net/"), ("http://xn--n3h.net/", "http://xn--n3h.net/"),
        ("http://i❤️.ws/", "http://xn--i-7iq.ws/"), ("http://👍.example./", "http://xn--yp8h.example./"),
        ("http://h/p?", "http://h/p"),
        ("http://h/a?b=c&d=%20+e?/f@g:h", "http://h/a?b=c&d=%20+e?/f@g:h"),
        ("http://h/%2F%7e", "http://h/%2F%7e"),
        ("http://h/ü/☃?q=é", "http://h/%C3%BC/%E2%98%83?q=%C3%A9"),
        ('http://h/a"b<c>^`{|}', "http://h/a%22b%3Cc%3E%5E%60%7B%7C%7D"),
        ("http://h/a@b:c", "http://h/a@b:c"), ("http://h/..a/b..", "http://h/..a/b.."),
        ("http://h/x;p=1,2!$'()*", "http://h/x;p=1,2!$'()*"),
        ("http://[::1]:9001/", "http://[::1]:9001/"), ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"),
        ("http://[2001:DB8::A]/", "http://[2001:db8::a]/"),
        ("http://[::FFFF:127.0.0.1]/", "http://[::ffff:127.0.0.1]/"),
        ("http://[::ffff:7f00:1]/", "http://[::ffff:127.0.0.1]/"),
        ("http://[64:ff9b::7f00:1]/", "http://[64:ff9b::7f00:1]/"),
        ("http://Bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"),
        ("http://straße.de/", "http://xn--strae-oqa.de/"), ("http://例え.jp/", "http://xn--r8jz45g.jp/"),
        ("http://１２７.０.０.１/", "http://127.0.0.1/"), ("http://ｅｘａｍｐｌｅ。com/", "http://example.com/"),
        ("http://1password.com/", "http://1password.com/"), ("http://0x7f.example/", "http://0x7f.example/"),
        ("http://3com/", "http://3com/"), ("http://a.b-c.d3/", "http://a.b-c.d3/"),
        ("http://127.0.0.1./", "http://127.0.0.1/"),
        ("http://" + "a" * 63 + "/", "http://" + "a" * 63 + "/"), ("http://h/" + "a" * 2_039,
        "http://h/" + "a" * 2_039),
    ],
)  # fmt: skip
def test_a_callback_url_is_made_canonical(text: str, canonical: str) -> None:
    assert check_callback_url(text) == canonical
    assert check_callback_url(canonical) == canonical


@pytest.mark.fault(92)
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "http://"), ("h", "http://"), ("//h/", "http://"), ("/x", "http://"), ("h:80/x", "http://"),
        ("file:///etc/passwd", "http://"), ("ftp://h/", "http://"), ("javascript:alert(1)",
        "http://"), ("ws://h/", "http://"),
        ("data:text/plain,x", "http://"), ("http+unix://%2Frun%2Fa.sock/", "http://"),
        ("httpx://h/", "http://"), ("ｈttp://h/", "http://"), ("http:", "host"), ("http:h", "host"),
        ("http:/h", "host"),
        ("http://", "host"), ("http:///x", "host"), ("http://?x", "host"), ("http://:80/", "host"),
        ("http://./", "host"),
        ("http://h:0/", "1 to 65535"), ("http://h:65536/", "1 to 65535"), ("http://h:99999/", "1 to 65535"),
        ("http://h:/", "host and port"), ("http://h:x/", "host and port"), ("http://h:-1/", "host and port"),
        ("http://h:8_0/", "host and port"), ("http://h:٨٠/", "host and port"),
        ("http://h:80:80/", "host and port"),
        ("http://h:100000/", "host and port"), ("http://::1/", "host and port"),
        ("http://u@h/", "no user"), ("http://u:p@h/", "no user"), ("http://@h/", "no user"),
        ("http://:@h/", "no user"),
        ("http://127.0.0.1@evil/", "no user"), ("http://a%40b@h/", "no user"),
        ("http://h/#f", "fragment"), ("http://h#", "fragment"), ("http://h/?a#b", "fragment"),
        ("http://h/a b", "spaces"), (" http://h/", "spaces"), ("http://h/ ", "spaces"),
        ("http://h/\n", "spaces"),
        ("ht\ntp://h/", "spaces"), ("http://h\t/", "spaces"), ("http://h/\r\nX: y", "spaces"),
        ("http://h/\0", "spaces"),
        ("\x01http://h/", "spaces"), ("http://h/\x7f", "spaces"), ("http:\\\\h\\", "backslash"),
        ("http://h\\@evil/", "backslash"),
        ("http://127.1/", "four decimal"), ("http://0x7f000001/", "four decimal"),
        ("http://2130706433/", "four decimal"),
        ("http://0177.0.0.1/", "four decimal"), ("http://0x7f.0.0.1/", "four decimal"),
        ("http://127.0.0.1.1/", "four decimal"),
        ("http://256.0.0.1/", "four decimal"), ("http://127.0.0.01/", "four decimal"),
        ("http://0/", "four decimal"),
        ("http://0x/", "four decimal"), ("http://a.0x7F/", "four decimal"),
        ("http://example.1/", "four decimal"),
        ("http://１２７.1/", "four decimal"), ("http://①②⑦.1/", "four decimal"),
        ("http://127.0.0.1../", "no valid name"),
        ("http://%31%32%37.0.0.1/", "four decimal"), ("http://h%2eexample/", "no valid name"),
        ("http://h%00/", "no valid name"),
        ("http://[::1%25eth0]/", "no zone"), ("http://[fe80::1%eth0]/", "no zone"),
        ("http://[::1/", "URL|host"),
        ("http://::1]/", "URL|host"),
        ("http://[]/", "URL|host"), ("http://[v1.x]/", "URL|host"), ("http://[127.0.0.1]/", "URL|host"),
        ("http://[::1]x/", "URL|host"), ("http://x[::1]/", "URL|host"),
        ("http://[h]/", "URL|host"), ("http://[::1]:x/", "URL|host"), ("http://[1::2::3]/", "URL|host"),
        ("http://xn--/", "URL|host"), ("http://xn--a/", "URL|host"),
        ("http://a.xn--zzzzzzzz99999/", "URL|host"),
        ("http://xn--0.com/", "URL|host"),
        ("http://xn--N3H☃.net/", "URL|host"), ("http://a\u200d.com/", "URL|host"),
        ("http://xn--abc-.net/", "URL|host"), ("http://xn--☃-.net/", "URL|host"),
        ("http://\u202eevil/", "URL|host"),
        ("http://\ud800/", "URL|host"), ("http://h/\udfff", "URL|host"),
        ("http://h／evil/", "URL|host"), ("http://h℀/", "URL|host"),
        ("http://-h/", "no valid name"), ("http://h-/", "no valid name"),
        ("http://a..b/", "no valid name"), ("http://.h/", "no valid name"),
        ("http://a,b/", "no valid name"), ("http://a*b/", "no valid name"),
        ("http://a+b/", "no valid name"), ("http://a;b/", "no valid name"),
        ("http://" + "a" * 64 + "/", "no valid name"), ("http://" + "a." * 127 + "a/", "no valid name"),
        ("http://h/../x", "segment"), ("http://h/a/./b", "segment"), ("http://h/a/..", "segment"),
        ("http://h/%2e%2E/x", "segment"),
        ("http://h/.%2e", "segment"), ("http://h/%zz", "hex"), ("http://h/%", "hex"),
        ("http://h/?a=%4", "hex"),
        ("http://h/" + "a" * 2_040, "2048"), ("http://h/" + "☃" * 500, "2048"),
        ("http://h/" + "a" * 1_000_000, "2048"),
    ],
)  # fmt: skip
def test_what_is_no_callback_url_is_refused_with_words(text: str, why: str) -> None:
    """Scheme, user, port, host, each by name."""
    with pytest.raises(InvalidUrl, match=why) as refused:
        check_callback_url(text)
    assert 10 < len(str(refused.value)) < 120


@given(any_text | st.text("htps:/[]@.%?#\\1x7f-_ ü", max_size=30).map("http://".__add__))
def test_checking_a_url_raises_nothing_else_and_its_result_is_settled(text: str) -> None:
    try:
        canonical = check_callback_url(text)
    except InvalidUrl:
        return
    assert canonical.isascii()
    assert check_callback_url(canonical) == canonical
    parts = urlsplit(canonical)
    assert parts.username is None
    assert parts.hostname
    assert canonical.startswith(url_to_origin(canonical) + "/")


@pytest.mark.parametrize(
    ("url", "origin", "endpoint"),
    [
        ("http://h/", "http://h", "http://h/"),
        ("https://h:8443/a/b?c=/d", "https://h:8443", "https://h:8443/a/b"),
        ("http://[::1]:9001/x?y?z", "http://[::1]:9001", "http://[::1]:9001/x"), ("http://h/@e",
        "http://h", "http://h/@e"),
        ("http://h/?u=http://o/p", "http://h", "http://h/"),
    ],
)  # fmt: skip
def test_origin_and_endpoint_of_a_canonical_url(url: str, origin: str, endpoint: str) -> None:
    assert check_callback_url(url) == url
    assert (url_to_origin(url), url_to_endpoint(url)) == (origin, endpoint)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://API.mulerouter.ai", "https://api.mulerouter.ai"),
        ("https://api.mulerouter.ai/", "https://api.mulerouter.ai"),
        ("http://127.0.0.1:80/v1//", "http://127.0.0.1/v1"), ("https://h/A", "https://h/A"),
    ],
)  # fmt: skip
def test_a_base_url_ends_without_slash(text: str, canonical: str) -> None:
    assert check_base_url(text) == canonical


@pytest.mark.parametrize(
    "text", ["", "h", "https://h/?a=b", "https://u@h", "https://h/#x", "https://h/..", "https://127.1"]
)
def test_a_base_url_is_held_to_the_same_rules(text: str) -> None:
    with pytest.raises(InvalidUrl):
        check_base_url(text)


@pytest.mark.parametrize(
    "text",
    ["3c90c3cc-0d44-4b50-8888-8dd25736052a", "a", "0", "A.b_c:d-e", "a..b", "a" * 200, "1.", "task:1"],
)
def test_a_task_id_is_taken(text: str) -> None:
    assert check_task_id(text) == text


@pytest.mark.threat(9)
@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a" * 201, "-a", "_a", ".a", ":a", "a/b", "a\\b", "a b", "a?b", "a#b", "%2e%2e",
     "a%2fb", "../a", "a\n", "a\0", "é", "٣", "a;b", "a@b", "{a}", "a/../b", "ａ"],
)  # fmt: skip
def test_what_is_no_task_id_is_refused(text: str) -> None:
    """Dots alone, slashes, escapes, marks of a query."""
    with pytest.raises(InvalidUrl, match="1 to 200"):
        check_task_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "/vendors/alibaba/v1/qwen-image-edit-max/generation",
        "/a",
        "/a.b/~c/@d:e",
        "/..a",
        "/...",
        "/" + "a" * 511,
    ],
)
def test_an_api_path_is_taken(text: str) -> None:
    assert check_api_path(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "/", "a", "a/b", "//a", "/a//b", "/a/", "/.", "/..", "/a/../b", "/a/.", "/a%2fb", "/%2e",
     "/a?b", "/a#b", "/a\\b", "/a b", "/a\n", "/a;b", "/é", "/a{b}",
     "/{task_id}", "http://h/a", "/" + "a" * 512, "/a\0", "/" * 600],
)  # fmt: skip
def test_what_is_no_api_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidUrl, match="api_path"):
        check_api_path(text)


@pytest.mark.parametrize(
    ("base_url", "task_path", "url"),
    [
        ("https://h", MULEROUTER_PATH, "https://h/v1/x/T1"), ("https://h/", MULEROUTER_PATH,
        "https://h/v1/x/T1"),
        ("https://h/b", "/tasks/{task_id}", "https://h/b/tasks/T1"), ("https://h",
        "tasks/{task_id}", "https://h/tasks/T1"),
        ("https://h", "/get?id={task_id}", "https://h/get?id=T1"),
        ("https://h", "@evil/{task_id}", "https://h/@evil/T1"),
        ("https://h", "{api_path}/{task_id}/{other}", "https://h/v1/x/T1/{other}"),
    ],
)  # fmt: skip
def test_a_task_url_is_made_from_base_template_path_and_id(base_url: str, task_path: str, url: str) -> None:
    assert build_task_url(base_url, task_path, "/v1/x", "T1") == url


@pytest.mark.parametrize(
    ("api_path", "task_id"),
    [("/..", "T1"), ("", "T1"), ("@evil", "T1"), ("/x", ".."), ("/x", "a/b"), ("/x", "")],
)
def test_no_task_url_is_made_of_a_bad_path_or_id(api_path: str, task_id: str) -> None:
    with pytest.raises(InvalidUrl):
        build_task_url("https://h", MULEROUTER_PATH, api_path, task_id)


@pytest.mark.threat(8, 9)
@given(any_text, any_text)
def test_no_path_and_no_id_changes_the_host_that_a_key_is_sent_to(api_path: str, task_id: str) -> None:
    """Whatever they hold, the URL stays below its base."""
    try:
        url = build_task_url("https://h", MULEROUTER_PATH, api_path, task_id)
    except InvalidUrl:
        return
    assert url.startswith("https://h/")
    assert urlsplit(url).netloc == "h"


@given(
    st.text(string.ascii_letters + string.digits + "._~:@!$&'()*+,=-/", min_size=1).map("/".__add__),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True),
)
def test_a_task_url_that_was_made_is_taken_apart_again(api_path: str, task_id: str) -> None:
    try:
        check_api_path(api_path)
    except InvalidUrl:
        return
    url = build_task_url(BASES["local"], MULEROUTER_PATH, api_path, task_id)
    assert split_task_url(url, PLACES) == TaskPlace("local", api_path, task_id)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://api.mulerouter.ai/vendors/a/v1/g/T1", ("mulerouter", "/vendors/a/v1/g", "T1")),
        ("HTTPS://API.MuleRouter.AI:443/vendors/T1", ("mulerouter", "/vendors", "T1")),
        ("https://api.mulerouter.ai/inner/x/T1", ("inner", "/x", "T1")),
        ("https://api.mulerouter.ai/innermost/T1", ("mulerouter", "/innermost", "T1")),
        ("https://api.mulerouter.ai/INNER/x/T1", ("mulerouter", "/INNER/x", "T1")),
        ("http://127.0.0.1:8080/v1/x/y/T1", ("local", "/x/y", "T1")),
    ],
)
def test_a_task_url_is_taken_apart_at_the_longest_base(text: str, parts: tuple[str, str, str]) -> None:
    assert split_task_url(text, PLACES) == TaskPlace(*parts)


@pytest.mark.parametrize(
    "text",
    [
        "https://api.mulerouter.ai.evil/x/T1", "https://api.mulerouter.ai@evil/x/T1", "https://evil/x/T1",
        "https://evil/api.mulerouter.ai/x/T1", "http://api.mulerouter.ai/x/T1",
        "https://api.mulerouter.ai:8443/x/T1",
        "https://api.mulerouter.ai/x/T1?a=b", "https://api.mulerouter.ai/x/T1#a",
        "https://api.mulerouter.ai/T1",
        "https://api.mulerouter.ai", "https://api.mulerouter.ai/", "https://api.mulerouter.ai/x/",
        "https://api.mulerouter.ai//T1",
        "https://api.mulerouter.ai/x/../T1", "https://api.mulerouter.ai/x/%2e%2e/T1",
        "https://api.mulerouter.ai/x/T%31",
        "https://api.mulerouter.ai\\x/T1", "https://api.mulerouter.ai/x/é",
        "https://u:p@api.mulerouter.ai/x/T1",
        "http://127.0.0.1:8080/v2/x/T1", "http://127.0.0.1:8080/v1", "http://127.1:8080/v1/x/T1",
        "", "x", "/x/T1",
        "https://api.mulerouter.ai/x/T1\n", "https://api.mulerouter.ai/inner/T1",
    ],
)  # fmt: skip
def test_a_task_url_that_fits_no_provider_or_holds_a_trick_is_refused(text: str) -> None:
    with pytest.raises(InvalidUrl):
        split_task_url(text, PLACES)


def test_a_task_url_that_fits_two_providers_equally_names_them() -> None:
    with pytest.raises(InvalidUrl, match="one and two"):
        split_task_url("https://h/x/T1", places(two="https://h", one="https://H/", far="https://g"))


@pytest.mark.parametrize(
    ("task_path", "url", "parts"),
    [
        (
            "{api_path}/requests/{task_id}/status",
            "https://h/fal/flux/requests/T1/status",
            ("/fal/flux", "T1"),
        ),
        ("/v1/tasks/{task_id}", "https://h/v1/tasks/T1", ("", "T1")),
        ("/v1/query?task_id={task_id}", "https://h/v1/query?task_id=T1", ("", "T1")),
        ("{task_id}", "https://h/T1", ("", "T1")),
        ("query{api_path}?task={task_id}", "https://h/query/video?task=T1", ("/video", "T1")),
        ("{api_path}/{task_id}/of/{task_id}", "https://h/a/T1/of/T1", ("/a", "T1")),
    ],
)
def test_a_task_url_is_read_as_its_provider_is_asked(
    task_path: str, url: str, parts: tuple[str, str]
) -> None:
    """Each dialect says where the id stands: to take the last word of the path for it would lose the task."""
    assert split_task_url(url, {"p": TaskUrlTemplate("https://h", task_path)}) == TaskPlace("p", *parts)
    assert build_task_url("https://h", task_path, *parts) == url


@pytest.mark.parametrize(
    ("task_path", "url"),
    [
        ("{api_path}/requests/{task_id}/status", "https://h/fal/flux/requests/T1"),
        ("{api_path}/requests/{task_id}/status", "https://h/fal/flux/requests/T1/status?logs=1"),
        ("/v1/tasks/{task_id}", "https://h/v1/tasks/T1/result"),
        ("/v1/tasks/{task_id}", "https://h/v1/tasks/"),
        ("{api_path}/{task_id}/of/{task_id}", "https://h/a/T1/of/T2"),
        ("query{api_path}?task={task_id}", "https://h/query/video?task=T1&task=T2"),
    ],
)
def test_a_task_url_of_another_form_is_refused_with_the_form(task_path: str, url: str) -> None:
    """It would be polled at a place that nobody meant."""
    with pytest.raises(InvalidUrl, match="is like https://h"):
        split_task_url(url, {"p": TaskUrlTemplate("https://h", task_path)})
