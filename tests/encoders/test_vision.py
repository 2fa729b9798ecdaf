"""Every family of vision models, tiny and at random, from a folder; grids against the models' own.

No weights are fetched: a model is made from a small configuration and saved as anyone would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
import transformers as t
from PIL import Image

from facetwise.encoders.hub import pretrained, short_name
from facetwise.encoders.transformers_images import TransformersImages
from facetwise.encoders.vision import Preparation, VisionNetwork, lay_out
from facetwise.errors import InputError

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
VIT = {**SMALL, "image_size": 64, "patch_size": 16}
CONV = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
WORDS = {**SMALL, "vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
DINO = {k: v for k, v in VIT.items() if k != "intermediate_size"} | {"patch_size": 14}

# model, pixels, cells in a row, tokens that stand for no place
FAMILIES = {
    "resnet": (lambda: t.ResNetModel(t.ResNetConfig(embedding_size=8, **CONV)), 96, 3, None),
    "resnext-like": (
        lambda: t.RegNetModel(t.RegNetConfig(embedding_size=8, groups_width=8, **CONV)),
        96,
        3,
        None,
    ),
    "convnext": (lambda: t.ConvNextModel(t.ConvNextConfig(**CONV)), 96, 3, None),
    "vit": (lambda: t.ViTModel(t.ViTConfig(**VIT)), 64, 4, 1),
    "deit": (lambda: t.DeiTModel(t.DeiTConfig(**VIT)), 64, 4, 2),
    "dinov2": (lambda: t.Dinov2Model(t.Dinov2Config(**DINO)), 70, 5, 1),
    "dinov2 with registers": (
        lambda: t.Dinov2WithRegistersModel(t.Dinov2WithRegistersConfig(**DINO)),
        70,
        5,
        5,
    ),
    "clip vision": (lambda: t.CLIPVisionModel(t.CLIPVisionConfig(**VIT)), 64, 4, 1),
    "siglip vision": (lambda: t.SiglipVisionModel(t.SiglipVisionConfig(**VIT)), 64, 4, 0),
    "swin": (
        lambda: t.SwinModel(
            t.SwinConfig(
                image_size=64, embed_dim=8, depths=[1, 1, 1], num_heads=[1, 2, 2], window_size=2
            )
        ),
        64,
        4,
        0,
    ),
}


@pytest.fixture(autouse=True)
def quiet_and_repeatable():
    """Transformers draws its weights from the global generator."""
    t.logging.set_verbosity_error()
    t.logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(torch.Generator().manual_seed(0).get_state())
        yield


def save(model, folder):
    """As from training: no weight is where it started, nor is a statistic."""
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.rand(value.shape, generator=g) * 0.1)
    model.save_pretrained(folder)
    return model.eval()


def pictures(n, pixels):
    g = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (n, 3, pixels, pixels), generator=g, dtype=torch.uint8)


def normalised(x):
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return (x / 255 - mean) / std


@pytest.mark.parametrize("family", FAMILIES)
def test_grids_are_the_models_own_states_place_by_place(family, tmp_path):
    make, pixels, cells, others = FAMILIES[family]
    model = save(make(), tmp_path)
    network = VisionNetwork.pretrained(str(tmp_path), pixels)
    x = pictures(3, pixels)
    with torch.no_grad():
        grid, pooled = network(x)
        given = model(pixel_values=normalised(x))
    assert grid.shape == (3, *network.grid_shape) == (3, 32, cells, cells)
    assert network.grid_shape[1:] == (cells, cells)
    states = given.last_hidden_state
    for row in range(cells):
        for column in range(cells):
            if others is None:
                own = states[:, :, row, column]
            else:
                own = states[:, others + row * cells + column]
            torch.testing.assert_close(grid[:, :, row, column], own, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(pooled, given.pooler_output.flatten(1), atol=1e-4, rtol=1e-3)
    assert pooled.shape == (3, network.pooled_width)


@pytest.mark.parametrize("family", ["vit", "dinov2 with registers", "clip vision", "siglip vision"])
def test_a_patchs_token_comes_from_its_place(family, tmp_path):
    """Before any attention a token is its patch: change one corner, and one cell changes."""
    make, pixels, cells, _ = FAMILIES[family]
    model = make()
    layers = next(m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == 2)
    del layers[:]
    network = VisionNetwork(model.eval(), pixels, Preparation())
    x = pictures(1, pixels)
    y = x.clone()
    y[:, :, :5, -5:] = 255 - y[:, :, :5, -5:]  # top right
    with torch.no_grad():
        changed = (network(x)[0] != network(y)[0]).any(1)[0]
    expected = torch.zeros(cells, cells, dtype=torch.bool)
    expected[0, -1] = True
    assert torch.equal(changed, expected)


def test_of_models_of_pictures_and_texts_the_side_of_pictures_is_read(tmp_path):
    kinds = {
        "clip": (t.CLIPModel, t.CLIPConfig),
        "siglip": (t.SiglipModel, t.SiglipConfig),
    }
    for name, (kind, config) in kinds.items():
        model = save(kind(config(vision_config=VIT, text_config=WORDS)), tmp_path / name)
        network = VisionNetwork.pretrained(str(tmp_path / name), 64)
        x = pictures(2, 64)
        with torch.no_grad():
            grid, pooled = network(x)
            own = model.vision_model(pixel_values=normalised(x))
        cls = 1 if name == "clip" else 0
        torch.testing.assert_close(
            grid.flatten(2).transpose(1, 2), own.last_hidden_state[:, cls:], atol=1e-5, rtol=1e-4
        )
        torch.testing.assert_close(pooled, own.pooler_output, atol=1e-5, rtol=1e-4)
        assert not any("text" in part for part, _ in network.named_parameters())


def test_a_pooler_that_was_never_trained_is_not_used(tmp_path):
    """A classifier's file has none; transformers would draw one at random."""
    save(t.ViTForImageClassification(t.ViTConfig(**VIT)), tmp_path)
    before = torch.get_rng_state()
    network = VisionNetwork.pretrained(str(tmp_path), 64)
    assert torch.equal(torch.get_rng_state(), before)
    assert not any("pooler" in name for name in network.state_dict())
    x = pictures(2, 64)
    with torch.no_grad():
        states = network.model(pixel_values=normalised(x)).last_hidden_state
        torch.testing.assert_close(network(x)[1], states[:, 0])
    one, two = (VisionNetwork.pretrained(str(tmp_path), 64) for _ in range(2))
    with torch.no_grad():
        assert torch.equal(one(x)[1], two(x)[1])


