"""Recordings: read, brought to one rate and length, or refused; stripes of their spectrograms."""

from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kubefit.api.recipe import Recipe, SpecAugment, Speech, resolve
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.recipe import inputs
from kubefit_trainer.recipe.readable import Group
from kubefit_trainer.recipe.speech import recordings, spectrogram

RATE = 8000
LONG = 60.0


def tone(seconds: float, rate: int = RATE, height: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * height * np.arange(round(seconds * rate)) / rate)


def recipe(**speech: object) -> Recipe:
    given = {"train": {"folder": "set"}, "sampleRate": RATE, "seconds": 0.2, "mels": 8, **speech}
    given.setdefault("network", {"filters": [4]})
    return resolve(Recipe.model_validate({"speech": given, "training": {"epochs": 1}}))


def write(volume: Path, name: str, wave: np.ndarray, rate: int = RATE) -> Path:
    path = volume / "set" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate)
    return path


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_tone_keeps_its_height_at_another_rate(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, f"a/1.{suffix}", tone(0.5, 22050), 22050)
    wave = recordings.read(path, RATE, seconds=LONG)
    assert abs(len(wave) - 0.5 * RATE) <= 1
    spectrum = np.abs(np.fft.rfft(wave))
    assert np.argmax(spectrum) * RATE / len(wave) == pytest.approx(440, abs=3)


def test_channels_are_mixed_into_their_mean(tmp_path: Path) -> None:
    left = tone(0.1)
    path = write(tmp_path, "a/1.wav", np.stack([left, np.zeros_like(left)], axis=1))
    np.testing.assert_allclose(recordings.read(path, RATE, seconds=LONG), left / 2, atol=1e-4)


def test_recordings_are_cut_or_followed_by_silence(tmp_path: Path) -> None:
    write(tmp_path, "a/long.wav", tone(0.3))
    write(tmp_path, "b/short.wav", tone(0.1))
    found = inputs.open_inputs(recipe(), tmp_path).train.source
    long, short = found.wave(0), found.wave(1)
    assert long.shape == short.shape == (1600,)
    np.testing.assert_allclose(long, tone(0.2), atol=1e-4)
    np.testing.assert_allclose(short[:800], tone(0.1), atol=1e-4)
    assert not short[800:].any()


