"""What the first decoded picture tells of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import av

from streamlight.color import ColorSpec, color_note
from streamlight.hdr import HdrMetadata
from streamlight.sources.conforming import PictureForm
from streamlight.sources.hdr import hdr_of
from streamlight.sources.rgb import has_alpha
from streamlight.sources.side_data import display_matrix_of
from streamlight.sources.tonemap import hdr_metadata_of


@dataclass(frozen=True, slots=True)
class Head:
    """The first decoded picture, without its pixels.

    Attributes:
        form: size, pixel format and colours.
        display_matrix: the nine numbers by which a player turns the picture; None for none.
        rotation: degrees counter-clockwise of it: 0, 90, 180 or -90.
        hdr: what the file says of its brightness; None when it says nothing.
        notes: what the user should know, one sentence each.
    """

    form: PictureForm
    display_matrix: tuple[int, ...] | None
    rotation: int
    hdr: HdrMetadata | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, picture: av.VideoFrame, codec: str, *, has_hidden_alpha: bool = False) -> Self:
        """Read a picture.

        Args:
            picture: decoded.
            codec: libav's name of its format.
            has_hidden_alpha: whether the file has transparency that the decoder leaves out.
        """
        form = PictureForm.of(picture)
        facts = hdr_of(picture, codec)
        profile = facts.dolby_vision_profile if facts is not None else None
        notes = [color_note(form.color), _note_of_dolby_vision(profile)]
        if has_alpha(picture.format) or has_hidden_alpha:
            notes.append("the transparency of the picture is left out")
        return cls(
            form,
            display_matrix_of(picture),
            180 if picture.rotation == -180 else picture.rotation,
            hdr_metadata_of(picture),
            tuple(note for note in notes if note),
        )

    @property
    def color(self) -> ColorSpec:
        """Colours, with nothing unspecified that the conversion to RGB needs."""
        return self.form.color


def _note_of_dolby_vision(profile: str | None) -> str | None:
    if profile is None:
        return None
    if profile == "5":
        return (
            "Dolby Vision profile 5: its base layer is no ordinary picture; colours come out wrong"
        )
    return "Dolby Vision: the base layer is used"
