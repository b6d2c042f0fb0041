import re

import gradio
import pytest
from gradio import processing_utils, queueing
from starlette.testclient import TestClient

from shared import settings
from shared.site import gradio_patches, guard, pages, server


def test_the_patches_were_written_for_this_version_of_gradio():
    assert gradio.__version__ == gradio_patches.GRADIO_VERSION, (
        "Gradio has another version. Compare each function of shared/site/gradio_patches.py with "
        "the new state_holder.py (SessionState.__init__, StateHolder.update), queueing.py "
        "(error_payload, event_ids_to_events, pending_event_ids_session), processing_utils.py "
        "(async_ssrf_protected_*), blocks.py (has_launched, route) and "
        "templates/frontend/index.html; compare `window.fetch` in shared/site/static/site.js with "
        "the client's stream of answers, and `.nav-holder` in site.css. Then set GRADIO_VERSION."
    )


def build_page(page, settings):
    gradio.HTML(f"<h1>{page.page.title}</h1>")


@pytest.fixture(scope="module")
def client():
    own = [
        pages.Page("", "Home", "The home page.", build_page),
        pages.Page("one", "One & two", 'A "page".', build_page),
    ]
    options = settings.Settings()
    return TestClient(server.mount(pages.build_site(own, options), own, options))


@pytest.mark.parametrize(
    ("path", "title", "description"),
    [
        ("/", "Unrolled: recurrent networks at work", "The home page."),
        ("/one", "One &amp; two · Unrolled", "A &#34;page&#34;."),
    ],
)
def test_a_page_has_its_own_title_and_link_preview(client, path, title, description):
    html = client.get(path).text
    assert re.findall("<title>(.*?)</title>", html) == [title]
    metadata = dict(re.findall('<meta (?:property|name)="(.*?)" content="(.*?)"', html))
    assert metadata["og:title"] == title
    assert metadata["og:description"] == metadata["description"] == description
    assert metadata["og:url"].endswith(path)
    assert "gradio-app" not in html.split("<body")[0].replace("gradio-app {", "")
    assert client.get("/preview.png").headers["content-type"] == "image/png"
    assert metadata["og:image"].endswith("/preview.png")


def test_an_error_without_a_sentence_gets_one(client):
    payload = queueing.error_payload(ValueError("secret"), False)
    assert payload["error"] == guard.FAILED and payload["visible"]


@pytest.mark.parametrize("name", ["async_ssrf_protected_get", "async_ssrf_protected_download"])
def test_no_address_is_fetched(client, name):
    fetching = getattr(processing_utils, name)("https://example.org/a.png")
    with pytest.raises(gradio.Error) as refused:
        fetching.send(None)
    assert refused.value.message == guard.ADDRESS_GIVEN
