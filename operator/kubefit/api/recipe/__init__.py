"""`spec.recipe`: what to train without code.

Models, and `resolve`, which writes out what a recipe leaves to its preset;
`kubefit_trainer.recipe` carries them out.
"""

from typing import Self, TypeVar, cast

from pydantic import model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule
from kubefit.api.recipe.augmentation import Augmentation, Fill, Flip, RandAugment, ResizedCrop
from kubefit.api.recipe.data import (
    SOURCES,
    Cache,
    ClassWeights,
    Data,
    ImageLabels,
    Images,
    LabelKind,
    NpyFiles,
    OnUnreadable,
    Tfds,
    TFRecordFiles,
)
from kubefit.api.recipe.export import Export, ExportFormat
from kubefit.api.recipe.model import (
    BLOCK_KINDS,
    Activation,
    Backbone,
    Block,
    ModelSpec,
    Output,
    Preprocessing,
    PretrainedBackbone,
)
from kubefit.api.recipe.presets import Preset, resolve
from kubefit.api.recipe.report import Explanation, Report
from kubefit.api.recipe.speech import (
    Reader,
    Recordings,
    SpecAugment,
    Speech,
    SpeechNetwork,
    Transcription,
)
from kubefit.api.recipe.text import (
    Decoding,
    Documents,
    EncoderDecoder,
    Recurrent,
    Text,
    TextNetwork,
    Tokens,
    Transformer,
)
from kubefit.api.recipe.training import (
    AUTO,
    EarlyStopping,
    Loss,
    Optimizer,
    Phase,
    Precision,
    Schedule,
    ScheduleKind,
    Training,
    Watched,
)

__all__ = [
    "AUTO",
    "BLOCK_KINDS",
    "SOURCES",
    "SUBJECTS",
    "Activation",
    "Augmentation",
    "Backbone",
    "Block",
    "Cache",
    "ClassWeights",
    "Data",
    "Decoding",
    "Documents",
    "EarlyStopping",
    "EncoderDecoder",
    "Explanation",
    "Export",
    "ExportFormat",
    "Fill",
    "Flip",
    "ImageLabels",
    "ImageRecipe",
    "Images",
    "LabelKind",
    "Loss",
    "ModelSpec",
    "NpyFiles",
    "OnUnreadable",
    "Optimizer",
    "Output",
    "Phase",
    "Precision",
    "Preprocessing",
    "Preset",
    "PretrainedBackbone",
    "RandAugment",
    "Reader",
    "Recipe",
    "Recordings",
    "Recurrent",
    "Report",
    "ResizedCrop",
    "Schedule",
    "ScheduleKind",
    "SpecAugment",
    "Speech",
    "SpeechNetwork",
    "SpeechRecipe",
    "TFRecordFiles",
    "Text",
    "TextNetwork",
    "TextRecipe",
    "Tfds",
    "Tokens",
    "Training",
    "Transcription",
    "Transformer",
    "Watched",
    "known_as",
    "resolve",
]


_NUMBERS = (Loss.MEAN_SQUARED_ERROR, Loss.MEAN_ABSOLUTE_ERROR, Loss.HUBER)
_OUTPUT = "data.labels multiLabel needs model.output auto or sigmoid, and regression auto"
_LOSS = (
    "training.loss does not fit data.labels: auto fits all, mean_squared_error, mean_absolute_error"
    " and huber regression, binary_crossentropy a sigmoid output, sparse_categorical_crossentropy"
    " a softmax over the classes of singleLabel"
)
_SMOOTHING = "augmentation.labelSmoothing needs classes, which data.labels regression has not"
_ACCURACY = (
    "training.earlyStopping.metric accuracy needs classes, which data.labels regression has not;"
    " take loss"
)
_COLOUR = "augmentation.saturation, hue and grayscale need data.channels 3"
_OF_TRANSCRIPTS = (
    "speech.transcription has a loss of its own and no accuracy: leave training.loss at auto, and"
    " let training.earlyStopping.metric be loss"
)
SUBJECTS = ("data", "text", "speech")
"""What a recipe may train on: images, texts or recordings."""
_ONE_SUBJECT = "set exactly one of data (images), text and speech"
_MODEL_OF_IMAGES = (
    "model describes the network of images: set it with data, and network within text or speech"
)
_ONLY_OF_IMAGES = "preset and augmentation are for images; leave them out with text and speech"
_NOT_FROZEN = (
    "training.unfreeze and layerDecay need a backbone, which text and speech have not; leave them"
    " out"
)
_OTHER_FORMATS = (
    "export.formats litert and onnx are for images: neither can look up words or make spectrograms;"
    " take keras and savedModel with text and speech"
)
_LOSS_OF_CLASSES = (
    "training.loss must be auto or sparse_categorical_crossentropy with text and speech"
)


