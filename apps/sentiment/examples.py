"""Texts to try, written for this page: (name, text)."""

EXAMPLES = (
    ("Short", "Not bad at all, I would happily go there again."),
    (
        "Tweet",
        "second time at the noodle bar by the station and it was sooo good 😍 why is nobody "
        "talking about this place #happybelly",
    ),
    (
        "Negated",
        "I don't think anybody could call this phone slow, and it has never let me down once.",
    ),
    (
        "Mixed",
        "The room was lovely and the staff were kind, but the bed was hard and the street so "
        "loud that we hardly slept.",
    ),
    (
        "Sarcastic",
        "Oh, brilliant, another superhero film, exactly what the world was missing. I "
        "particularly enjoyed the part where they saved the planet by shooting a beam of light "
        "into the sky, so fresh, so original. The jokes were so good that I could count the "
        "laughs in a packed cinema on the fingers of one elbow. If you have a wall of paint "
        "that needs watching, watch that instead.",
    ),
    (
        "Film review",
        "I wanted to love this film, and for the first half hour I did. The harbour town is "
        "beautifully shot, the two sisters are wonderful together, and the music knows when to "
        "be quiet, but then the plot arrives, and with it a murder nobody cares about, a "
        "detective who explains everything twice, and a dull, endless chase through a "
        "warehouse. The last scene almost saves it. Almost.",
    ),
    (
        "Long review",
        "My grandfather worked on the railways for forty years, so when a film about the last "
        "night shift in a signal box opened at our local cinema, I took the whole family. The "
        "first twenty minutes made me nervous. Nothing happens, and it happens slowly: a kettle "
        "boils, a phone rings, a lamp turns from red to green. My daughter asked twice whether "
        "it had started yet. Then a voice on the line says that a train is missing, and from "
        "there I did not look at my watch again. The director has hardly any money and does not "
        "try to hide it. There are two rooms, five actors and a great deal of fog, and yet I "
        "have rarely felt so much tension in a cinema. The old signalman is played with "
        "enormous care; you believe every tired movement of his hands. I was less convinced by "
        "the young inspector, who shouts too much and whose sudden change of heart is hard to "
        "accept, and one flashback near the end is clumsy and quite unnecessary. The sound, on "
        "the other hand, is superb. When the train finally comes you hear it long before you "
        "see it, and half of the audience turned around in their seats. We argued about the "
        "last scene all the way home. It is a small, stubborn, lovely film, and I hope that "
        "many people find it.",
    ),
)
