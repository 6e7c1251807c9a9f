"""Every name of TensorRT that streamlight uses exists in the real bindings, with its arguments."""

from typing import Any

import pytest

from streamlight.engines import FLAVOURS

RTX = FLAVOURS["tensorrt-rtx"]
trt: Any = pytest.importorskip(RTX.module, reason=RTX.install)

METHODS = {
    "Builder.create_network": ("flags",),
    "Builder.create_builder_config": (),
    "Builder.create_optimization_profile": (),
    "Builder.build_serialized_network": ("network", "config"),
    "IBuilderConfig.clear_flag": ("flag",),
    "IBuilderConfig.set_compute_capability": ("compute_capability", "index"),
    "IBuilderConfig.add_optimization_profile": ("profile",),
    "IBuilderConfig.create_timing_cache": ("serialized_timing_cache",),
    "IBuilderConfig.set_timing_cache": ("cache", "ignore_mismatch"),
    "IBuilderConfig.get_timing_cache": (),
    "ITimingCache.serialize": (),
    "IOptimizationProfile.set_shape": ("input", "min", "opt", "max"),
    "IProgressMonitor.phase_start": (),
    "IProgressMonitor.step_complete": (),
    "IProgressMonitor.phase_finish": (),
    "OnnxParser.parse": ("model",),
    "OnnxParser.get_error": ("index",),
    "ParserError.desc": (),
    "INetworkDefinition.get_layer": ("index",),
    "ILayer.get_output": ("index",),
    "Runtime.deserialize_cuda_engine": ("serialized_engine",),
    "ICudaEngine.create_runtime_config": (),
    "ICudaEngine.create_execution_context": ("runtime_config",),
    "IRuntimeConfig.create_runtime_cache": (),
    "IRuntimeConfig.set_runtime_cache": ("cache",),
    "IRuntimeCache.deserialize": ("blob",),
    "IRuntimeCache.serialize": (),
    "IExecutionContext.set_input_shape": ("name", "shape"),
    "IExecutionContext.set_tensor_address": ("name", "memory"),
    "IExecutionContext.execute_async_v3": ("stream_handle",),
}

VALUES = [
    "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
    "ProfilingVerbosity.DETAILED",
    "BuilderFlag.TF32",
    "CudaGraphStrategy.WHOLE_GRAPH_CAPTURE",
    "ComputeCapability.SM86",
    "ComputeCapability.SM89",
    "ComputeCapability.SM120",
    "ILogger.INTERNAL_ERROR",
    "ILogger.ERROR",
    "ILogger.WARNING",
    "ILogger.INFO",
    "IBuilderConfig.num_compute_capabilities",
    "IBuilderConfig.profiling_verbosity",
    "IBuilderConfig.progress_monitor",
    "IRuntimeConfig.cuda_graph_strategy",
    "OnnxParser.num_errors",
    "INetworkDefinition.num_layers",
    "ILayer.type",
    "ITensor.dtype",
]


def look_up(name: str) -> Any:
    owner, _, member = name.partition(".")
    return getattr(getattr(trt, owner), member)


@pytest.mark.parametrize("name", METHODS)
def test_methods_take_the_arguments_that_are_given(name: str) -> None:
    signature = look_up(name).__doc__ or ""
    for argument in METHODS[name]:
        assert f"{argument}:" in signature, signature


@pytest.mark.parametrize("name", VALUES)
def test_values_and_attributes_are_there(name: str) -> None:
    assert look_up(name) is not None
