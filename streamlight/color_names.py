"""What libav calls the code points of ITU-T H.273: for people, and for tools that know ffmpeg."""

_MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
}
_RANGES = {1: "limited", 2: "full"}
_PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
_TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}

_NAMES = {
    "matrix": (_MATRICES, 2),
    "range": (_RANGES, 0),
    "primaries": (_PRIMARIES, 2),
    "transfer": (_TRANSFERS, 2),
}
"""By field of `ColorSpec`: the names, and the value that means "not stated"."""


def is_stated(field: str, value: int) -> bool:
    """Whether a value of a field of `ColorSpec` says anything."""
    return int(value) != _NAMES[field][1]


def color_name(field: str, value: int) -> str:
    """Name the value of a field of `ColorSpec`: "bt709", "limited", "unspecified"."""
    names, unspecified = _NAMES[field]
    if int(value) == unspecified:
        return "unspecified"
    return names.get(int(value), f"H.273 code {int(value)}")
