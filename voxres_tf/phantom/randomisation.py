"""Domain randomisation: what may differ from one simulated scan to the next, and by how much.

A network that has seen every contrast, resolution and artefact of these ranges need not have seen a
particular scanner (Billot et al. 2023). Contrasts are drawn around those of real sequences, since
each input has a name, and freely for a share of the scans.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from voxres_tf.schema import (
    Config,
    CountRange,
    NonNegativeRange,
    PositiveRange,
    Range,
    Share,
    ShareRange,
    SignalRange,
)


class Geometry(Config):
    """Where a subject lies and how it is sampled.

    Attributes:
        in_plane_mm, slice_mm: spacing of the voxels within a slice, and of the slices.
        axial: share of subjects with axial slices; the others are sagittal or coronal. Slabs are
            always axial.
        thinnest: share of subjects whose slices are as thin as `slice_mm` allows, as in many
            scans.
        view_mm: side lengths of the field of view in the plane of the slices.
        height_mm: extent across the slices, unless `slices` limits it.
        middle_z_mm: z of the middle of the field of view, in MNI space; the head reaches from the
            neck to some 85 mm.
        slices: largest number of slices; thin slices then cover only a slab of the head.
        centre_z_mm: the same for a slab; the highest and lowest slabs hold little brain.
        angles_deg, size_sd, shift_sd_mm, lobes_mm, gyri_mm, mirrored: see `deformation.Pose`.
    """

    in_plane_mm: PositiveRange = (0.85, 1.15)
    slice_mm: PositiveRange = (1.0, 5.0)
    thinnest: Share = 0.25
    axial: Share = 0.8
    view_mm: PositiveRange = (180.0, 270.0)
    height_mm: PositiveRange = (110.0, 240.0)
    middle_z_mm: Range = (-20.0, 20.0)
    slices: PositiveInt = 64
    centre_z_mm: Range = (-80.0, 75.0)
    angles_deg: tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat] = (10.0, 5.0, 6.0)
    size_sd: Annotated[float, Field(ge=0, le=0.2)] = 0.05
    shift_sd_mm: tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat] = (4.0, 6.0, 6.0)
    lobes_mm: NonNegativeRange = (1.5, 4.0)
    gyri_mm: NonNegativeRange = (0.3, 1.0)
    mirrored: Share = 0.5

    @model_validator(mode="after")
    def _holds_a_voxel(self) -> Self:
        if self.view_mm[0] < self.in_plane_mm[1]:
            raise ValueError("view_mm begins at the end of in_plane_mm or above")
        if self.height_mm[0] < self.slice_mm[1]:
            raise ValueError("height_mm begins at the end of slice_mm or above")
        return self


class Lesions(Config):
    """Round lesions in the white matter, near the ventricles.

    Attributes:
        count: how many, as far as there is room for them.
        radius_mm: radius of each.
    """

    count: CountRange = (0, 8)
    radius_mm: PositiveRange = (1.5, 5.0)


class Outside(Config):
    """What is left outside the brain.

    Attributes:
        stripped, partly: shares of subjects without a skull, and with only a part of what lies
            outside the brain.
        strip_margin_mm, part_margin_mm: distance of the cut from the brain in these two cases.
        dark_air: share of whole heads whose background is exactly 0.
        muscle: share of the fat outside the brain that becomes muscle, in patches, since label
            maps of whole heads have one code for both.
        marbling_mm: the border between the two is where noise, smoothed by a Gaussian of this SD,
            crosses a level.
        clutter: share of subjects with a skull in whom other materials replace some fat and
            muscle; these look like anything between the tissues of the brain, as in necks.
        cluttered: share of fat and muscle that they replace, where they may occur.
        clutter_from_mm: they occur only farther from the brain than this.
        clutter_mm: SD of the Gaussian that smooths the noise which selects one of them.
    """

    stripped: Share = 0.4
    partly: Share = 0.15
    strip_margin_mm: Range = (-1.0, 3.5)
    part_margin_mm: Range = (6.0, 25.0)
    dark_air: Share = 0.3
    muscle: ShareRange = (0.0, 0.9)
    marbling_mm: PositiveRange = (3.0, 10.0)
    clutter: Share = 0.4
    cluttered: ShareRange = (0.2, 1.0)
    clutter_from_mm: NonNegativeRange = (8.0, 25.0)
    clutter_mm: PositiveRange = (2.0, 6.0)

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if self.stripped + self.partly > 1:
            raise ValueError("stripped and partly are shares of all subjects: at most 1 together")
        return self


class Contrast(Config):
    """The signals of the tissues in each scan, white matter = 1.

    Attributes:
        arbitrary: share of scans whose tissues have random signals.
        arbitrary_signals: range of the signals in such scans.
        least_difference: smallest difference of GM from WM and of GM from CSF in such scans.
        alike_sd: relative SD by which cerebellum, brainstem and ventricles differ in such scans
            from the tissue that they are made of.
        between: where the signals of deep grey matter lie in such scans, from that of cortex (0)
            to that of white matter (1).
        power: exponent on the signals of T1 and FLAIR; above 1 they differ more.
        relaxation_sd: relative SD of each tissue's T1 and T2 in T1-IR; the values that studies
            measure at 3 T differ by more than a tenth.
        tissue_sd: relative SD of each tissue's signal.
        outside_sd: the same outside the brain, where scanners and heads differ more.
        fat: factor on the signals of fat and marrow in T1 and FLAIR: some sequences suppress them,
            and they lie next to the coils.
        inversion_ms: inversion time of T1-IR.
        magnitude: share of T1-IR scans that are stored without their sign.
        offset: share of signed scans that are stored with an offset which makes them positive, so
            that what was cleared away is darker than all tissue instead of brighter.
    """

    arbitrary: Share = 0.1
    arbitrary_signals: SignalRange = (0.05, 1.0)
    least_difference: NonNegativeFloat = 0.12
    alike_sd: Share = 0.05
    between: ShareRange = (0.0, 0.7)
    power: SignalRange = (0.5, 1.5)
    relaxation_sd: Share = 0.07
    tissue_sd: Share = 0.035
    outside_sd: Share = 0.3
    fat: SignalRange = (0.4, 2.2)
    inversion_ms: PositiveRange = (340.0, 520.0)
    magnitude: Share = 0.1
    offset: Share = 0.5

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        low, high = self.arbitrary_signals
        if self.least_difference > (high - low) / 2:
            raise ValueError("least_difference is at most half the width of arbitrary_signals")
        return self


class Artefacts(Config):
    """What a scanner adds; signals are relative to the contrast between tissues.

    Attributes:
        texture, noise: SD, relative to white matter; noise is Rician except in signed T1-IR.
        noise_grain: the noise is smoothed by a Gaussian of this SD in voxels, as in scans that
            were interpolated.
        grain_mm: the texture is noise, smoothed by a Gaussian of this SD.
        bias: SD of the logarithm of the bias field.
        bias_mm: the bias field is noise, smoothed by a Gaussian of this SD.
        blur_mm: SD of the in-plane blur.
        thick: share of scans other than T1 that were resampled from thicker slices, which leaves
            them blurred across the slices, by `thick_mm`.
        shift_mm: misregistration along each axis, either way; none for T1, which the labels follow.
        ratio: share of T1 scans with a background that are the ratio of two images, as in
            MP2RAGE: noise over the whole scale where there is no signal.
    """

    texture: ShareRange = (0.0, 0.06)
    noise: ShareRange = (0.01, 0.06)
    noise_grain: NonNegativeRange = (0.0, 0.7)
    grain_mm: Annotated[float, Field(ge=0, le=30)] = 1.0
    bias: ShareRange = (0.0, 0.2)
    bias_mm: Annotated[float, Field(ge=10)] = 60.0
    blur_mm: NonNegativeRange = (0.2, 1.3)
    thick: Share = 0.3
    thick_mm: NonNegativeRange = (0.5, 2.0)
    shift_mm: NonNegativeRange = (0.0, 0.7)
    ratio: Share = 0.05


class Randomisation(Config):
    """The ranges of `voxres phantom --randomise`.

    Attributes:
        geometry, outside, contrast, artefacts: see their classes.
        lesions: None for the anatomy's own: `Lesions()` in label maps, 3 to 8 of 2 to 5 mm in the
            packaged anatomy.
    """

    geometry: Geometry = Geometry()
    lesions: Lesions | None = None
    outside: Outside = Outside()
    contrast: Contrast = Contrast()
    artefacts: Artefacts = Artefacts()
