"""What can go wrong, as one tree.

    StreamlightError                 everything below; the command line prints it in one line
    ├── SourceError                  the input cannot be opened or read
    │   └── UnsupportedSourceError   it opens, but holds nothing that can be enhanced
    ├── SinkError                    the output cannot be written
    ├── VerificationError            the output was written, and differs from the input
    ├── BackendError                 the network cannot run
    │   ├── BackendUnavailableError  the backend is not installed, or has no such device
    │   │   └── EngineError          an engine of TensorRT is missing, damaged, wrong or foreign
    │   ├── DeviceLostError          the GPU is gone, or in a state that only a new process ends
    │   └── OutOfMemoryError         the device has too little memory for a picture
    ├── ModelError                   a model or its weights cannot be used
    └── UsageError                   the arguments contradict each other

A message says what happened, what was expected and what mends it. Errors of other libraries are
translated where they are called, with `raise ... from`.
"""


class StreamlightError(Exception):
    """Base of every error that streamlight raises on purpose."""


class SourceError(StreamlightError):
    """The input cannot be opened or read."""


class UnsupportedSourceError(SourceError):
    """The input opens, but holds nothing that can be enhanced (no video, encrypted video)."""


class SinkError(StreamlightError):
    """The output cannot be written."""


class VerificationError(StreamlightError):
    """A written file differs from its input in what should have been kept."""


class BackendError(StreamlightError):
    """The network cannot run."""


class BackendUnavailableError(BackendError):
    """The backend is not installed here, or the device asked for does not exist."""


class EngineError(BackendUnavailableError):
    """A built TensorRT engine is missing, damaged, wrong, or not for this machine."""


class DeviceLostError(BackendError):
    """The GPU is gone, or its context is broken: nothing runs on it in this process any more."""


class OutOfMemoryError(BackendError):
    """The device has too little memory for a picture of this size."""


class ModelError(StreamlightError):
    """A model is unknown, or its weights do not fit its specification."""


class UsageError(StreamlightError):
    """The arguments contradict each other."""
