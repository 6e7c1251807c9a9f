"""The model card, where there are no figures."""

from training_samples import OPTIONS, TINY

from streamlight.training.card import CardFacts, model_card
from streamlight.training.origin import Origin


def card(*, has_pictures: bool, origin: Origin) -> str:
    return model_card(
        CardFacts(
            name="mine",
            spec=TINY,
            options=OPTIONS,
            steps=3,
            minutes=1.0,
            device="a CPU",
            origin=origin,
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


def test_the_card_tells_how_the_run_began() -> None:
    drawn = card(has_pictures=False, origin=Origin("streamlight train photographs"))
    assert "Began with weights drawn at random. 3 steps" in drawn
    taught = card(has_pictures=False, origin=Origin("", "gladnet", "the weights a", "old", "1f"))
    assert "Began with the weights a, taught by old. 3 steps" in taught
