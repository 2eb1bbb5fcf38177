"""`spec.recipe.text`: documents, their classes or what is written for them, and the network."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule
from kubefit.api.recipe.data import ClassWeights
from kubefit.api.recipe.holding_out import HOLDING_OUT, HoldingOut

DOCUMENTS = ("csv", "jsonl", "folder")
READERS = ("lstm", "gru", "transformer", "encoderDecoder")
AUTO_ENCODING = "auto"
_ONE_SOURCE = "set exactly one of csv, jsonl and folder"
_ONE_READER = "set exactly one of lstm, gru, transformer and encoderDecoder"
_HEADS = "network's heads must divide embedding, of which each head takes an equal part"
_NO_FILES = "targetColumn needs csv or jsonl: a folder has classes, no targets"
_TARGETS = (
    "network.encoderDecoder writes targets: set targetColumn in train, validation and test with it,"
    " and with no other network"
)
_OF_TARGETS = "targetLength, decoding and tokens characters need network.encoderDecoder"
_NO_CLASSES = "classWeights needs classes, which network.encoderDecoder has not; leave it out"


def _exactly_one(names: tuple[str, ...]) -> str:
    return f"[{', '.join(f'has(self.{name})' for name in names)}].filter(x, x).size() == 1"


class Documents(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule(_exactly_one(DOCUMENTS), _ONE_SOURCE),
            rule("!has(self.targetColumn) || !has(self.folder)", _NO_FILES),
        ],
    },
):
    """A set of texts, each with its class or with a target: the text to be written for it.

    Relative paths are relative to the volume, absolute ones lie in `spec.volumes` or in the image.
    """

    csv: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """CSV file with a line of column names."""
    jsonl: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """File with a JSON object on each line."""
    folder: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """Folder with a sub-folder of `.txt` files per class, sorted by name; each is a text."""
    text_column: Annotated[str, Field(min_length=1, max_length=253)] = "text"
    """Column or key of the text."""
    label_column: Annotated[str, Field(min_length=1, max_length=253)] = "label"
    """Column or key of the class."""
    target_column: Annotated[str, Field(min_length=1, max_length=253)] | SkipJsonSchema[None] = None
    """Column or key of the target, in place of a class; for `network.encoderDecoder`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(getattr(self, source) is not None for source in DOCUMENTS) != 1:
            raise ValueError(_ONE_SOURCE)
        if self.target_column is not None and self.folder is not None:
            raise ValueError(_NO_FILES)
        return self

    @property
    def answer_column(self) -> str:
        """Column or key of what belongs to a text: its target, or else its class."""
        return self.target_column or self.label_column

    @property
    def source(self) -> str:
        """Name of the field that tells where the texts lie."""
        return next(source for source in DOCUMENTS if getattr(self, source) is not None)

    @property
    def paths(self) -> list[str]:
        """Files and folders where the texts lie."""
        return [str(getattr(self, self.source))]


class Recurrent(Model):
    """Recurrent layers over the words."""

    units: Annotated[int, Field(ge=1, le=65536)] = 64
    """Units of each layer, in each direction."""
    bidirectional: bool = True
    """Reads forwards and backwards."""
    layers: Annotated[int, Field(ge=1, le=16)] = 1
    """Layers one above the other."""


class Transformer(Model):
    """Encoder blocks of attention over the words."""

    layers: Annotated[int, Field(ge=1, le=48)] = 1
    """Blocks one above the other."""
    heads: Annotated[int, Field(ge=1, le=256)] = 2
    """Heads of attention, which share out `embedding`."""
    feed_forward: Annotated[int, Field(ge=1, le=65536)] = 64
    """Units of the dense layer of each block."""


class EncoderDecoder(Model):
    """Transformer that reads a text with an encoder and writes the target with a decoder."""

    layers: Annotated[int, Field(ge=1, le=48)] = 1
    """Blocks of the encoder, and as many of the decoder."""
    heads: Annotated[int, Field(ge=1, le=256)] = 4
    """Heads of attention, which share out `embedding`."""
    feed_forward: Annotated[int, Field(ge=1, le=65536)] = 128
    """Units of the dense layer of each block."""


