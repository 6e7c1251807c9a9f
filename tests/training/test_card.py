"""The model card, where there are no figures."""

from dataclasses import replace

from training_samples import OPTIONS, TINY

from streamlight.training.card import CardFacts, model_card
from streamlight.training.origin import Origin


def card(
    *, has_pictures: bool = False, origin: Origin | None = None, meter: bool | None = None
) -> str:
    return model_card(
        CardFacts(
            name="mine",
            spec=replace(TINY, is_metered=meter is not None),
            is_meter_fitted=bool(meter),
            options=OPTIONS,
            steps=3,
            minutes=1.0,
            device="a CPU",
            origin=origin or Origin(),
            photographs=5,
            skipped=0,
            licences={},
            has_pictures=has_pictures,
            results=[],
        )
    )


def test_a_run_that_was_given_pictures_is_not_said_to_have_none() -> None:
    drawn = Origin("streamlight train photographs")
    none, stopped = (card(has_pictures=given, origin=drawn) for given in (False, True))
    assert "Not measured: the run was given no pictures" in none
    assert "Not measured: the run did not get through its last evaluation." in stopped


def test_the_card_tells_whether_there_is_a_meter_and_whether_it_is_fitted() -> None:
    assert "with a meter" not in card()
    assert "by 2; with a meter, fitted to 12,000 views. Weights" in card(meter=True)
    assert "with a meter that is not fitted, and says nothing." in card(meter=False)


def test_the_card_tells_how_the_run_began() -> None:
    drawn = card(has_pictures=False, origin=Origin("streamlight train photographs"))
    assert "Began with weights drawn at random. 3 steps" in drawn
    taught = card(has_pictures=False, origin=Origin("", "gladnet", "the weights a", "old", "1f"))
    assert "Began with the weights a, taught by old. 3 steps" in taught