def test_a_long_recording_is_heard_as_if_it_ended_there(tmp_path: Path) -> None:
    path = write(tmp_path, "a/1.flac", tone(5, 44100), 44100)
    whole, beginning = (
        recordings.read(path, RATE, seconds=LONG),
        recordings.read(path, RATE, seconds=0.5),
    )
    assert len(beginning) < len(whole)
    np.testing.assert_allclose(beginning[: RATE // 2], whole[: RATE // 2], atol=1e-4)


def test_a_chunk_that_speaks_of_data_is_not_taken_for_them(tmp_path: Path) -> None:
    path = write(tmp_path, "a/1.wav", tone(0.2))
    content = path.read_bytes()
    note = b"note" + (12).to_bytes(4, "little") + b"data\xff\xff\xff\x0fmore"
    path.write_bytes(content[:12] + note + content[12:])
    assert len(recordings.read(path, RATE, seconds=LONG)) == 0.2 * RATE


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_what_is_missing_behind_what_is_heard_is_not_missed(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * RATE)
    path = write(tmp_path, f"a/1.{suffix}", noise)
    whole = recordings.read(path, RATE, seconds=1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    np.testing.assert_array_equal(recordings.read(path, RATE, seconds=1), whole)
    with pytest.raises((ValueError, soundfile.LibsndfileError)):
        recordings.read(path, RATE, seconds=3)


@pytest.mark.parametrize("length", [0x7FFFF000, 0x80000000, 0xFFFFFFFF])
def test_a_wav_file_of_unknown_length_is_heard_to_its_end(tmp_path: Path, length: int) -> None:
    path = write(tmp_path, "a/1.wav", tone(0.2))
    content = path.read_bytes()
    place = content.index(b"data") + 4
    path.write_bytes(content[:place] + length.to_bytes(4, "little") + content[place + 4 :])
    np.testing.assert_allclose(recordings.read(path, RATE, seconds=1), tone(0.2), atol=1e-4)


def broken(volume: Path) -> dict[str, str]:
    """Recordings of no use, by name, and what is said of them."""
    write(volume, "a/short.wav", tone(0.01))
    write(volume, "a/silent.wav", np.zeros(RATE))
    (volume / "set/a/empty.wav").touch()
    (volume / "set/a/text.wav").write_text("no sound, but long enough for a header of some kind")
    for name in ("cut.wav", "cut.flac"):
        path = write(volume, f"a/{name}", np.random.default_rng(0).normal(0, 0.1, RATE // 4))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return {
        "short.wav": "it lasts 10 ms, too short to hear anything; at least 25 ms are needed",
        "silent.wav": "it is silent",
        "empty.wav": "the file is empty",
        "text.wav": "Format not recognised",
        "cut.wav": "it is cut short: its end is not there",
        "cut.flac": "",
    }


def test_recordings_of_no_use_are_left_out_and_named_by_all_workers(tmp_path: Path) -> None:
    expected = broken(tmp_path)
    for name in ("a/1.wav", "a/2.wav", "b/3.wav", "b/4.wav"):
        write(tmp_path, name, tone(0.2))
    found = inputs.open_inputs(recipe(onUnreadable="skip"), tmp_path)
    skipped = {Path(name).name: why for name, why in found.skipped.items()}
    assert skipped.keys() == expected.keys()
    for name, words in expected.items():
        assert words in skipped[name]
    assert found.train.source.labels.tolist() == [0, 0, 1, 1]
    assert [Path(found.train.source.name(i)).name for i in range(4)] == [
        *("1.wav", "2.wav", "3.wav", "4.wav")
    ]


def test_a_recording_of_no_use_is_refused_before_training(tmp_path: Path) -> None:
    path = write(tmp_path, "a/1.wav", np.zeros(RATE))
    write(tmp_path, "b/2.wav", tone(0.2))
    with pytest.raises(ConfigurationError) as told:
        inputs.open_inputs(recipe(), tmp_path, Group())
    assert str(told.value) == (
        f"spec.recipe.speech.train.folder: recording {path} cannot be read (it is silent); replace"
        " it or take it out"
    )


def test_a_manifest_lists_recordings(tmp_path: Path) -> None:
    write(tmp_path, "1.wav", tone(0.2))
    write(tmp_path, "2.wav", tone(0.2))
    (tmp_path / "set" / "list.csv").write_text("path,label\n2.wav,no\n1.wav,yes\n")
    found = inputs.open_inputs(recipe(train={"manifest": "set/list.csv"}), tmp_path)
    assert found.train.source.classes == ["no", "yes"]
    assert found.train.source.name(0).endswith("2.wav")


def test_a_spectrogram_does_not_depend_on_the_others_of_its_batch() -> None:
    speech = Speech.model_validate({"train": {"folder": "set"}, "sampleRate": RATE})
    layer = spectrogram.layer(speech)
    quiet, loud = (np.float32(part * tone(1.0)) for part in (0.001, 1.0))
    alone = np.asarray(layer(quiet[None]))[0]
    together = np.asarray(layer(np.stack([quiet, loud])))[0]
    assert alone.shape == (40, speech.columns)
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@given(rate=st.integers(1000, 48000), seconds=st.floats(0.1, 10), filters=st.integers(1, 3))
@example(rate=11025, seconds=4.35, filters=1)
@example(rate=16000, seconds=1.0, filters=3)
@settings(deadline=None, max_examples=200)
def test_keras_and_the_recipe_count_the_same_columns(
    rate: int, seconds: float, filters: int
) -> None:
    asked = {"sampleRate": rate, "seconds": seconds, "network": {"filters": [4] * filters}}
    speech = Speech.model_validate({"train": {"folder": "set"}, **asked})
    layer = spectrogram.layer(speech)
    assert layer.compute_output_shape((1, speech.length)) == [1, speech.mels, speech.columns]
    assert abs(speech.length / rate - seconds) <= 0.006


@pytest.mark.parametrize(("rate", "seconds"), [(11025, 4.35), (22050, 0.25), (1049, 0.1)])
def test_a_spectrogram_has_the_columns_that_are_counted(rate: int, seconds: float) -> None:
    asked = {"sampleRate": rate, "seconds": seconds, "network": {"filters": [4]}, "mels": 8}
    speech = Speech.model_validate({"train": {"folder": "set"}, **asked})
    waves = keras.Input((speech.length,))
    assert spectrogram.layer(speech)(waves).shape == (None, 8, speech.columns)
    heard = spectrogram.layer(speech)(np.float32(tone(1.0, speech.length))[None])
    assert heard.shape == (1, 8, speech.columns)


def stripes(samples: list[int], epoch: int) -> np.ndarray:
    given = np.random.default_rng(0).normal(size=(9, 20, 30)).astype(np.float32)[samples]
    spec = SpecAugment(time_masks=2, time_share=0.3, frequency_masks=1, frequency_share=0.3)
    return spectrogram.striped(given, spec, np.array(samples), seed=5, epoch=epoch) - given


def test_stripes_are_a_function_of_seed_epoch_and_sample() -> None:
    whole = stripes(list(range(9)), epoch=3)
    np.testing.assert_array_equal(stripes([7, 2], epoch=3), whole[[7, 2]])
    assert not np.array_equal(stripes(list(range(9)), epoch=4), whole)


def test_stripes_hide_whole_rows_and_columns_of_bounded_width() -> None:
    for changed in (change != 0 for change in stripes(list(range(9)), epoch=0)):
        columns, rows = changed.all(axis=0), changed.all(axis=1)
        assert columns.sum() <= 2 * 9
        assert rows.sum() <= 6
        np.testing.assert_array_equal(changed, columns[None, :] | rows[:, None])
    assert any((change != 0).any() for change in stripes(list(range(9)), epoch=0))
