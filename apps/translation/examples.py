"""Sentences to try, written for this page: (name, text)."""

EXAMPLES = (
    ("A photo", "A young woman in a red coat is feeding the pigeons in front of a church."),
    (
        "Everyday",
        "I have lost my keys again. Could you please open the door for me? It is raining!",
    ),
    ("Word order", "The little black dog with the white ears did not see the big green ball."),
    ("It or she?", "My car is old, but it has never let me down."),
    ("Not literally", "It is raining cats and dogs, and he has a frog in his throat."),
    (
        "Long",
        "When my grandmother was a girl, she walked to school every morning with her two brothers, "
        "and in winter, when the snow was deep, they carried a lamp and sang all the way.",
    ),
    (
        "A letter",
        "Dear Anna,\n\nThank you for your letter. We arrived last night and the house is lovely. "
        "There is a small garden with an apple tree.\n\nSee you soon!",
    ),
    ("German", "Das kleine Mädchen wohnt seit vielen Jahren bei ihrer Großmutter."),
)