class TextNetwork(
    Model,
    json_schema_extra={"x-kubernetes-validations": [rule(_exactly_one(READERS), _ONE_READER)]},
):
    """What reads the words: exactly one kind, e.g. `{lstm: {units: 64}}`."""

    lstm: Recurrent | SkipJsonSchema[None] = None
    """Long short-term memory."""
    gru: Recurrent | SkipJsonSchema[None] = None
    """Gated recurrent units."""
    transformer: Transformer | SkipJsonSchema[None] = None
    """Attention."""
    encoder_decoder: EncoderDecoder | SkipJsonSchema[None] = None
    """Attention that reads, and attention that writes: sequence to sequence."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = (self.lstm, self.gru, self.transformer, self.encoder_decoder)
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError(_ONE_READER)
        return self

    @property
    def heads(self) -> int:
        """Heads of attention; 1 of what has none."""
        attention = self.transformer or self.encoder_decoder
        return attention.heads if attention is not None else 1


class Tokens(StrEnum):
    """What texts are cut into."""

    WORDS = "words"
    """Between white space."""
    CHARACTERS = "characters"
    """One by one, white space too."""


class Decoding(Model):
    """How targets are written, token by token."""

    beams: Annotated[int, Field(ge=1, le=64)] = 1
    """Targets that are followed at once (beam search); with 1 always the likeliest token."""
    length_penalty: Annotated[float, Field(ge=0.0, le=2.0)] = 0.6
    """How much longer targets are preferred among the beams; with 0 the likeliest target is."""


_SETS = ("train", "validation", "test")


def _of_each_set(condition: str) -> str:
    """A CEL condition that holds for each set of texts that there is."""
    return " && ".join(
        f"({'' if name == 'train' else f'!has(self.{name}) || '}"
        f"{condition.replace('it.', f'self.{name}.')})"
        for name in _SETS
    )


_HEADS_DIVIDE = " && ".join(
    f"(!has(self.network.{kind}) || self.embedding % self.network.{kind}.heads == 0)"
    for kind in ("transformer", "encoderDecoder")
)


class Text(
    HoldingOut,
    json_schema_extra={
        "x-kubernetes-validations": [
            *HOLDING_OUT,
            rule(_HEADS_DIVIDE, _HEADS),
            rule(
                _of_each_set("has(it.targetColumn) == has(self.network.encoderDecoder)"), _TARGETS
            ),
            rule(
                "has(self.network.encoderDecoder) || (!has(self.targetLength) &&"
                " !has(self.decoding) && self.tokens == 'words')",
                _OF_TARGETS,
            ),
            rule(
                "!has(self.network.encoderDecoder) || self.classWeights == 'none'",
                _NO_CLASSES,
            ),
        ]
    },
):
    """Texts with one class each, or one target each, and the network that learns to tell it."""

    train: Documents
    """Training texts; the vocabulary is theirs, without what is held out."""
    validation: Documents | SkipJsonSchema[None] = None
    """Texts that training is validated on after every epoch, in place of `validationSplit`."""
    test: Documents | SkipJsonSchema[None] = None
    """Texts for the evaluation after training. Without them the validation split is evaluated."""
    encoding: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$", max_length=64)] = (
        "utf-8"
    )
    """Encoding of the files as Python names it, or `auto`: found for each file by its bytes."""
    tokens: Tokens = Tokens.WORDS
    """What texts and targets are cut into; classes are told by words."""
    vocabulary_size: Annotated[int, Field(ge=4, le=1000000)] = 20000
    """Words that are known at most, the most frequent ones; all others are one unknown word.

    Of targets as many, of tokens.
    """
    sequence_length: Annotated[int, Field(ge=1, le=8192)] = 200
    """Words, or tokens, of a text that are read, from its beginning."""
    target_length: Annotated[int, Field(ge=1, le=8192)] | SkipJsonSchema[None] = None
    """Tokens that a target has at most; as many as `sequenceLength` if not set."""
    embedding: Annotated[int, Field(ge=1, le=8192)] = 64
    """Numbers that stand for a word."""
    dropout: Annotated[float, Field(ge=0.0, le=0.99)] = 0.2
    """Dropout before the output layer, and after each part of a transformer."""
    network: TextNetwork
    """What reads the words."""
    decoding: Decoding | SkipJsonSchema[None] = None
    """How targets are written after training; the likeliest token each time if not set."""

    @property
    def writes(self) -> bool:
        """Whether texts have targets, not classes."""
        return self.network.encoder_decoder is not None

    @property
    def longest_target(self) -> int:
        """Tokens that a target has at most."""
        return self.target_length or self.sequence_length

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        if encoding != AUTO_ENCODING:
            try:
                "".encode(encoding)
            except LookupError as error:
                raise ValueError(
                    f"{encoding!r} is no encoding of texts; take one that Python has, such as utf-8"
                    " or cp1252, or auto"
                ) from error
        return encoding

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.embedding % self.network.heads:
            raise ValueError(_HEADS)
        return self

    @model_validator(mode="after")
    def _targets_fit(self) -> Self:
        sets = [one for one in (self.train, self.validation, self.test) if one is not None]
        if any((one.target_column is not None) != self.writes for one in sets):
            raise ValueError(_TARGETS)
        of_targets = self.target_length is not None or self.decoding is not None
        if not self.writes and (of_targets or self.tokens is not Tokens.WORDS):
            raise ValueError(_OF_TARGETS)
        if self.writes and self.class_weights is not ClassWeights.NONE:
            raise ValueError(_NO_CLASSES)
        return self
