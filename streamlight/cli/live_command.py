"""What `rtsp`, `webcam` and `file --realtime` have in common: one live source, carried out."""

from __future__ import annotations

from streamlight.cameras.controls import Controls
from streamlight.cameras.source import SourceSpec, open_live
from streamlight.cameras.spec import CameraSpec
from streamlight.cli.camera_names import names_of
from streamlight.cli.live_settings import LiveSettings

_OF_GROUP = ("model", "backend", "device", "precision", "engine_dir")


def carry_out(source: SourceSpec, settings: LiveSettings, *, debug: bool) -> None:
    """Run a live source to its outputs, its window or its page.

    Raises:
        StreamlightError: it failed.
        typer.Exit: it was stopped by a signal.
    """
    if settings.web is None:
        from streamlight.cli.live_run import LiveRun

        with_sound = bool(settings.outputs.targets)
        LiveRun(
            lambda on_state: open_live(source, on_state, with_sound=with_sound),
            settings,
            debug=debug,
        ).carry_out()
        return
    from streamlight.cli.group_run import GroupRun, GroupSettings

    group_settings = GroupSettings(
        network={name: settings.network[name] for name in _OF_GROUP},
        web=settings.web,
        duration_s=settings.duration_s,
        report_path=settings.report_path,
        is_quiet=settings.is_quiet,
        debug=debug,
    )
    GroupRun([_camera(source, settings)], group_settings).carry_out()


def _camera(source: SourceSpec, settings: LiveSettings) -> CameraSpec:
    network, look = settings.network, settings.look
    return CameraSpec(
        name=next(iter(names_of([source.address]))),
        source=source,
        outputs=settings.outputs,
        controls=Controls(look.strength, look.exposure_ev, network["smoothing_s"]),
        compare=look.compare,
        estimate_every=network["estimate_every"],
        sampling=network["sampling"],
        skip_bright=network["skip_bright"],
        memory_bytes=network["memory_bytes"],
        process_size=settings.process_size,
        is_adaptive=settings.is_adaptive,
        target_fps=settings.target_fps,
        is_strict=settings.is_strict,
    )
