import pytest

from apps.translation import forms


@pytest.mark.parametrize(
    ("french", "other"),
    [
        ("Je suis prêt.", "Je suis prête."),
        ("Ils sont heureux.", "Elles sont heureuses."),
        ("Elle est sportive\u202f?", "Il est sportif\u202f?"),
        ("Vous êtes premiers.", "Vous êtes première."),
    ],
)
def test_translations_that_differ_in_gender_or_number_are_recognised(french, other):
    assert forms.differ_in_agreement(french, other)
    assert forms.differ_in_agreement(other, french)


@pytest.mark.parametrize(
    ("french", "other"),
    [
        ("Je suis prêt.", "Je suis prêt."),
        ("Je suis prêt.", "Je suis content."),
        ("Il mange.", "Il mange bien."),
        ("Le chat dort.", "Le chien dort."),
    ],
)
def test_other_differences_are_none_of_agreement(french, other):
    assert not forms.differ_in_agreement(french, other)


def test_the_form_of_address_is_recognised_and_avoided():
    assert "▁vous" in forms.avoid_address("Avez-vous faim\u202f?")
    assert "▁tu" in forms.avoid_address("Je t'aime.")
    assert forms.avoid_address("Il dort toute la nuit.") == ()
    assert forms.is_other_address("Es-tu prêt ?", "Êtes-vous prêt ?")
    assert not forms.is_other_address("Es-tu prêt ?", "Tu es prêt ?")
