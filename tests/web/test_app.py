from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from facetwise.search import IndexedItem
from facetwise.web.app import create_app


@pytest.fixture
def client(fake_index):
    with TestClient(create_app(fake_index, most_bytes=20_000)) as client:
        yield client


def test_search_by_text_answers_as_the_command_line_does(client, fake_index):
    answer = client.get("/api/search", params={"q": " red shoe ", "k": 2})
    assert answer.status_code == 200
    assert answer.json() == [
        {"id": "a/1", "score": 0.5, "rank": 1, "exact": True},
        {"id": "b<2>", "score": 0.25, "rank": 2, "exact": True},
    ]
    assert fake_index.queries == ["red shoe"]


def test_weights_filter_and_model_reach_the_index(client, fake_index):
    params = {
        "q": "shoe",
        "weigh": ["baseColour=3", "gender=0"],
        "where": "gender = 'Men'",
        "using": "pairs",
    }
    assert client.get("/api/search", params=params).status_code == 200
    assert fake_index.asked == [
        {
            "weigh": {"baseColour": 3.0, "gender": 0.0},
            "where": "gender = 'Men'",
            "using": "pairs",
            "k": 10,
        }
    ]


def test_search_by_picture(client, fake_index, png_bytes):
    answer = client.post(
        "/api/search", files={"image": ("a.png", png_bytes)}, data={"weigh": "gender=2", "k": "1"}
    )
    assert [hit["id"] for hit in answer.json()] == ["a/1"]
    assert fake_index.queries == [png_bytes]
    assert fake_index.asked[0]["weigh"] == {"gender": 2.0}


def test_search_for_what_is_like_an_item(client, fake_index):
    assert client.get("/api/search", params={"like": "c 3"}).status_code == 200
    assert isinstance(fake_index.queries[0], IndexedItem)
    assert fake_index.queries[0].id == "c 3"


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"q": " "}, "nothing to search for"),
        ({"q": "x", "like": "c 3"}, "ask with one of them"),
        ({"q": "x", "weigh": "baseColour"}, "expected NAME=FACTOR"),
        ({"q": "x", "weigh": "colour=2"}, "there are baseColour, gender"),
        ({"q": "x", "using": "both"}, "expected sets or pairs"),
        ({"like": "z"}, "no item 'z'"),
    ],
)
def test_bad_questions_get_one_line_that_says_the_way_out(client, params, says):
    answer = client.get("/api/search", params=params)
    assert answer.status_code == 400
    assert says in answer.json()["error"]


@pytest.mark.parametrize("k", [0, 201, "x"])
def test_the_number_of_hits_is_bounded(client, k):
    assert client.get("/api/search", params={"q": "x", "k": k}).status_code == 422
    assert client.post("/api/search", data={"q": "x", "k": str(k)}).status_code == 400


def test_an_upload_is_bounded(client, fake_index):
    big = {"image": ("big.png", b"x" * 30_000)}
    assert client.post("/api/search", files=big).status_code == 413
    assert fake_index.queries == []


def test_an_upload_that_hides_its_length_is_bounded_too(client, fake_index):
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'

    def body():
        yield head
        for _ in range(30):
            yield b"x" * 1000
        yield b"\r\n--x--\r\n"

    answer = client.post(
        "/api/search",
        content=body(),
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code == 413
    assert fake_index.queries == []


def test_explain_by_text_and_by_picture(client, fake_index, png_bytes):
    why = client.get("/api/explain", params={"q": "red shoe", "id": "a/1", "weigh": "gender=2"})
    assert [facet["name"] for facet in why.json()["facets"]] == ["slot 1", "slot 2"]
    why = client.post("/api/explain?id=a/1", files={"image": ("a.png", png_bytes)})
    assert why.json()["id"] == "a/1"
    assert fake_index.queries == ["red shoe", png_bytes]
    assert [asked["weigh"] for asked in fake_index.asked] == [{"gender": 2.0}, None]


def test_thumbnails_have_their_type(client):
    answer = client.get("/image/a/1")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")


def test_an_item_without_a_picture_has_no_thumbnail(client, fake_index, monkeypatch):
    monkeypatch.setattr(fake_index, "item", lambda id: IndexedItem(id))
    assert client.get("/image/a").status_code == 404


def test_the_page_has_a_slider_for_what_a_text_or_a_picture_can_weigh(client):
    page = client.get("/").text
    sliders = re.findall(r'data-uses="([\w ]+)".*name="weigh\.([\w ]+)"', page)
    assert sliders == [("sets pairs", "baseColour"), ("sets", "gender"), ("pairs", "free 1")]
    assert 'data-picture="pairs"' in page
    assert "1,234 items" in page
    assert "shop &lt;&amp;&gt;" in page


def test_the_page_shows_what_a_filter_can_name(client):
    page = client.get("/").text
    assert "<code>baseColour = &#39;&lt;Red&gt;&#39;</code>" in page
    assert "id, baseColour, gender, year" in page


def test_hits_say_what_they_answer(client):
    asked = {"q": "<x>", "where": "year > 1", "weigh.gender": "2.5", "weigh.baseColour": "1"}
    part = client.post("/page/search", data=asked).text
    said = " ".join(re.sub(r"</?(?:b|code)>", "", part.partition("</p>")[0]).split())
    assert said.endswith("3 most like “&lt;x&gt;”, where year &gt; 1, gender × 2.5")
    part = client.post("/page/search", data={"like": "c 3", "k": "1"}).text
    assert "1 most like <b>text of c 3</b>" in part
    assert part.count("/image/c%203") == 1
    assert part.count("<li>") == 1


def test_the_page_and_its_parts_name_no_other_host(client, png_bytes):
    parts = [
        client.get("/").text,
        client.get("/static/page.css").text,
        client.get("/static/page.js").text,
        client.post("/page/search", data={"q": "x"}).text,
        client.post("/page/explain?id=a/1", data={"q": "x"}).text,
    ]
    parts = [re.sub(r"data:image/png;base64,[\w+/=]+", "", part) for part in parts]
    assert [part for part in parts if re.search(r"(?:https?:)?//\w", part)] == []
    assert client.get("/static/htmx.min.js").status_code == 200


def test_the_browser_is_told_to_load_nothing_from_elsewhere(client):
    for path in ("/", "/api/search?q=x", "/static/page.js", "/nowhere"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"


def test_hits_on_the_page_are_escaped(client):
    part = client.post("/page/search", data={"q": "x", "k": "3"}).text
    assert "b<2>" not in part
    assert "text of b&lt;2&gt;" in part
    assert 'src="/image/b%3C2%3E"' in part
    assert "/page/explain?id=c+3" in part


def test_only_sliders_that_were_moved_steer(client, fake_index):
    client.post("/page/search", data={"q": "x", "weigh.baseColour": "3", "weigh.gender": "1"})
    assert fake_index.asked[0]["weigh"] == {"baseColour": 3.0}


def test_the_page_says_what_is_wrong_instead_of_hits(client):
    part = client.post("/page/search", data={"q": " "})
    assert part.status_code == 200
    assert "nothing to search for" in part.text
    part = client.post("/page/search", data={"q": "x", "where": "nothing = 1"})
    assert "Nothing found" in part.text


def test_the_page_explains_a_hit_with_a_picture_and_a_table(client):
    part = client.post("/page/explain?id=a/1", data={"q": "red shoe"}).text
    assert "data:image/png;base64,iVBOR" in part
    assert "+0.3000" in part
    assert "&lt;b&gt;" in part
    assert "no item" in client.post("/page/explain?id=a/1", data={"like": "z"}).text
