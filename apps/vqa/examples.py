"""Questions to try: some about each example photo, and some that fit any photo."""

FIRST = "lion"  # the example with which the page opens
# The first question of each photo is one that the LSTM answers correctly and with confidence.
QUESTIONS = {
    "lion": (
        "What color is the animal?",
        "How many lions are there?",
        "Is this a zoo?",
        "What is lying on the rock?",
    ),
    "bus": (
        "What color is the bus?",
        "Is this a drawing?",
        "How many wheels are there?",
        "Is this a real bus?",
    ),
    "tower": (
        "What is lit up?",
        "What color is the sky?",
        "Is it night?",
        "Is there a clock on the tower?",
    ),
    "temple": (
        "What kind of building is this?",
        "Is it night?",
        "What color is the roof?",
        "Are there trees?",
    ),
    "running": (
        "Is the animal sleeping?",
        "Is there a person?",
        "How many animals are there?",
        "What is running through the grass?",
    ),
    "portrait": (
        "How many eyes are there?",
        "Is there a person?",
        "What color are the eyes?",
        "What kind of animal is this?",
    ),
    "flower": (
        "Are there flowers?",
        "Is this a flower?",
        "How many flowers are there?",
        "What color is the flower?",
    ),
}
ANY_PHOTO = (
    "What is in the photo?",
    "What color is it?",
    "How many are there?",
    "Is there a person?",
    "Is this picture taken outside?",
)

# A question, and two photos for which its answers differ.
PAIRS = {
    "color": ("What color is it?", "bus", "lion"),
    "object": ("What is in the picture?", "temple", "bus"),
    "bus": ("Is this a bus?", "bus", "lion"),
    "number": ("How many animals are there?", "running", "lion"),
    "night": ("Is it night?", "tower", "temple"),
}


def suggest_questions(example):
    """Questions about a photo.

    Args:
        example: Its key in `photos.EXAMPLES`; "" for a visitor's own photo.
    """
    return QUESTIONS.get(example, ANY_PHOTO)


def question_for(example, question):
    """The question to ask after the photo was changed.

    Args:
        example: Key of the new photo, or "".
        question: The question in the box. A visitor's own question stays; a suggestion that does
            not fit the new photo is replaced by one that does.
    """
    suggested = {text for texts in (*QUESTIONS.values(), ANY_PHOTO) for text in texts}
    if question.strip() and question not in suggested:
        return question
    suggestions = suggest_questions(example)
    return question if question in suggestions else suggestions[0]
