from streamlight.pipeline.advice import WINDOW_S, Advisor


def watch(
    advisor: Advisor, seconds: float, *, lost: float, by_sink: bool = False, start_s: float = 0.0
) -> None:
    """Show the advisor so many seconds of 25 frames a second, of which a share is lost."""
    for count in range(round(25 * seconds)):
        gone = int(count * lost)
        too_late, unwanted = (0, gone) if by_sink else (gone, 0)
        advisor.update(start_s + count / 25, count, count - gone, too_late, unwanted)


def test_a_network_that_is_too_slow_for_seconds_is_named_with_the_remedy() -> None:
    advisor = Advisor()
    watch(advisor, WINDOW_S + 1, lost=0.6)
    assert advisor.advice is not None
    assert advisor.advice.startswith("the network cannot keep up (")
    assert "of 25.0 frames/s" in advisor.advice
    assert "--model gladnet-fast" in advisor.advice
    assert "--process-size" in advisor.advice


def test_a_sink_that_is_too_slow_is_not_blamed_on_the_network() -> None:
    advisor = Advisor()
    watch(advisor, WINDOW_S + 1, lost=0.6, by_sink=True)
    assert advisor.advice is not None
    assert advisor.advice.startswith("the output cannot keep up")
    assert "gladnet" not in advisor.advice


def test_a_hiccup_and_a_few_lost_frames_are_not_worth_a_word() -> None:
    advisor = Advisor()
    watch(advisor, WINDOW_S * 0.9, lost=0.6)
    assert advisor.advice is None
    advisor = Advisor()
    watch(advisor, 5 * WINDOW_S, lost=0.05)
    assert advisor.advice is None


def test_what_was_lost_long_ago_does_not_count() -> None:
    advisor = Advisor()
    for count in range(25 * 30):
        advisor.update(count / 25, 1000 + count, 100 + count, 900, 0)
    assert advisor.advice is None


def test_an_advice_stays_as_it_was_said() -> None:
    advisor = Advisor()
    watch(advisor, WINDOW_S + 1, lost=0.6)
    said = advisor.advice
    watch(advisor, WINDOW_S + 1, lost=0.9, by_sink=True, start_s=100)
    assert advisor.advice is said


def test_a_source_that_pauses_gives_no_advice() -> None:
    advisor = Advisor()
    for second in range(20):
        advisor.update(second, 10, 2, 8, 0)
    assert advisor.advice is None
