"""A PyDataset comes in an order of each pass that can be taken up anywhere."""

import numpy as np
from keras.utils import PyDataset

from kubefit_trainer.keras_multiworker.ordered import OrderedDataset


class Numbers(PyDataset):
    def __init__(self) -> None:
        super().__init__()
        self.numbers = np.arange(10)
        self.begun = 0

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> int:
        return int(self.numbers[index])

    def on_epoch_begin(self) -> None:
        self.begun += 1

    def on_epoch_end(self) -> None:
        self.numbers = np.roll(self.numbers, 1)


def one_pass(data: OrderedDataset) -> list[int]:
    data.on_epoch_begin()
    drawn = [data[index] for index in range(data.num_batches)]
    data.on_epoch_end()
    return drawn


def test_without_a_seed_it_is_the_datasets_own_order() -> None:
    assert one_pass(OrderedDataset(Numbers(), None)) == list(range(10))


def test_every_pass_has_an_order_of_its_own_with_every_batch_once() -> None:
    data = OrderedDataset(Numbers(), 5)
    first = one_pass(data)
    data.next_pass()
    second = one_pass(data)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(10))


def test_it_goes_on_within_a_pass_as_if_all_before_had_been_drawn() -> None:
    whole, resumed = OrderedDataset(Numbers(), 5), OrderedDataset(Numbers(), 5)
    passes = []
    for _ in range(3):
        passes.append(one_pass(whole))
        whole.next_pass()
    resumed.seek(1, 4)
    assert one_pass(resumed) == passes[1][4:]
    resumed.next_pass()
    assert one_pass(resumed) == passes[2]
