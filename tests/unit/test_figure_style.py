"""Colours and labels of figures: told apart by everyone, and never one over another."""

import itertools

import numpy as np
import pytest
from helpers.compare import ARMS
from helpers.figures import GENE_METRICS, TWINS
from sklearn.isotonic import IsotonicRegression

from dnalm.figures import style
from dnalm.figures.bits_by_region import STRATA
from dnalm.figures.vocabulary import (
    MARKERS,
    METHOD_COLOURS,
    METHOD_LABELS,
    METRIC_LABELS,
    PEER_COLOUR,
    SPLIT_COLOURS,
    STRATUM_LABELS,
    in_order,
    method_colour,
    method_label,
)


def luminance_and_lab(colour, vision):
    """Relative luminance (WCAG) and CIE Lab of a colour as a vision (3 x 3 matrix on linear RGB) sees it."""
    share = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(vision) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ linear / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return to_xyz[1] @ linear, np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


# Machado, Oliveira & Fernandes 2009, severity 1
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TOGETHER = {
    "genes": ["dnalm", *TWINS, "pyrodigal_single", "pyrodigal_meta", "closed_form", "longest_orf"],
    "calibration": ["dnalm", *TWINS, "majority"],
    "bits": ["dnalm", "dnalm_recounted", "markov_mixture", "markov_mixture_adaptive", "markov_order", "flank_counts"],
    "arms": [*ARMS, "markov_mixture", "flank_counts"],
    "few labels": ["pretrained", "pretrained_elsewhere", "dnalm_random_init_equal_compute", "closed_form",
                   "pyrodigal_single"],
    "sequence tasks": ["dnalm", *TWINS, "dnalm_random_init_equal_compute", "kmer_logistic", "onehot_kmer_logistic",
                       "cnn", "nearest_neighbour", "majority"],
    "scan": ["dnalm", "dnalm_scan", "dnalm_screen", "markov_mixture", "kmer_lookup", "random"],
}  # fmt: skip


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("group", TOGETHER)
def test_methods_drawn_together_differ_for_every_vision(group, vision):
    lab = {m: luminance_and_lab(METHOD_COLOURS[m], VISIONS[vision])[1] for m in TOGETHER[group]}
    distance = {pair: np.linalg.norm(lab[pair[0]] - lab[pair[1]]) for pair in itertools.combinations(lab, 2)}
    assert min(distance.values()) >= 10, min(distance, key=distance.get)


def test_split_colours_differ_for_every_vision():
    for vision in VISIONS.values():
        lab = [luminance_and_lab(colour, vision)[1] for colour in SPLIT_COLOURS.values()]
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2)) >= 15


@pytest.mark.parametrize("colour", [*METHOD_COLOURS.values(), PEER_COLOUR, style.INK, style.QUIET])
def test_colours_stand_out_from_white(colour):
    assert 1.05 / (luminance_and_lab(colour, np.eye(3))[0] + 0.05) >= 3


def test_every_method_has_a_name_a_colour_and_a_marker():
    drawn = {m for group in TOGETHER.values() for m in group} - {"markov_order"}
    assert drawn <= set(METHOD_LABELS) and drawn <= set(MARKERS) and drawn <= set(METHOD_COLOURS)
    assert method_colour("markov_order_12") == METHOD_COLOURS["markov_order"]
    assert method_label("a_peer") == "a_peer" and method_colour("a_peer") == PEER_COLOUR
    assert in_order(["a_peer", "longest_orf", "dnalm"]) == ["dnalm", "longest_orf", "a_peer"]
    assert set(GENE_METRICS) | {"brier", "ece"} <= set(METRIC_LABELS)
    assert set(STRATA) <= set(STRATUM_LABELS)


@pytest.mark.parametrize("seed", range(5))
def test_spread_labels_like_isotonic_regression(seed):
    values, gap = np.random.default_rng(seed).uniform(0, 1, 8).round(2), 0.1
    order, shift = np.argsort(values, kind="stable"), gap * np.arange(8)
    wanted = np.empty(8)
    wanted[order] = IsotonicRegression().fit_transform(np.arange(8), values[order] - shift) + shift
    placed = style.spread(values, gap)
    np.testing.assert_allclose(placed, wanted)
    assert np.diff(placed[order]).min() >= gap - 1e-12


def test_spread_leaves_distant_labels_alone():
    np.testing.assert_array_equal(style.spread([3.0, 1.0, 2.0], 0.5), [3, 1, 2])
    assert style.spread([], 1).shape == (0,)
