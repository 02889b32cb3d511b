"""FreeSurfer's codes as tissues, and where structures lie in a head that faces straight ahead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from voxres_tf.phantom.tissues import Tissue

_GROUPS = {
    Tissue.AIR: (0, 130, 262),
    Tissue.CORTEX: (3, 42, 17, 53, 18, 54, 80, 81, 82, 11300, 12300),  # with hippocampus, amygdala
    Tissue.DEEP_GM: (26, 58),
    Tissue.CAUDATE: (11, 50),
    Tissue.PUTAMEN: (12, 51, 30, 62),  # with the vessels that run through it
    Tissue.PALLIDUM: (13, 52),
    Tissue.THALAMUS: (9, 10, 48, 49),
    Tissue.WM: (2, 41, 34, 66, 85, 192, 250, 251, 252, 253, 254, 255, 5001, 5002),
    Tissue.LESION: (25, 57, 77, 78, 79, 99),
    Tissue.CSF: (24, 122, 257),
    Tissue.VENTRICLE: (4, 5, 14, 15, 43, 44, 72),
    Tissue.PLEXUS: (31, 63, 136, 137, 163, 164),
    Tissue.CEREBELLAR_GM: (8, 47, 172, 183, 184),
    Tissue.CEREBELLAR_WM: (7, 46),
    Tissue.BRAINSTEM: (16, 28, 60, 174, 267),  # with the ventral diencephalon
    # Outside the brain: codes of SAMSEG and of the whole-head segmentations that FreeSurfer's PET
    # tools make; 5xx in the maps of Billot et al. 2023 (SynthSeg), 9xx in SAMSEG's newer atlas.
    Tissue.BONE: (165, 515, 915),
    Tissue.MARROW: (516, 916),
    Tissue.EYE: (259, 506),
    Tissue.FAT: (507, 907, 511, 911),  # with skin
    # Arteries, eye muscles, mucosa, veins, optic nerve; the spinal cord, since it is not brain.
    Tissue.MUSCLE: (258, 502, 902, 508, 908, 509, 909, 514, 914, 530, 930, 126, 512),
}

TISSUE_OF: Mapping[int, Tissue] = MappingProxyType(
    {code: tissue for tissue, codes in _GROUPS.items() for code in codes}
    # Parcels: the cortex of aparc+aseg and of aparc.a2009s+aseg, the white matter of wmparc.
    | {code: Tissue.CORTEX for first in (1000, 2000) for code in range(first, first + 36)}
    | {code: Tissue.CORTEX for first in (11100, 12100) for code in range(first, first + 76)}
    | {code: Tissue.WM for first in (3000, 4000) for code in range(first, first + 36)}
)
"""FreeSurfer code -> tissue."""

LANDMARKS: Mapping[tuple[int, ...], tuple[float, float, float]] = MappingProxyType(
    {
        (10, 9): (-11.0, -19.0, 7.0),
        (49, 48): (11.0, -19.0, 7.0),
        (11,): (-13.0, 9.0, 10.0),
        (50,): (13.0, 9.0, 10.0),
        (12,): (-25.0, 1.0, 0.0),
        (51,): (25.0, 1.0, 0.0),
        (17,): (-26.0, -23.0, -14.0),
        (53,): (26.0, -23.0, -14.0),
        (16,): (0.0, -27.0, -33.0),
        (8,): (-23.0, -62.0, -34.0),
        (47,): (23.0, -62.0, -34.0),
    }
)
"""Codes of a structure -> its centre in MNI space in mm, accurate to a few millimetres."""
