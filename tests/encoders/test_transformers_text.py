"""Every family, tiny and at random, saved to a folder: read as the model reads, and safely."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest
import torch

from facetwise.data.synthetic import shapes_collection
from facetwise.encoders import (
    EncoderConfig,
    Encoders,
    LanguageModel,
    MiniLM,
    TokenIds,
    TransformersText,
    TransformersWords,
    text_features,
)
from facetwise.errors import InputError

TEXTS = ["a red circle", "a star", "", "a red star above the green circles, left of a circle"]
LETTERS = sorted(set("".join(TEXTS)) - set(" ,"))
POSITIONS = 24


def word_piece():
    """As BERT's: [CLS] ... [SEP], parts of words begin with ##."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", *LETTERS]
    names += [f"##{letter}" for letter in LETTERS] + ["red", "circle", "star", "##s", "green"]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys(names))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer, {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }


def byte_pairs(family):
    """Letters with RoBERTa's, CLIP's or SigLIP's way of saying where words begin and end."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    if family == "roberta":  # <pad> is number 1, words begin with a blank
        start, end, extra = "<s>", "</s>", ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        names = [*extra, ",", "Ġ", *LETTERS]
        merges = [("r", "e"), ("re", "d")]
        names += ["re", "red"]
        before = pre_tokenizers.ByteLevel(add_prefix_space=True)
        suffix = {}
        special = {
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "mask_token": "<mask>",
            "bos_token": "<s>",
            "eos_token": "</s>",
        }
    elif family == "clip":  # words end with </w>; the end is the last number, and the padding
        start, end = "<|startoftext|>", "<|endoftext|>"
        names = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), ",</w>", "re", "red</w>"]
        names += [start, end]
        merges = [("r", "e"), ("re", "d</w>")]
        before = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
        )
        suffix = {"end_of_word_suffix": "</w>"}
        special = {"pad_token": end, "unk_token": end, "bos_token": start, "eos_token": end}
    else:  # SigLIP: no start, and the padding is the end, number 1
        start, end = "", "</s>"
        names = ["<unk>", "</s>", ",", "▁", *LETTERS, "re", "red"]
        merges = [("r", "e"), ("re", "d")]
        before = pre_tokenizers.Metaspace()
        suffix = {}
        special = {"pad_token": "</s>", "unk_token": "<unk>", "eos_token": "</s>"}
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token=special["unk_token"], **suffix))
    tokenizer.pre_tokenizer = before
    if family == "siglip":
        tokenizer.decoder = decoders.Metaspace()
    marks = [(name, vocabulary[name]) for name in (start, end) if name]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}".strip(), special_tokens=marks
    )
    return tokenizer, special


def config(family, size, special):
    from transformers import (
        BertConfig,
        CLIPConfig,
        CLIPTextConfig,
        RobertaConfig,
        Siglip2Config,
        SiglipConfig,
    )

    sides = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    sides["num_hidden_layers"] = 2
    picture = {**sides, "image_size": 32, "patch_size": 16}
    if family == "bert":
        return BertConfig(vocab_size=size, max_position_embeddings=POSITIONS, **sides)
    if family == "roberta":
        return RobertaConfig(
            vocab_size=size, max_position_embeddings=POSITIONS + 2, pad_token_id=1, **sides
        )
    words = {**sides, "vocab_size": size, "max_position_embeddings": POSITIONS}
    if family in ("siglip", "siglip2"):
        words |= {"pad_token_id": 1, "bos_token_id": 1, "eos_token_id": 1, "projection_size": 16}
        if family == "siglip2":
            del picture["image_size"]
            return Siglip2Config(text_config=words, vision_config={**picture, "num_patches": 4})
        return SiglipConfig(text_config=words, vision_config=picture)
    words |= {"eos_token_id": size - 1, "bos_token_id": size - 2, "pad_token_id": size - 1}
    if family == "clip text":
        return CLIPTextConfig(**words)
    return CLIPConfig(text_config=words, vision_config=picture, projection_dim=8)


FAMILIES = ["bert", "roberta", "clip", "clip text", "siglip", "siglip2"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    from transformers import AutoModel, PreTrainedTokenizerFast, Siglip2Tokenizer

    root = tmp_path_factory.mktemp("models")
    for family in FAMILIES:
        made, special = (
            word_piece() if family == "bert" else byte_pairs(family.split()[0].rstrip("2"))
        )
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, **special)
        if family == "siglip2":  # a class of its own, which pads where it is not told otherwise
            tokenizer = Siglip2Tokenizer(tokenizer_object=made, **special)
        with torch.random.fork_rng():
            torch.random.default_generator.manual_seed(0)
            model = AutoModel.from_config(config(family, len(tokenizer), special))
            for value in model.parameters():  # larger than a fresh model's, or all states are alike
                torch.nn.init.normal_(value, std=0.3)
        model.save_pretrained(root / family)
        tokenizer.save_pretrained(root / family)
    return root


@pytest.fixture(params=FAMILIES)
def folder(request, folders):
    return folders / request.param


def own(folder, text):
    """States and pooled output of one text as transformers gives them to who asks it directly."""
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    model = getattr(model, "text_model", model).eval()
    full = {"padding": "max_length", "max_length": POSITIONS} if "siglip" in folder.name else {}
    given = tokenizer([text], return_tensors="pt", **full)["input_ids"]
    length = len(tokenizer(text, padding=False)["input_ids"])
    with torch.no_grad():
        out = model(input_ids=given)
    first = given.shape[1] - length if full and tokenizer.padding_side == "left" else 0
    return out.last_hidden_state[0, first : first + length], out.pooler_output[0]


def model_of(folder, most=20):
    return LanguageModel(str(folder), most)


def test_states_are_the_models_own(folder):
    encoder = TransformersText(model_of(folder))
    features = encoder.encode(TEXTS)
    assert features.tokens.dtype == torch.float16
    assert features.tokens.shape[2] == encoder.width == 16
    assert features.words == encoder.words(TEXTS)
    assert features.mask.sum(1).tolist() == [len(words) for words in features.words]
    assert (features.tokens[~features.mask] == 0).all()
    for row, text in enumerate(TEXTS[:3]):  # the last one is cut
        states = own(folder, text)[0]
        torch.testing.assert_close(
            features.tokens[row, : len(states)].float(), states, atol=4e-3, rtol=4e-3
        )


def test_the_pooled_output_is_the_models_own(folder):
    encoder = TransformersText(model_of(folder), pooled=True)
    features = encoder.encode(TEXTS)
    assert all(words[-1] == "[POOLED]" for words in features.words)
    assert features.mask.sum(1).tolist() == [len(words) for words in features.words]
    tower = TransformersWords(model_of(folder), pool="model").eval()
    ids = TokenIds(model_of(folder)).encode(TEXTS)
    with torch.no_grad():
        _, phi = tower(ids.tokens, ids.mask)
    for row, text in enumerate(TEXTS[:3]):
        pooled = own(folder, text)[1]
        last = features.tokens[row, int(features.mask[row].sum()) - 1]
        torch.testing.assert_close(last.float(), pooled, atol=4e-3, rtol=4e-3)
        torch.testing.assert_close(phi[row], pooled, atol=1e-5, rtol=1e-4)


def test_a_new_tower_gives_what_the_frozen_encoder_gives(folder):
    frozen = TransformersText(model_of(folder)).encode(TEXTS)
    ids = TokenIds(model_of(folder)).encode(TEXTS)
    assert ids.tokens.dtype == torch.int64
    assert ids.words == frozen.words
    tower = TransformersWords(model_of(folder)).eval()
    psi, phi = tower(ids.tokens, ids.mask)
    torch.testing.assert_close(psi, frozen.tokens.float(), atol=4e-3, rtol=4e-3)
    torch.testing.assert_close(phi[1], psi[1][ids.mask[1]].mean(0))


def test_padding_and_company_change_nothing(folder):
    ids = TokenIds(model_of(folder)).encode(TEXTS)
    for pool in ("mean", "model"):
        tower = TransformersWords(model_of(folder), pool=pool).eval()
        psi, phi = tower(ids.tokens, ids.mask)
        wide = torch.nn.functional.pad(ids.tokens, (0, 30), value=5)  # more than it has positions
        wide_psi, wide_phi = tower(wide, torch.nn.functional.pad(ids.mask, (0, 30)))
        assert torch.equal(wide_phi, phi)
        assert (wide_psi[:, ids.mask.shape[1] :] == 0).all()
        for row in range(len(TEXTS)):
            own_length = int(ids.mask[row].sum())
            alone = tower(
                ids.tokens[row : row + 1, :own_length], ids.mask[row : row + 1, :own_length]
            )
            torch.testing.assert_close(alone[0][0], psi[row, :own_length], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(alone[1][0], phi[row], atol=1e-5, rtol=1e-4)


def test_what_the_mask_leaves_out_counts_as_deleted(folder):
    ids = TokenIds(model_of(folder)).encode(TEXTS)
    tower = TransformersWords(model_of(folder)).eval()
    mask = ids.mask.clone()
    mask[0, 1] = False
    left = ids.tokens[:1][mask[:1]][None]
    psi, phi = tower(ids.tokens, mask)
    expected = tower(left, torch.ones_like(left, dtype=torch.bool))
    torch.testing.assert_close(phi[:1], expected[1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(psi[0][mask[0]], expected[0][0], atol=1e-5, rtol=1e-4)


def test_training_changes_the_tower_and_not_the_encoder(folder):
    encoder = TransformersText(model_of(folder))
    before, fingerprint = encoder.encode(TEXTS).tokens, encoder.fingerprint
    for pool in ("mean", "model"):
        tower = TransformersWords(model_of(folder), pool=pool)
        ids = TokenIds(model_of(folder)).encode(TEXTS)
        psi, phi = tower(ids.tokens, ids.mask)
        (psi.square().sum() + phi.square().sum()).backward()
        learns = [value for value in tower.parameters() if value.requires_grad]
        assert all(value.grad is not None for value in learns)
        torch.optim.SGD(learns, 0.1).step()
        assert not torch.equal(tower.eval()(ids.tokens, ids.mask)[1], phi)
    assert torch.equal(encoder.encode(TEXTS).tokens, before)
    assert TransformersText(model_of(folder)).fingerprint == fingerprint


LETTER_BY_LETTER = ["c", "##i", "##r", "##c", "##l", "##e", "##s"]


@pytest.mark.parametrize(
    ("family", "read"),
    [
        ("bert", ["[CLS]", "a", "red", "circle", "##s", "[SEP]"]),
        ("roberta", ["<s>", "▁", "a", "▁", "red", "▁", *LETTER_BY_LETTER, "</s>"]),
        ("clip", ["<|startoftext|>", "a", "red", *LETTER_BY_LETTER, "<|endoftext|>"]),
        ("siglip", ["▁", "a", "▁", "red", "▁", *LETTER_BY_LETTER, "</s>"]),
    ],
)
def test_tokens_are_read_as_words_and_parts_of_words(folders, family, read):
    (ids,), (words,) = model_of(folders / family).cut(["a red circles"])
    assert words == read
    assert len(ids) == len(words)


def test_marks_are_the_tokenizers(folders):
    bert = TokenIds(model_of(folders / "bert")).marks
    assert (bert.special, bert.unknown, bert.mask) == ((0, 1, 2, 3, 4), 1, 4)
    clip = TokenIds(model_of(folders / "clip")).marks
    assert clip.special == (clip.size - 2, clip.size - 1)
    assert clip.mask is clip.unknown is None  # its unknown token ends the text


def test_long_texts_are_cut_and_keep_their_end(folders):
    for family, end in (("bert", "[SEP]"), ("siglip", "</s>")):
        (ids,), (words,) = model_of(folders / family, 6).cut(["red " * 50])
        assert len(ids) == len(words) == 6
        assert words[-1] == end


@pytest.mark.parametrize(("family", "most"), [("bert", 24), ("roberta", 24), ("siglip", 24)])
def test_more_tokens_than_it_has_positions_are_refused(folders, family, most):
    model_of(folders / family, most).cut(TEXTS)
    with pytest.raises(InputError, match=f"reads at most {most}; set max_tokens = {most}"):
        model_of(folders / family, most + 1).cut(TEXTS)
    with pytest.raises(InputError, match="from 4 to 512, not 3"):
        model_of(folders / family, 3)


def test_no_texts_have_no_features(folder):
    encoder = TransformersText(model_of(folder))
    assert encoder.encode([]).tokens.shape == (0, 0, 16)
    assert TokenIds(model_of(folder)).encode([]).tokens.shape == (0, 0)
    assert encoder.words([]) == []


def test_frozen_features_are_kept_on_disk(folder, tmp_path, monkeypatch):
    collection = shapes_collection(tmp_path / "shapes.collection", n=4)
    encoder = TransformersText(model_of(folder), pooled=True)
    found = text_features(collection, encoder, TEXTS)
    given = encoder.encode(TEXTS)
    assert torch.equal(found.mask, given.mask)
    assert found.words == given.words
    torch.testing.assert_close(found.tokens, given.tokens, atol=4e-3, rtol=4e-3)
    some = text_features(collection, encoder, TEXTS[2:3])
    monkeypatch.setattr(TransformersText, "encode", None)  # nothing is computed again
    again = text_features(collection, TransformersText(model_of(folder), pooled=True), TEXTS)
    assert torch.equal(again.tokens, found.tokens)
    assert torch.equal(some.tokens[0], found.tokens[2, : some.mask.shape[1]])
    assert len(list(collection.path.glob("features-text-*.lance"))) == 1


def test_what_is_kept_does_not_depend_on_its_company(folder, tmp_path):
    texts = [f"{text} {text}"[: 5 + n] for n in range(30) for text in TEXTS]
    kept = []
    for name, orders in (("a", [texts]), ("b", [texts[7:8], texts[::3], texts[::-1], texts])):
        collection = shapes_collection(tmp_path / name, n=2)
        for order in orders:
            found = text_features(collection, TransformersText(model_of(folder)), order)
        kept.append(found.tokens)
    assert torch.equal(*kept)


def test_numbers_are_not_kept_on_disk(folders, tmp_path):
    collection = shapes_collection(tmp_path / "shapes.collection", n=4)
    encoder = TokenIds(model_of(folders / "bert"))
    found = text_features(collection, encoder, TEXTS)
    assert torch.equal(found.tokens, encoder.encode(TEXTS).tokens)
    assert not list(collection.path.glob("features-*"))


def test_fingerprints_are_of_weights_and_tokenizer_not_of_places(folders, tmp_path):
    copy = shutil.copytree(folders / "bert", tmp_path / "bert")
    here, there = (TransformersText(model_of(place)) for place in (folders / "bert", copy))
    assert (here.name, here.fingerprint) == (there.name, there.fingerprint)
    others = [
        TransformersText(model_of(folders / "bert", 12)).fingerprint,
        TransformersText(model_of(folders / "bert"), pooled=True).fingerprint,
        TokenIds(model_of(folders / "bert")).fingerprint,
        TransformersText(model_of(folders / "roberta")).fingerprint,
    ]
    assert len({here.fingerprint, *others}) == 5
    changed = shutil.copytree(folders / "bert", tmp_path / "changed")
    said = json.loads((changed / "tokenizer.json").read_text())
    said["normalizer"]["lowercase"] = False
    (changed / "tokenizer.json").write_text(json.dumps(said))
    other = model_of(changed)
    assert other.tokenizer_hash != here.model.tokenizer_hash
    assert other.weights_hash == here.model.weights_hash


# -- MiniLM through the same door -----------------------------------------------------------------


def test_minilm_that_is_trained_starts_as_the_frozen_one():
    frozen = MiniLM().encode(TEXTS)
    encoders = Encoders(EncoderConfig(tune=("text",)))
    ids = encoders.texts.encode(TEXTS)
    assert ids.words == frozen.words
    tower = encoders.towers().text.eval()
    assert tower.trained
    psi, phi = tower(ids.tokens, ids.mask)
    torch.testing.assert_close(psi, frozen.tokens.float(), atol=4e-3, rtol=1e-2)
    _, expected = Encoders(EncoderConfig()).towers().text(frozen.tokens, frozen.mask)
    torch.testing.assert_close(phi, expected, atol=4e-3, rtol=1e-2)


# -- what a recipe may say ------------------------------------------------------------------------


@pytest.mark.parametrize("tune", [(), ("text",)])
@pytest.mark.parametrize("how", ["usual", "mean", "max", "first", "last", "model"])
def test_a_recipe_chooses_the_global_feature(folders, tune, how):
    name = str(folders / "clip")
    encoders = Encoders.of(
        EncoderConfig(text=name, max_tokens=20, tune=tune, text_global=how), TEXTS
    )
    features = encoders.texts.encode(TEXTS)
    tower = encoders.towers().text.eval()
    _, phi = tower(features.tokens, features.mask)
    ids = TokenIds(model_of(name)).encode(TEXTS)
    states, model = TransformersWords(model_of(name), pool="model").eval()(ids.tokens, ids.mask)
    for row, length in enumerate(ids.mask.sum(1)):
        real = states[row, :length]
        expected = {"max": real.max(0).values, "first": real[0], "last": real[-1]}
        expected = {**expected, "model": model[row]}.get(how, real.mean(0))
        torch.testing.assert_close(phi[row], expected, atol=1e-2, rtol=1e-2)
    assert tower.trained == bool(tune)
    assert (encoders.marks is not None) == bool(tune)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "words", "text_global": "first"}, "'first' does not go with text = 'words'"),
        ({"text": "words", "text_global": "model"}, "there are usual, last, last_place, max, mean"),
        ({"text_global": "last_place"}, "'last_place' does not go with text = 'minilm'"),
    ],
)
def test_a_global_feature_that_there_is_not_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        Encoders.of(EncoderConfig(**options), TEXTS).towers()


@pytest.mark.parametrize("pool", ["last", "last_place", "max", "mean"])
def test_a_recipe_chooses_the_bi_gru(pool):
    config = EncoderConfig(
        text="words",
        text_global=pool,
        text_local="states",
        gru_hidden=6,
        gru_directions="concatenated",
        word_width=7,
        word_vectors="fixed",
        word_least=2,
        text_dropout=0.0,
    )
    encoders = Encoders.of(config, TEXTS)
    assert encoders.vocabulary == ("a", "circle", "red", "star")
    tower = encoders.towers(torch.Generator().manual_seed(0)).text
    assert (tower.local_width, tower.global_width, tower.pool) == (12, 12, pool)
    assert tower.embedding.shape == (9, 7) and not tower.embedding.requires_grad
    features = encoders.texts.encode(TEXTS)
    psi, phi = tower(features.tokens, features.mask)
    assert psi.isfinite().all() and phi.isfinite().all()
    again = Encoders(config, encoders.vocabulary)  # as a run is opened
    copy = again.towers().text
    copy.load_state_dict(tower.state_dict())
    assert torch.equal(copy(features.tokens, features.mask)[1], phi)


# -- what is no text model ------------------------------------------------------------------------


def refused(folder, message):
    for use in (lambda model: model.cut(TEXTS), lambda model: model.network):
        with pytest.raises(InputError, match=message):
            use(model_of(folder))


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    refused(tmp_path / "nothing", "is no folder")


def test_an_empty_folder_is_refused(tmp_path):
    refused(tmp_path, "no model that transformers can read")


def test_a_vision_model_is_refused(tmp_path):
    from transformers import ViTConfig

    ViTConfig().save_pretrained(tmp_path)
    refused(tmp_path, "is a vit model, which reads no texts")


def test_an_encoder_with_a_decoder_is_refused(tmp_path):
    from transformers import T5Config

    T5Config().save_pretrained(tmp_path)
    refused(tmp_path, "is a t5 model, an encoder with a decoder")


def test_a_slow_tokenizer_gives_way_to_the_fast_one_beside_it(folders, tmp_path, monkeypatch):
    from transformers import AutoTokenizer

    copy = shutil.copytree(folders / "siglip", tmp_path / "siglip")
    expected = model_of(folders / "siglip").cut(TEXTS)
    slow = SimpleNamespace(is_fast=False)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: slow)
    assert model_of(copy).cut(TEXTS) == expected
    other = shutil.copytree(folders / "siglip", tmp_path / "other")
    (other / "tokenizer.json").unlink()
    refused(other, "no fast tokenizer; save one beside it")


def test_a_missing_tokenizer_is_named(folders, tmp_path):
    copy = shutil.copytree(folders / "bert", tmp_path / "bert")
    for file in [*copy.glob("tokenizer*"), *copy.glob("special*"), *copy.glob("vocab*")]:
        file.unlink()
    refused(copy, "tokenizer")


def test_pickled_weights_are_not_opened(folders, tmp_path):
    copy = shutil.copytree(folders / "bert", tmp_path / "bert")
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    refused(copy, "pickled")


def test_weights_that_are_missing_are_named(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(folders / "bert", tmp_path / "bert")
    weights = load_file(copy / "model.safetensors")
    weights.pop("encoder.layer.0.output.dense.weight")
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    refused(copy, "1 weights of the text model are not in its file")


def test_a_pooler_that_was_never_trained_is_not_used(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(folders / "bert", tmp_path / "bert")
    weights = load_file(copy / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "pooler" not in name}
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    model = model_of(copy)
    assert model.pooled_width == 0
    whole = TransformersText(model_of(folders / "bert")).encode(TEXTS).tokens
    assert torch.equal(TransformersText(model).encode(TEXTS).tokens, whole)
    with pytest.raises(InputError, match="no pooled output that was trained"):
        TransformersWords(model, pool="model")
    with pytest.raises(InputError, match="none that was trained"):
        _ = TransformersText(model, pooled=True).width


def test_a_model_without_a_pooled_output_has_none(folders, tmp_path):
    from transformers import AutoModel, AutoTokenizer, DistilBertConfig

    tokenizer = AutoTokenizer.from_pretrained(folders / "bert")
    sides = {"dim": 16, "hidden_dim": 32, "n_heads": 2, "n_layers": 1}
    AutoModel.from_config(DistilBertConfig(vocab_size=len(tokenizer), **sides)).save_pretrained(
        tmp_path
    )
    tokenizer.save_pretrained(tmp_path)
    model = model_of(tmp_path)
    assert (model.width, model.pooled_width) == (16, 0)
    assert TransformersText(model).encode(TEXTS).tokens.shape[2] == 16


def test_a_pooled_output_of_another_width_is_for_trained_towers_alone(folders, monkeypatch):
    model = model_of(folders / "siglip")
    monkeypatch.setattr(type(model), "pooled_width", property(lambda self: 8))
    with pytest.raises(InputError, match="of width 8, its states 16"):
        _ = TransformersText(model, pooled=True).width


def test_code_that_comes_with_a_model_is_not_run(folders, tmp_path):
    copy = shutil.copytree(folders / "bert", tmp_path / "bert")
    said = json.loads((copy / "config.json").read_text())
    said |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModel": "mine.M"}}
    (copy / "config.json").write_text(json.dumps(said))
    (copy / "mine.py").write_text("raise SystemExit('code was run')")
    refused(copy, "no model that transformers can read")


def test_a_model_without_start_and_end_still_has_a_token(folders, monkeypatch):
    model = model_of(folders / "bert")
    entry = SimpleNamespace(ids=[], tokens=[], offsets=[], word_ids=[], special_tokens_mask=[])
    cutter = SimpleNamespace(encode_batch=lambda texts: [entry for _ in texts])
    monkeypatch.setitem(model.__dict__, "_cutter", cutter)
    assert model.cut([""]) == ([[0]], [["[PAD]"]])


def test_models_of_several_lengths_share_a_tokenizer_in_peace(folders):
    long, short = model_of(folders / "bert", 20), model_of(folders / "bert", 6)
    for _ in range(2):
        assert [len(model.cut(["red " * 50])[0][0]) for model in (long, short)] == [20, 6]
    assert long.tokenizer_hash == short.tokenizer_hash