@pytest.mark.parametrize("family", ["vit", "clip vision", "siglip vision", "dinov2", "resnet"])
def test_other_sizes_than_the_trained_one(family, tmp_path):
    make, pixels, _, _ = FAMILIES[family]
    save(make(), tmp_path)
    network = VisionNetwork.pretrained(str(tmp_path), 2 * pixels)
    with torch.no_grad():
        grid, _ = network(pictures(2, 2 * pixels))
    assert grid.shape[2:] == network.grid_shape[1:]
    assert network.grid_shape[1] == 2 * FAMILIES[family][2]


def test_weights_in_half_precision_are_used_in_single(tmp_path):
    save(t.ViTModel(t.ViTConfig(**VIT)).half(), tmp_path)
    network = VisionNetwork.pretrained(str(tmp_path), 64)
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}


def test_pixels_are_prepared_as_the_model_says(tmp_path):
    assert Preparation.of(str(tmp_path)) == Preparation()
    said = {"image_mean": [0.5, 0.4, 0.3], "image_std": 0.25, "resample": 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    found = Preparation.of(str(tmp_path))
    assert (found.mean, found.std, found.resampling) == ((0.5, 0.4, 0.3), (0.25,) * 3, 3)
    assert found.scale == 1 / 255
    save(FAMILIES["resnet"][0](), tmp_path)
    network = VisionNetwork.pretrained(str(tmp_path), 64)
    seen = []
    network.model.register_forward_pre_hook(
        lambda module, args, words: seen.append(words["pixel_values"]), with_kwargs=True
    )
    x = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    x[0, 0] = 255
    network(x)
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx([2.0, -1.6, -1.2])
    said |= {"do_normalize": False, "do_flip_channel_order": True}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    network = VisionNetwork.pretrained(str(tmp_path), 64)
    network.model.register_forward_pre_hook(
        lambda module, args, words: seen.append(words["pixel_values"]), with_kwargs=True
    )
    network(x)
    assert seen[1][0, :, 0, 0].tolist() == [0, 0, 1]


def test_what_newer_versions_of_transformers_save_is_read_too(tmp_path):
    said = {"image_processor": {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}}
    (tmp_path / "processor_config.json").write_text(json.dumps(said))
    assert Preparation.of(str(tmp_path)).mean == (0.5, 0.5, 0.5)


def test_pictures_are_resampled_as_the_model_says(tmp_path):
    picture = Image.effect_noise((200, 100), 80).convert("RGB")
    kinds = {}
    for way in (2, 3):
        folder = tmp_path / str(way)
        folder.mkdir()
        (folder / "preprocessor_config.json").write_text(json.dumps({"resample": way}))
        kinds[way] = TransformersImages(str(folder), 64).prepare(picture)
    assert kinds[2].shape == (3, 64, 64)
    assert kinds[2].dtype == torch.uint8
    assert not torch.equal(kinds[2], kinds[3])


@pytest.mark.parametrize(
    "said", ["[1]", "{", '{"image_mean": [1, 2]}', '{"image_std": "a"}', '{"resample": "best"}']
)
def test_a_preparation_that_makes_no_sense_is_named(said, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(said)
    with pytest.raises(InputError, match=r"preprocessor_config\.json"):
        Preparation.of(str(tmp_path))


def test_a_folder_that_is_not_there_is_not_looked_up_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(t.AutoConfig, "from_pretrained", None)
    for source in (str(tmp_path / "gone"), "./gone", "~/gone", "models/vit/base", ""):
        with pytest.raises(InputError, match=r"is no folder; expected one with config\.json"):
            VisionNetwork.pretrained(source, 64)


def test_a_name_that_the_hub_has_not_is_named(monkeypatch):
    def from_pretrained(*_, **options):
        assert options == {"trust_remote_code": False}
        raise OSError("nobody/nothing is not\na valid model")

    monkeypatch.setattr(t.AutoConfig, "from_pretrained", from_pretrained)
    with pytest.raises(InputError, match=r"nobody/nothing: no model .*is not a valid model.*hub"):
        VisionNetwork.pretrained("nobody/nothing", 64)


def test_offline_nothing_is_fetched(tmp_path):
    code = (
        "import socket; socket.getaddrinfo = None\n"
        "from facetwise.encoders.hub import model_config\n"
        "from facetwise.errors import InputError\n"
        "try: model_config('nobody/nothing')\n"
        "except InputError as error: print(error)\n"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env=offline)
    assert done.stdout.startswith("nobody/nothing: no model that transformers can read")


def test_an_empty_folder_and_one_of_something_else_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no model that transformers can read.*config\.json"):
        VisionNetwork.pretrained(str(tmp_path), 64)
    (tmp_path / "config.json").write_text('{"model_type": "of-tomorrow"}')
    with pytest.raises(InputError, match=r"no model that transformers can read.*of-tomorrow"):
        VisionNetwork.pretrained(str(tmp_path), 64)


def test_a_model_of_texts_is_no_vision_model(tmp_path):
    save(t.BertModel(t.BertConfig(**WORDS)), tmp_path)
    with pytest.raises(InputError, match=r"is no vision model \(bert\); expected one that takes"):
        VisionNetwork.pretrained(str(tmp_path), 64)


def test_code_in_a_models_folder_is_not_run(tmp_path):
    made = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.M"}}
    (tmp_path / "config.json").write_text(json.dumps(made))
    (tmp_path / "mine.py").write_text("raise SystemExit('was run')")
    with pytest.raises(InputError, match="no model that transformers can read"):
        VisionNetwork.pretrained(str(tmp_path), 64)


def test_pickled_weights_are_not_read(tmp_path):
    model = FAMILIES["vit"][0]()
    model.config.save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"no weights; expected model\.safetensors"):
        VisionNetwork.pretrained(str(tmp_path), 64)
    (tmp_path / "pytorch_model.bin").write_bytes(b"not to be opened")
    with pytest.raises(InputError, match=r"pickled, which is not safe.*model\.safetensors"):
        VisionNetwork.pretrained(str(tmp_path), 64)


def test_damaged_and_partial_weights_are_named(tmp_path):
    save(FAMILIES["vit"][0](), tmp_path)
    file = tmp_path / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="its weights cannot be read"):
        VisionNetwork.pretrained(str(tmp_path), 64)
    file.write_bytes(whole)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(InputError, match=r"has no weights for .*expected the whole model"):
        VisionNetwork.pretrained(str(tmp_path), 64)
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    with pytest.raises(InputError, match="its weights cannot be read"):
        VisionNetwork.pretrained(str(tmp_path), 64)


