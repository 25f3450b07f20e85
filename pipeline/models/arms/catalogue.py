"""All arms by name, in the order reports show them."""

from pipeline.models.arms import Arm
from pipeline.models.arms.isolation_forest import ISOLATION_FOREST
from pipeline.models.arms.lstm_autoencoder import LSTM_AUTOENCODER
from pipeline.models.arms.next_event import NEXT_EVENT
from pipeline.models.arms.novelty import NOVELTY
from pipeline.models.arms.pretrained import pretrained_arm
from pipeline.models.arms.supervised import SupervisedPlan, supervised_arm
from pipeline.models.arms.vae import VAE

_ALL = (
    NOVELTY,
    ISOLATION_FOREST,
    LSTM_AUTOENCODER,
    VAE,
    NEXT_EVENT,
    supervised_arm("lstm", "an LSTM over the window's events, trained on labels"),
    supervised_arm("gru", "a GRU over the window's events, trained on labels"),
    supervised_arm("rnn", "a plain tanh RNN, trained on labels: for comparison, it forgets"),
    supervised_arm("cnn", "1-D convolutions over neighbouring events, trained on labels", layers=4),
    supervised_arm(
        "transformer",
        "a small transformer encoder over the window's events, trained on labels",
        SupervisedPlan(learning_rate=2e-3),
        layers=2,
    ),
    pretrained_arm(),
)

ARMS: dict[str, Arm] = {arm.name: arm for arm in _ALL}
