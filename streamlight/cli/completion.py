"""What a shell may complete options with; nothing is imported before it asks."""

from streamlight.models import MODELS


def packaged_names() -> list[str]:
    """Models that come with the program."""
    return list(MODELS)


def model_names() -> list[str]:
    """Models to run: packaged ones and the user's own."""
    from streamlight.models.own import own_weights

    return ["auto", *MODELS, *(path.stem for path in own_weights())]


def backend_names() -> list[str]:
    """Backends."""
    from streamlight.backends import BACKENDS

    return ["auto", *BACKENDS]


def precision_names() -> list[str]:
    """Precisions of all backends."""
    from streamlight.backends import BACKENDS

    return sorted({precision for row in BACKENDS.values() for precision in row.precisions})


def compare_names() -> list[str]:
    """Ways to show before and after."""
    from streamlight.look import COMPARE

    return list(COMPARE)


def sampling_names() -> list[str]:
    """Ways to take the view."""
    from streamlight.view import SAMPLING

    return list(SAMPLING)


def denoise_names() -> list[str]:
    """Strengths of `--denoise`."""
    from streamlight.sources.denoise import DENOISE

    return list(DENOISE)


def hdr_names() -> list[str]:
    """What to do with HDR."""
    return ["tonemap", "keep"]


def hwaccel_names() -> list[str]:
    """Decoders."""
    return ["auto", "none", "cuda"]


def codec_names() -> list[str]:
    """Codecs to write."""
    from streamlight.sinks.encoder_table import CODECS

    return list(CODECS)


def encoder_names() -> list[str]:
    """Encoders."""
    from streamlight.sinks.encoder_table import ENCODERS

    return ["auto", *ENCODERS]


def preset_names() -> list[str]:
    """Presets of the encoders."""
    from streamlight.sinks.encoder_table import PRESETS

    return list(PRESETS)


def verify_names() -> list[str]:
    """What `--verify` compares."""
    return ["off", "streams", "frames"]
