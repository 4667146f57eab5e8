"""Model randomisation: what is replaced in which network, and likeness against maps made by hand."""

import numpy as np
import pytest
from helpers.audited import small_model, subject

from npcam.audit import randomise
from npcam.audit.likeness import spearman, ssim
from npcam.audit.randomise import STAGES, compare, random_maps, randomised
from npcam.cam import class_activation_map, upsample_map
from npcam.model import load_model


def stage_of(layer):
    return layer.split("_")[0]


def test_each_network_has_one_stage_more_at_random():
    """Layer by layer: those of a stage and of all above it differ from the first network's, no others do."""
    model = load_model(threads=1)
    networks = randomised(model)
    assert tuple(one.stage for one in networks) == STAGES
    for i, (_, network) in enumerate(networks):
        for layer, arrays in model.weights.tensors.items():
            changed = [(network.weights.tensors[layer][n] != a).any() for n, a in arrays.items()]
            assert any(changed) == (stage_of(layer) in STAGES[: i + 1]), layer


def test_values_stay_and_change_places():
    """Every array has the same values in another order; what is random stays as it is in the next network."""
    model = small_model()
    networks = randomised(model)
    last = networks[-1].model.weights.tensors
    for layer, arrays in model.weights.tensors.items():
        for name, array in arrays.items():
            assert (np.sort(array.ravel()) == np.sort(last[layer][name].ravel())).all()
    first = networks[0].model.weights.tensors["predictions"]["kernel"]
    assert (first == last["predictions"]["kernel"]).all()


def test_stages_are_those_that_a_network_has():
    """A network of two stages has four networks: the last layer's, conv3's, conv2's and conv1's."""
    assert [one.stage for one in randomised(small_model())] == ["predictions", "conv3", "conv2", "conv1"]


def test_the_seed_decides():
    """The same seed gives the same weights, another one others."""
    kernels = [randomised(small_model(), seed)[-1].model.layer("conv1_conv").kernel for seed in (1, 1, 2)]
    assert (kernels[0] == kernels[1]).all()
    assert (kernels[0] != kernels[2]).any()


def test_likeness_is_that_of_maps_made_by_hand():
    """The map of the same class from each network's own activations and weights."""
    one = subject()
    networks = randomised(one.model)
    found = compare(one, random_maps(one, networks))
    assert found["spearman"][0] == found["ssim"][0] == 1
    for i, (_, model) in enumerate(networks, start=1):
        features = model.activations(one.x[None], model.last_activation)[model.last_activation][0]
        cam = sum(
            features[..., k] * w for k, w in enumerate(model.layer("predictions").kernel[:, one.e.target])
        )
        # A map that is summed in another order has other roundings; ranks of cells that are nearly equal
        # may change places: by one place each they move the coefficient by 6 n / n^3 of n = 140 cells.
        assert found["spearman"][i] == pytest.approx(spearman(one.e.cam, cam), abs=1e-3)
        larger = upsample_map(np.asarray(cam), one.model.input_size)
        assert found["ssim"][i] == pytest.approx(ssim(one.e.heatmap, larger), abs=1e-3)


def test_a_network_that_does_not_forget_keeps_its_map():
    """Held against itself, all is alike."""
    one = subject()
    maps = random_maps(one, (randomise.Randomised("predictions", one.model),))
    assert np.abs(maps[0] - one.e.cam).max() < 1e-4 * np.abs(one.e.cam).max()
    assert compare(one, [one.e.cam])["spearman"] == [1, 1]


def test_the_last_layer_alone_leaves_the_activations():
    """Its map is another sum of the same maps."""
    one = subject()
    ((_, model), *_) = randomised(one.model)
    expected = class_activation_map(one.seen.features, model.class_weights(one.e.target)[0])
    # One photograph by itself goes through other kernels than in a batch: some eps of float32 of the terms.
    assert np.abs(random_maps(one, randomised(one.model))[0] - expected).max() < 1e-4 * np.abs(expected).max()