def test_pixels_must_be_a_multiple_of_the_patch(tmp_path):
    save(FAMILIES["dinov2"][0](), tmp_path)
    with pytest.raises(InputError, match=r"patches of 14 pixels.*such as 56 or 70, not 64"):
        VisionNetwork.pretrained(str(tmp_path), 64)
    for pixels in (8, 2000):
        with pytest.raises(InputError, match=f"from 16 to 1024, not {pixels}"):
            TransformersImages(str(tmp_path), pixels)


def test_a_model_that_wants_other_than_pictures_is_named(tmp_path):
    config = t.ViTMAEConfig(**VIT, decoder_num_hidden_layers=1, decoder_hidden_size=32)
    save(t.ViTMAEModel(config), tmp_path / "mae")  # leaves out three patches of four
    with pytest.raises(InputError, match="5 tokens are no square; expected a model that keeps all"):
        VisionNetwork.pretrained(str(tmp_path / "mae"), 64)


def test_tokens_that_are_no_square_cannot_be_laid_out():
    with pytest.raises(InputError, match="7 tokens are no square"):
        lay_out(torch.zeros(1, 7, 2), 2, most=1)
    assert lay_out(torch.zeros(1, 9, 2), 0, most=1).shape == (1, 2, 3, 3)


def test_the_model_is_frozen_and_in_evaluation_mode(tmp_path):
    save(FAMILIES["resnet"][0](), tmp_path)
    model, missing = pretrained(str(tmp_path), t.AutoConfig.from_pretrained(tmp_path))
    assert not missing
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_names_are_fit_for_files(tmp_path):
    assert short_name("google/siglip-base-patch16-224") == "google-siglip-base-patch16-224"
    assert short_name(str(tmp_path / "a b")) == "a-b"
    assert short_name("../") == "model"
