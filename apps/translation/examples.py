"""Sentences to try, written for this page: (name, text)."""

EXAMPLES = (
    ("A photo", "A young woman in a red coat is feeding the pigeons in front of a church."),
    (
        "Everyday",
        "I have lost my keys again. Could you please open the door for me? It is raining!",
    ),
    ("Hotel", "Hello! We have a reservation for two nights. Where is the car park, please?"),
    (
        "Figures",
        "The train leaves at 3:40 pm on May 12. The ticket costs $1,250.50. "
        "Write to info@example.org or see https://example.org/tickets.",
    ),
    (
        "A recipe",
        "1. Mix the eggs and the flour.\n2. Add 75 ml of milk.\n3. Bake at 180 °C for 25 minutes.",
    ),
    (
        "Long",
        "When my grandmother was a girl, she walked to school every morning with her two brothers, "
        "and in winter, when the snow was deep, they carried a lamp and sang all the way.",
    ),
    ("In capitals", "PLEASE CLOSE THE DOOR. NO SMOKING."),
    ("Tu or vous?", "Are you ready? I have a present for you."),
    ("It or she?", "My car is old, but it has never let me down."),
    ("Not literally", "It is raining cats and dogs, and he has a frog in his throat."),
    (
        "A letter",
        "Dear Anna,\n\nThank you for your letter. We arrived last night and the house is lovely. "
        "There is a small garden with an apple tree.\n\nSee you soon!",
    ),
    ("German", "Das kleine Mädchen wohnt seit vielen Jahren bei ihrer Großmutter."),
)
