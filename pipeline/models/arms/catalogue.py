"""All arms by name, in the order reports show them."""

from pipeline.models.arms import Arm
from pipeline.models.arms.supervised import SupervisedPlan, supervised_arm

_ALL = (
    supervised_arm("lstm", "an LSTM reads the window's events, trained on labels"),
    supervised_arm("gru", "a GRU reads the window's events, trained on labels"),
    supervised_arm("rnn", "a plain tanh RNN, for comparison: it forgets"),
    supervised_arm("cnn", "1-D convolutions over neighbouring events, trained on labels", layers=4),
    supervised_arm(
        "transformer",
        "a small transformer encoder over the window's events, trained on labels",
        SupervisedPlan(learning_rate=2e-3),
        layers=2,
    ),
)

ARMS: dict[str, Arm] = {arm.name: arm for arm in _ALL}
