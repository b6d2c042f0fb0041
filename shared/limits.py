"""What the site accepts from strangers, checked before anything is parsed, normalised or decoded.

Sizes of uploads, of typed text and of batches that an operator may change are in `shared.settings`;
everything else that bounds the work or the memory of one input is here.
"""

from shared.errors import UserError

MIB = 2**20

# Connections
CONNECTIONS = 800  # open at once, of all visitors
CONNECTIONS_PER_VISITOR = 300  # a class behind one address; a page loads through six at once
REFUSED_CONNECTIONS = 50  # further ones that get a sentence; beyond them, they are closed at once
REQUEST_HEAD_SECONDS = 20  # in which a request must have begun and its headers have arrived
REQUEST_HEAD_BYTES = 32 * 1024
ANSWER_READING_SECONDS = 120  # in which a visitor must have read what was sent so far

# Requests
REQUEST_OVERHEAD_BYTES = MIB  # what a request may hold besides the largest file or text
SMALL_REQUEST_BYTES = 64 * 1024  # of requests that carry neither a question nor a file
UPLOAD_FILES = 10  # files of the largest size in one upload
REQUEST_SECONDS = 600  # in which a request must have arrived
JSON_VALUES = 20_000  # in one request: strings, numbers, lists, members of objects
JSON_DEPTH = 32  # levels of lists and objects in one request
WAITING_QUESTIONS = 256  # questions that wait for an answer, of all visitors
WAITING_QUESTIONS_PER_VISITOR = 100
WAITING_QUESTIONS_PER_PAGE = 16
WAITING_LONG_QUESTIONS_PER_VISITOR = 4
WAITING_RUNS_PER_VISITOR = 4  # of batches, of backtests and of trainings
LONG_QUESTION_BYTES = 1_500  # a longer question is one that may take seconds
WAITING_BYTES = 96 * MIB  # of requests that arrive or wait for an answer, of all visitors
WAITING_BYTES_PER_VISITOR = 32 * MIB

# Files on the disk, which are kept for an hour at most
FREE_DISK_BYTES = 512 * MIB  # uploads leave so much free, or a quarter of a small disk
KEPT_BYTES = 2_048 * MIB  # of all visitors
KEPT_BYTES_PER_VISITOR = 512 * MIB  # a class may share one address
LEAST_FILE_BYTES = 64 * 1024  # that a small file counts as

# Sessions: what pages that are open, or were just left, hold in memory
SESSIONS = 400
SESSION_BYTES = 256 * MIB  # of all visitors
SESSION_BYTES_PER_VISITOR = 128 * MIB
SESSION_NAME_CHARACTERS = 64  # browsers choose about ten

# Text
TEXT_CHARACTERS = 5_000_000  # of one text; pages and commands have lower limits of their own
COMBINING_MARKS = 30  # in a row, as in Unicode's stream-safe text format (UAX 15)
ENTITY_LEVELS = 4  # entities and tags hidden in entities, as in `&amp;lt;b&amp;gt;`
ENTITY_DIGITS = 7  # of a numeric character reference

# Tables
TABLE_BYTES = 64 * MIB
TABLE_COLUMNS = 1_000
TABLE_CELLS = 500_000
TABLE_CELL_CHARACTERS = 100_000
TABLE_ROW_SEPARATORS = 200_000  # in one row, those within texts too
TABLE_LINES = 200_000  # of a file, blank ones too

# Archives
ZIP_DIRECTORY_BYTES = 8 * MIB  # of the list of entries at the end of a zip
ZIP_OTHER_ENTRIES = 1_000  # folders and hidden files, besides twice as many as photos
ZIP_UNPACKED_FILES = 10  # files of the largest size that one zip may unpack to

# Photos
IMAGE_BYTES = 64 * MIB
IMAGE_PIXELS = 50_000_000
IMAGE_MIN_SIDE_PIXELS = 8  # a smaller picture shows nothing
IMAGE_SCANS = 100  # of a progressive JPEG; cameras and programs write about ten
IMAGE_PARTS = 100_000  # segments, chunks, blocks or boxes of a file
IMAGE_METADATA_BYTES = MIB  # of a part that may hold the orientation; larger ones are skipped
IMAGE_TAGS = 1_000  # of a TIFF or of EXIF
IMAGE_TILES = 200_000  # tiles or strips of a TIFF
IMAGE_TILE_PIXELS = 2**20  # of a tile or strip that may be larger than the picture
IMAGE_CHANNELS = 8
IMAGE_RUN_LENGTH_BYTES = 256 * 1024  # of a BMP of run lengths, which are decoded slowly

# Processes that read what strangers send (`shared.workers`)
DECODING_MEMORY_BYTES = 1_280 * MIB  # address space; a photo of 50 million pixels takes 1 GiB
DECODING_CPU_SECONDS = 20  # the largest photo takes 4 s, the largest table 7 s
DECODING_SECONDS = 120  # by the clock, on a busy machine

# Decoding
MAX_BEAM_WIDTH = 8
MAX_LENGTH_PENALTY = 2.0  # exponent of `unrolled.decoding.length_penalty`


def check_search(width, alpha):
    """Refuse a beam width or a length penalty that the site does not offer.

    Raises:
        UserError: the message names the range.
    """
    if not isinstance(width, int) or not 1 <= width <= MAX_BEAM_WIDTH:
        raise UserError(f"The beam width must be a whole number from 1 to {MAX_BEAM_WIDTH}.")
    if not isinstance(alpha, int | float) or not 0 <= alpha <= MAX_LENGTH_PENALTY:
        raise UserError(f"The length penalty must be a number from 0 to {MAX_LENGTH_PENALTY:g}.")
