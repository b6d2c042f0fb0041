"""Reviews to try, written for this page: (name, text)."""

EXAMPLES = (
    (
        "Mixed",
        "I wanted to love this film, and for the first half hour I did. The harbour town is "
        "beautifully shot, the two sisters are wonderful together, and the music knows when to "
        "be quiet, but then the plot arrives, and with it a murder nobody cares about, a "
        "detective who explains everything twice, and a dull, endless chase through a "
        "warehouse. The last scene almost saves it. Almost.",
    ),
    (
        "Positive",
        "What a joy. A film about three old friends restoring a fishing boat has no right to be "
        "this gripping, but the writing is so warm and the acting so natural that I forgot I "
        "was in a cinema. Every small victory feels earned, the jokes are genuinely funny, and "
        "the ending moved me to tears. One of the best films I have seen this year, and highly "
        "recommended.",
    ),
    (
        "Negative",
        "Two hours of my life that I will never get back. The story makes no sense, the "
        "dialogue sounds as if nobody had read it aloud before shooting, and the so-called "
        "monster is a man in a cheap rubber suit. The lead actor looks bored, and by the end so "
        "was I. The worst part is the ending, which explains nothing and promises a sequel. "
        "Avoid.",
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
        "Negated",
        "This is not a bad film at all, whatever you may have read. The pace is never slow, the "
        "special effects do not look cheap, and there was not a single moment when I was bored. "
        "I expected a disaster and did not get one. Nobody in the cast gives a weak "
        "performance, and I could not find anything to complain about, not even the ending.",
    ),
    (
        "Long",
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