def _as_by_default(path: str, default: Model) -> str:
    """A CEL condition that holds while nothing below `path` was set."""
    conditions = []
    for name, field in type(default).model_fields.items():
        value, place = getattr(default, name), f"{path}.{field.alias}"
        if value is None:
            conditions.append(f"!has({place})")
        else:
            conditions.append(
                f"{place} == '{value}'" if isinstance(value, str) else f"{place} == {float(value)}"
            )
    return " && ".join(conditions)


_NO_ACCURACY = (
    "(!has(self.training.earlyStopping) || self.training.earlyStopping.metric != 'accuracy') &&"
    " (!has(self.training.phases) || self.training.phases.all(phase,"
    " !has(phase.earlyStopping) || phase.earlyStopping.metric != 'accuracy'))"
)
"""A CEL condition that holds while training does not stop by the accuracy."""


def _all_learns(part: str) -> str:
    """A CEL condition that holds where nothing is frozen or learns slower."""
    return (
        f"(!has({part}.unfreeze) || {part}.unfreeze == 'all') &&"
        f" (!has({part}.layerDecay) || {part}.layerDecay == 1.0)"
    )


class Recipe(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule(
                f"[{', '.join(f'has(self.{subject})' for subject in SUBJECTS)}]"
                ".filter(x, x).size() == 1",
                _ONE_SUBJECT,
            ),
            rule("has(self.data) == has(self.model)", _MODEL_OF_IMAGES),
            rule(
                "has(self.data) || (!has(self.preset) && "
                + _as_by_default("self.augmentation", Augmentation())
                + ")",
                _ONLY_OF_IMAGES,
            ),
            rule(
                "has(self.data) || (" + _all_learns("self.training") + " &&"
                " (!has(self.training.phases) || self.training.phases.all(phase, "
                + _all_learns("phase")
                + ")))",
                _NOT_FROZEN,
            ),
            rule(
                "has(self.data) || self.training.loss in ['auto',"
                " 'sparse_categorical_crossentropy']",
                _LOSS_OF_CLASSES,
            ),
            rule(
                "has(self.data) || !self.export.formats.exists(f, f in ['litert', 'onnx'])",
                _OTHER_FORMATS,
            ),
            rule(
                "!has(self.data) || self.data.channels == 3 ||"
                " (self.augmentation.saturation == 0.0 && self.augmentation.hue == 0.0 &&"
                " self.augmentation.grayscale == 0.0)",
                _COLOUR,
            ),
            rule(
                "!has(self.data) || !has(self.model) || self.data.labels == 'singleLabel' ||"
                " self.model.output == 'auto' ||"
                " (self.data.labels == 'multiLabel' && self.model.output == 'sigmoid')",
                _OUTPUT,
            ),
            rule(
                "!has(self.data) || self.training.loss == 'auto' || ((self.training.loss in ["
                + ", ".join(f"'{loss}'" for loss in _NUMBERS)
                + "]) == (self.data.labels == 'regression') && (self.data.labels != 'multiLabel' ||"
                " self.training.loss == 'binary_crossentropy'))",
                _LOSS,
            ),
            rule(
                "!has(self.data) || self.data.labels != 'regression' ||"
                " self.augmentation.labelSmoothing == 0.0",
                _SMOOTHING,
            ),
            rule(
                f"!has(self.data) || self.data.labels != 'regression' || ({_NO_ACCURACY})",
                _ACCURACY,
            ),
            rule(
                "!has(self.speech) || !has(self.speech.transcription) ||"
                f" (self.training.loss == 'auto' && {_NO_ACCURACY})",
                _OF_TRANSCRIPTS,
            ),
        ]
    },
):
    """Training described in data, no code: on images, texts or recordings."""

    preset: Preset | SkipJsonSchema[None] = None
    """Defaults for a kind of training: `fineTune`, `fromScratch` or `smallData`."""
    data: Data | SkipJsonSchema[None] = None
    """Images: where they are and how they are read."""
    text: Text | SkipJsonSchema[None] = None
    """Texts, in place of images."""
    speech: Speech | SkipJsonSchema[None] = None
    """Recordings, in place of images."""
    model: ModelSpec | SkipJsonSchema[None] = None
    """The network of images; text and speech have their own."""
    augmentation: Augmentation = Augmentation()
    """Random changes of training images."""
    training: Training
    export: Export = Export()
    report: Report = Report()

    @property
    def subject(self) -> str:
        """Name of the field that tells what is trained on."""
        return next(name for name in SUBJECTS if getattr(self, name) is not None)

    @property
    def samples(self) -> Data | Text | Speech:
        """What is trained on: the value of that field."""
        found: Data | Text | Speech = getattr(self, self.subject)
        return found

    @property
    def kind(self) -> str:
        """What people call the samples."""
        return {"data": "images", "text": "texts", "speech": "recordings"}[self.subject]

    @property
    def writes(self) -> bool:
        """Whether each sample is answered with a text of its own, not with classes or numbers."""
        return self.text is not None and self.text.writes

    @property
    def output(self) -> Output:
        """Activation of the output layer."""
        return self.model.output if self.model is not None else Output.AUTO

    @property
    def backbone(self) -> PretrainedBackbone | None:
        """The network that is there already, if there is one."""
        return self.model.backbone if self.model is not None else None

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if sum(getattr(self, subject) is not None for subject in SUBJECTS) != 1:
            raise ValueError(_ONE_SUBJECT)
        if (self.data is None) != (self.model is None):
            raise ValueError(_MODEL_OF_IMAGES)
        if self.data is not None:
            return self
        if self.preset is not None or self.augmentation != Augmentation():
            raise ValueError(_ONLY_OF_IMAGES)
        training = self.training
        parts: list[Training | Phase] = [training, *(training.phases or [])]
        if any(part.unfreeze not in (None, "all") for part in parts) or any(
            part.layer_decay not in (None, 1.0) for part in parts
        ):
            raise ValueError(_NOT_FROZEN)
        if training.loss not in (Loss.AUTO, Loss.SPARSE_CATEGORICAL_CROSSENTROPY):
            raise ValueError(_LOSS_OF_CLASSES)
        if {ExportFormat.LITERT, ExportFormat.ONNX} & set(self.export.formats):
            raise ValueError(_OTHER_FORMATS)
        return self

    @model_validator(mode="after")
    def _augmentation_fits(self) -> Self:
        if self.data is None:
            return self
        changes = self.augmentation
        if self.data.channels != 3 and (changes.saturation or changes.hue or changes.grayscale):
            raise ValueError(_COLOUR)
        return self

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        if self.data is None:
            return self
        labels, loss = self.data.labels, self.training.loss
        regression, multi = labels is LabelKind.REGRESSION, labels is LabelKind.MULTI_LABEL
        fitting = {Output.AUTO, Output.SIGMOID} if multi else {Output.AUTO}
        if (regression or multi) and self.output not in fitting:
            raise ValueError(_OUTPUT)
        if loss is not Loss.AUTO and (
            (loss in _NUMBERS) != regression or (multi and loss is not Loss.BINARY_CROSSENTROPY)
        ):
            raise ValueError(_LOSS)
        if regression and self.augmentation.label_smoothing:
            raise ValueError(_SMOOTHING)
        if regression and self._stops_by_accuracy():
            raise ValueError(_ACCURACY)
        return self

    @model_validator(mode="after")
    def _transcripts_fit(self) -> Self:
        if self.speech is None or self.speech.transcription is None:
            return self
        if self.training.loss is not Loss.AUTO or self._stops_by_accuracy():
            raise ValueError(_OF_TRANSCRIPTS)
        return self

    def _stops_by_accuracy(self) -> bool:
        parts: list[Training | Phase] = [self.training, *(self.training.phases or [])]
        stops = [part.early_stopping for part in parts]
        return any(stop is not None and stop.metric is Watched.ACCURACY for stop in stops)


class ImageRecipe(Recipe):
    """A recipe that trains on images, and so has what describes these and their network."""

    data: Data
    model: ModelSpec


class TextRecipe(Recipe):
    """A recipe that trains on texts."""

    text: Text


class SpeechRecipe(Recipe):
    """A recipe that trains on recordings."""

    speech: Speech


Some = TypeVar("Some", bound=Recipe)


def known_as(kind: type[Some], recipe: Recipe) -> Some:
    """The same recipe, known to train on what that kind does."""
    return cast(Some, kind.model_construct(recipe.model_fields_set, **dict(recipe)))
