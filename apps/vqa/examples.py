"""Questions to try: our own about each photograph of the page, and some that fit any."""

FIRST = "temple"
QUESTIONS = {
    "running": (
        "How many animals are there?",
        "Is the animal running?",
        "What color is the ground?",
        "Is this a cat?",
    ),
    "portrait": (
        "How many eyes are there?",
        "What color are the eyes?",
        "Is this a dog?",
        "Is the animal looking at the camera?",
    ),
    "lion": (
        "How many animals are there?",
        "What is lying on the rock?",
        "Is this a zoo?",
        "What color is the animal?",
    ),
    "temple": (
        "What kind of building is this?",
        "What is in the background?",
        "Are there trees?",
        "What color is the roof?",
    ),
    "tower": (
        "Is there a clock on the tower?",
        "What color is the tower?",
        "Is it night?",
        "What is lit up?",
    ),
    "flower": (
        "What color is the flower?",
        "What color are the leaves?",
        "How many flowers are there?",
        "Is this a vase?",
    ),
    "bus": (
        "What color is the bus?",
        "Is this a real bus?",
        "How many wheels are there?",
        "Is there a driver?",
    ),
}
ANY = (
    "What is in the photo?",
    "What color is it?",
    "How many are there?",
    "Is there a person?",
    "Is this picture taken outside?",
)

# Two photographs and a question to which they have different answers.
PAIRS = {
    "color": ("What color is it?", "bus", "lion"),
    "object": ("What is in the picture?", "temple", "bus"),
    "bus": ("Is this a bus?", "bus", "lion"),
    "number": ("How many animals are there?", "running", "lion"),
    "night": ("Is it night?", "tower", "temple"),
}


def suggestions(example):
    """Questions for a photograph.

    Args:
        example: Its key in `EXAMPLES`, or "" for a visitor's own.
    """
    return QUESTIONS.get(example, ANY)


def question_for(example, question):
    """The question that a visitor sees after a change of photograph.

    Args:
        example: Key of the new photograph, or "".
        question: The one in the box; a visitor's own stays.
    """
    ours = {text for texts in (*QUESTIONS.values(), ANY) for text in texts}
    if question.strip() and question not in ours:
        return question
    return question if question in suggestions(example) else suggestions(example)[0]
