"""What must not be read in a message."""

import logging

import pytest

from streamlight.urls import MaskingFilter, hide, mask_text, mask_url


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("rtsp://admin:pa55@10.0.0.2:554/h264?ch=1", "rtsp://***@10.0.0.2:554/h264?ch=1"),
        ("rtsp://admin:p@ss@camera/1", "rtsp://***@camera/1"),
        ("rtsp://admin:a/b@camera/1", "rtsp://***@camera/1"),
        ("rtsp://admin:a@b/c#d@camera/1", "rtsp://***@camera/1"),
        ("rtsp://admin:a?b@camera/1", "rtsp://***@camera/1"),
        ("rtsp://admin:a#b@camera/1", "rtsp://***@camera/1"),
        ("rtsp://admin:12#b@camera/1", "rtsp://***@camera/1"),
        ("rtsp://admin:a%20b%40@camera/1", "rtsp://***@camera/1"),
        ("rtsp://apikey@camera/1", "rtsp://***@camera/1"),
        ("RTSP://Admin:Secret@camera", "RTSP://***@camera"),
        ("rtsp://u:p@[fe80::1]:554/1", "rtsp://***@[fe80::1]:554/1"),
        ("rtsp://camera:554/user@1", "rtsp://camera:554/user@1"),
        ("rtsp://[fe80::1]:554/user@1", "rtsp://[fe80::1]:554/user@1"),
        (
            "http://cam/flv?port=1935&user=admin&password=pa55&stream=0",
            "http://cam/flv?port=1935&user=***&password=***&stream=0",
        ),
        ("https://h/l.m3u8?Access_Token=abc", "https://h/l.m3u8?Access_Token=***"),
        ("https://h/l.m3u8?X-Amz-Signature=abc&a=b", "https://h/l.m3u8?X-Amz-Signature=***&a=b"),
        ("srt://h:9000?passphrase=abc&latency=20", "srt://h:9000?passphrase=***&latency=20"),
        ("srt://h:9000?streamid=publish:cam:u:p", "srt://h:9000?streamid=***"),
        ("srt://h:9000?streamid=#!::u=admin,s=x&a=b", "srt://h:9000?streamid=***&a=b"),
        ("rtmp://a.example/live2/abcd-efgh-ijkl-mnop", "rtmp://a.example/live2/***"),
        (
            "rtsp://dvr:554/user=admin_password=tlJw_bo6_channel=1_stream=0.sdp?real_stream",
            "rtsp://dvr:554/user=***_password=***_channel=1_stream=0.sdp?real_stream",
        ),
        ("rtsp://dvr/user=me&password=&channel=1", "rtsp://dvr/user=***&password=***&channel=1"),
        (
            "http://cam/l.cgi?loginuse=me&loginpas=s3&a=1",
            "http://cam/l.cgi?loginuse=***&loginpas=***&a=1",
        ),
        ("http://cam/video?u=me&p=s3", "http://cam/video?u=***&p=***"),
        ("rtsps://h:7441/aBcDeF0123456789?enableSrtp", "rtsps://h:7441/***?enableSrtp"),
        ("rtsp://cam/Streaming/Channels/101", "rtsp://cam/Streaming/Channels/101"),
        ("rtsp://cam/h264Preview_01_main", "rtsp://cam/h264Preview_01_main"),
        ("rtmp://127.0.0.1/live/cam", "rtmp://127.0.0.1/live/cam"),
        ("/home/me/a clip?token=1.mp4", "/home/me/a clip?token=1.mp4"),
    ],
)
def test_a_url_keeps_all_but_its_secrets(url: str, masked: str) -> None:
    assert mask_url(url) == masked
    assert mask_url(masked) == masked


def test_every_url_in_a_text_is_masked() -> None:
    text = "from 'rtsp://u:p1@a/1' to \"srt://b?passphrase=p2\", rtmp://u:p3@c/d failed"
    assert mask_text(text) == (
        "from 'rtsp://***@a/1' to \"srt://b?passphrase=***\", rtmp://***@c/d failed"
    )


def test_the_authorization_of_a_request_is_masked() -> None:
    request = "DESCRIBE rtsp://a/1 RTSP/1.0\r\nAuthorization: Basic dTpw\r\nCSeq: 2"
    assert mask_text(request) == ("DESCRIBE rtsp://a/1 RTSP/1.0\r\nAuthorization: ***\r\nCSeq: 2")


def test_a_log_record_is_masked_with_its_arguments_and_exception() -> None:
    try:
        raise ValueError("cannot open rtsp://u:secret@a/1")
    except ValueError as error:
        trace = (type(error), error, error.__traceback__)
    record = logging.LogRecord(
        "libav.rtsp", logging.ERROR, "", 0, "opening %s", ("rtsp://u:secret@a/1",), trace
    )
    assert MaskingFilter().filter(record)
    shown = logging.Formatter().format(record)
    assert "secret" not in shown
    assert "opening rtsp://***@a/1" in shown and "cannot open rtsp://***@a/1" in shown


def test_what_is_hidden_is_not_shown_wherever_it_stands() -> None:
    for value in ("tlJwbo6", "abc", "rtsp://u:p@camera/1"):
        hide(value)
    assert mask_url("http://camera/tlJwbo6/video") == "http://camera/***/video"
    assert mask_text("camera tlJwbo6 is abc") == "camera *** is abc"
    assert mask_text("rtsp://u:p@camera/1") == "rtsp://***@camera/1"
