"""Which NVIDIA GPU there is, asked of the driver itself: no CUDA package is needed for it."""

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
_COMPUTE_MAJOR, _COMPUTE_MINOR = 75, 76  # CUdevice_attribute
_NAME_BYTES = 256


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU.

    Attributes:
        name: as the driver calls it.
        compute: its compute capability, such as "8.9".
        driver: newest CUDA that the driver has, such as "13.0".
    """

    name: str
    compute: str
    driver: str


def find_gpu(index: int = 0, library: Any = None) -> Gpu | None:
    """Return a GPU by its number; None where there is none, or no driver.

    Args:
        index: of the device, as CUDA counts them.
        library: CUDA's driver API; None loads it.
    """
    try:
        cuda = ctypes.CDLL(_LIBRARY) if library is None else library
    except OSError:
        return None
    device, value = ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(_NAME_BYTES)
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), index):
        return None
    if cuda.cuDeviceGetName(name, _NAME_BYTES, device):
        return None
    compute = []
    for attribute in (_COMPUTE_MAJOR, _COMPUTE_MINOR):
        if cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device):
            return None
        compute.append(str(value.value))
    if cuda.cuDriverGetVersion(ctypes.byref(value)):
        return None
    driver = f"{value.value // 1000}.{value.value % 1000 // 10}"  # 13020 is 13.2
    return Gpu(name.value.decode(errors="replace"), ".".join(compute), driver)
