"""Bytes of texts as letters, in an encoding that is known or to be found."""

import codecs

from kubefit.api.recipe.text import AUTO_ENCODING

_ENCODING = "spec.recipe.text.encoding"
_LOOKED_AT = 1 << 20
"""Bytes of a file by which its encoding is found."""
_MARKED = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""How files in these encodings may begin; some longer marks begin like shorter ones."""


class WrongEncodingError(Exception):
    """What is wrong with the bytes, in a few words."""


def misfit(content: bytes, encoding: str) -> str:
    """Which byte of a whole file does not fit: a stream counts from somewhere within."""
    try:
        decoded(content, encoding)
    except WrongEncodingError as error:
        return str(error)
    return ""


def decoded(content: bytes, encoding: str) -> str:
    """The text of the bytes.

    Raises:
        WrongEncodingError: a byte does not fit, or the encoding cannot be found.

    """
    encoding = named(content, encoding)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        said = encoding.removesuffix("-sig")
        raise WrongEncodingError(
            f"byte {error.start} (0x{content[error.start]:02x}) is not {said}; set {_ENCODING} to"
            f" the encoding of the texts, or to {AUTO_ENCODING}"
        ) from error


def named(content: bytes, encoding: str) -> str:
    """The encoding to read with: one that is to be found is, and a mark of UTF-8 is no letter."""
    if encoding == AUTO_ENCODING:
        encoding = _found(content)
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def _found(content: bytes) -> str:
    """UTF-8 where it fits, else what the bytes are marked as or look like."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        for mark, encoding in _MARKED:
            if content.startswith(mark):
                return encoding
        from charset_normalizer import from_bytes

        best = from_bytes(_lines_around(content, error.start)).best()
        if best is None:
            raise WrongEncodingError(
                f"the encoding cannot be told from the bytes; set {_ENCODING} to it"
            ) from error
        return best.encoding
    return "utf-8"


def _lines_around(content: bytes, byte: int) -> bytes:
    """Whole lines where they are not too long: half a character fits no encoding."""
    begin = max(0, byte - _LOOKED_AT // 2)
    if begin:
        begin = content.find(b"\n", begin, byte) + 1 or begin
    end = begin + _LOOKED_AT
    if end < len(content):
        end = content.rfind(b"\n", byte, end) + 1 or end
    return content[begin:end]
