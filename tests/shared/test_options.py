import keras
import pytest

from shared.options import OptionsMixin


@keras.saving.register_keras_serializable("tests")
class Scaled(OptionsMixin, keras.Model):
    def __init__(self, units, scale=2.0, **kwargs):
        super().__init__(**kwargs)
        self.head = keras.layers.Dense(units, name="head")

    def call(self, inputs):
        return self.head(inputs) * self.options["scale"]


def test_options_are_the_constructors_arguments_with_their_defaults():
    assert Scaled(3, name="mine").options == {"units": 3, "scale": 2.0}
    assert Scaled(scale=1.0, units=4).options == {"units": 4, "scale": 1.0}
    assert Scaled(3, 5.0).options["scale"] == 5.0


def test_a_network_is_made_again_from_its_config():
    network = Scaled(3, scale=0.5, name="mine")
    again = Scaled.from_config(network.get_config())
    assert (again.options, again.name) == (network.options, "mine")
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
    assert restored.options == network.options


def test_a_missing_argument_is_named():
    with pytest.raises(TypeError, match="units"):
        Scaled()
