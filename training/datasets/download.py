"""Downloading a corpus once, checked."""


def fetch(url, sha256, path):
    """Download a file with a progress bar, unless it exists; returns its path.

    Raises:
        FileNotFoundError: if it cannot be downloaded or its checksum is wrong; the message
            says which file to put where.
    """
    import keras  # imported here, as a corpus that exists is read without Keras

    try:
        return keras.utils.get_file(
            path.name,
            url,
            file_hash=sha256,
            hash_algorithm="sha256",
            cache_dir=path.parent,
            cache_subdir="",
        )
    except Exception as error:  # get_file raises bare Exceptions
        path.unlink(missing_ok=True)
        raise FileNotFoundError(
            f"{path.name} is not in {path.parent} and could not be downloaded ({error}). "
            f"Download {url} by other means and put it at {path}."
        ) from error
