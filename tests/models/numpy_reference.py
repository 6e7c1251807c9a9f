"""GLADNet once more, in NumPy and float64, written from the paper and the layout of the weights.

Nothing here is shared with `streamlight.models.gladnet`, so that the two can check each other.
Maps are (C, H, W).
"""

import itertools

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = dict[str, Array]


def convolve(x: Array, weight: Array, bias: Array, stride: int = 1) -> Array:
    """Correlate x (I, H, W) with weight (O, I, 3, 3), padded as TensorFlow's SAME.

    The output has ceil(size / stride) rows; the rows that the last window lacks are padded, half
    of them in front, and the odd one behind.
    """
    outputs, inputs = weight.shape[:2]
    sizes = [-(-side // stride) for side in x.shape[1:]]
    lacking = [
        max((out - 1) * stride + 3 - side, 0) for out, side in zip(sizes, x.shape[1:], strict=True)
    ]
    padded = np.pad(x, [(0, 0)] + [(lack // 2, lack - lack // 2) for lack in lacking])
    height, width = sizes
    total = np.zeros((outputs, height * width))
    for dy in range(3):
        for dx in range(3):
            tap = padded[
                :,
                dy : dy + (height - 1) * stride + 1 : stride,
                dx : dx + (width - 1) * stride + 1 : stride,
            ]
            total += weight[:, :, dy, dx] @ tap.reshape(inputs, -1)
    return total.reshape(outputs, height, width) + bias[:, None, None]


def three_times_finer(x: Array) -> Array:
    """Interpolate x (C, h, w) linearly between the middles of its cells, flat beyond the last."""
    for axis in (1, 2):
        size = x.shape[axis]
        at = np.clip((np.arange(3 * size) + 0.5) / 3 - 0.5, 0, size - 1)
        low = np.minimum(at.astype(int), size - 2)
        part = (at - low).reshape([-1 if a == axis else 1 for a in range(3)])
        x = np.take(x, low, axis) * (1 - part) + np.take(x, low + 1, axis) * part
    return x


def resize_nearest(x: Array, height: int, width: int) -> Array:
    """Copy pixel (floor(y * h / H), floor(x * w / W)) of x (C, h, w) to (y, x)."""
    rows = [y * x.shape[1] // height for y in range(height)]
    columns = [column * x.shape[2] // width for column in range(width)]
    return x[:, rows][:, :, columns]


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def estimate(weights: Weights, view: Array) -> Array:
    """Map view (3, 96, 96) to the prior (C, 96, 96), from two looks where there is a meter."""
    prior = look(weights, view)
    if "prior.meter.centre" not in weights:
        return prior
    light = to_light(view) * 2.0 ** meter(weights, view, prior)
    return look(weights, to_codes(np.clip(light, 0, 1)))


def to_light(codes: Array) -> Array:
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def to_codes(light: Array) -> Array:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def meter(weights: Weights, view: Array, prior: Array) -> float:
    """Return by how many stops the view is to be exposed more: of what is flat and not white."""
    light = to_light(view)
    values = np.sort(light.max(axis=0).ravel())
    top = max(values[-5], 2.0**-13)
    near, around = np.mean(values >= 0.85 * top), np.mean(values >= 0.5 * top)
    gate = np.clip((np.log2(top) + 0.2) / -0.8, 0, 1) * np.clip(np.log2(top) + 5.5, 0, 1)
    gate *= np.clip((near - 0.004) / 0.004, 0, 1) * np.clip((near / around - 0.2) / 0.2, 0, 1)

    def shares(stops: Array, levels: list[float]) -> list[float]:
        return [
            float(np.clip((stops - lower) / (upper - lower), 0, 1).mean())
            for upper, lower in itertools.pairwise(levels)
        ]

    relative = shares(
        np.log2(np.maximum(values / top, 2.0**-11)), [-10 * (k / 32) ** 2 for k in range(33)]
    )
    absolute = shares(np.log2(np.maximum(values, 2.0**-13)), [-12 * k / 32 for k in range(33)])
    luma = np.tensordot([0.2126, 0.7152, 0.0722], light, 1)
    mean = np.log2(max(luma.mean(), 2.0**-13))
    patches = luma.reshape(4, 24, 4, 24).mean(axis=(1, 3)).ravel()
    steps = np.abs(np.diff(light.max(axis=0), axis=0)).mean() / max(values.mean(), 1e-4)
    color = light.mean(axis=(1, 2))
    seen = np.array(
        [
            *relative,
            *absolute,
            *np.diff(relative),
            np.log2(top),
            mean,
            *(np.log2(np.maximum(patches, 2.0**-13)) - mean),
            np.log2(max(steps, 2.0**-10)),
            *np.log2(color / max(color.mean(), 1e-5) + 0.01),
            *prior.mean(axis=(1, 2)),
        ]
    )
    x = np.clip((seen - weights["prior.meter.centre"]) * weights["prior.meter.scale"], -6, 6)
    for n in range(3):
        x = weights[f"prior.meter.layers.{n}.weight"] @ (x if n == 0 else relu(x))
        x = x + weights[f"prior.meter.layers.{n}.bias"]
    return float(gate * x[0])


def look(weights: Weights, view: Array) -> Array:
    """Map view (3, 96, 96) to the prior (C, 96, 96) as the paper does."""
    d = [
        (weights[f"prior.down.{level}.weight"], weights[f"prior.down.{level}.bias"])
        for level in range(6)
    ]
    u = [
        (weights[f"prior.up.{level}.weight"], weights[f"prior.up.{level}.bias"])
        for level in range(6)
    ]
    d48 = relu(convolve(view, *d[0], stride=2))
    d24 = relu(convolve(d48, *d[1], stride=2))
    d12 = relu(convolve(d24, *d[2], stride=2))
    d6 = relu(convolve(d12, *d[3], stride=2))
    d3 = relu(convolve(d6, *d[4], stride=2))
    d2 = relu(convolve(d3, *d[5], stride=2))
    u3 = relu(convolve(resize_nearest(d2, 3, 3), *u[0])) + d3
    u6 = relu(convolve(resize_nearest(u3, 6, 6), *u[1])) + d6
    u12 = relu(convolve(resize_nearest(u6, 12, 12), *u[2])) + d12
    u24 = relu(convolve(resize_nearest(u12, 24, 24), *u[3])) + d24
    u48 = relu(convolve(resize_nearest(u24, 48, 48), *u[4])) + d48
    return relu(convolve(resize_nearest(u48, 96, 96), *u[5]))


def reconstruct(
    weights: Weights, image: Array, prior: Array, unshuffle: int, is_affine: bool
) -> Array:
    """Map image (3, H, W) and prior (C, 96, 96) to the enhanced image, clamped to [0, 1]."""
    r = unshuffle
    pixels = np.stack(
        [image[c, dy::r, dx::r] for c in range(3) for dy in range(r) for dx in range(r)]
    )
    count = sum(key.startswith("detail.convs.") for key in weights) // 2
    layers = [
        (weights[f"detail.convs.{n}.weight"], weights[f"detail.convs.{n}.bias"])
        for n in range(count)
    ]
    weight, bias = layers[0]
    if is_affine:
        of_prior = convolve(prior, weight[:, : len(prior)], bias)
        of_prior = np.pad(of_prior[:, 2:-2, 2:-2], ((0, 0), (2, 2), (2, 2)), mode="edge")
        x = resize_nearest(three_times_finer(of_prior), *pixels.shape[1:])
        x = x + convolve(pixels, weight[:, len(prior) :], np.zeros_like(bias))
    else:
        x = np.concatenate([resize_nearest(prior, *pixels.shape[1:]), pixels])
        x = convolve(x, weight, bias)
    for layer in layers[1:]:
        x = convolve(relu(x), *layer)
    if is_affine:
        x = pixels * x[: len(pixels)] + x[len(pixels) :]
    enhanced = np.empty_like(image)
    for channel, plane in enumerate(x):
        c, dy, dx = channel // (r * r), channel // r % r, channel % r
        enhanced[c, dy::r, dx::r] = plane
    return np.clip(enhanced, 0, 1)
