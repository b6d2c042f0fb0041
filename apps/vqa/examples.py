"""Questions to try: some about each example photo, and some that fit any photo."""

FIRST = "lion"  # the example with which the page opens
# The first question of each photo is one that the LSTM answers correctly and with confidence.
QUESTIONS = {
    "lion": (
        "What color is the animal?",
        "Is this a dog?",
        "Is this a zoo?",
        "What is lying on the rock?",
    ),
    "bus": (
        "What color is the bus?",
        "Is there a person?",
        "Is this a dog?",
        "How many wheels are there?",
    ),
    "tower": (
        "What is lit up?",
        "What color is the sky?",
        "What building is this?",
        "Is it night?",
    ),
    "temple": (
        "What kind of building is this?",
        "What color are the trees?",
        "Are there trees?",
        "What color is the roof?",
    ),
    "running": (
        "Is the animal sleeping?",
        "Is there a person?",
        "What color is the grass?",
        "What is running through the grass?",
    ),
    "portrait": (
        "What color is the animal?",
        "Is there a person?",
        "How many eyes are there?",
        "What kind of animal is this?",
    ),
    "flower": (
        "Is this a flower or an animal?",
        "Is there a person?",
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

# A question, and two photos for which its answers differ. The LSTM is right about all but the last.
PAIRS = {
    "color": ("What color is it?", "bus", "lion"),
    "object": ("What is in the picture?", "temple", "bus"),
    "sky": ("Is the sky blue?", "tower", "bus"),
    "night": ("Is it night?", "tower", "running"),
    "number": ("How many animals are there?", "running", "lion"),
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
