"""All base models by name, in the order reports show them. A new one is added here."""

from pipeline.models.base import Learner, autoencoder, isolation_forest, novelty
from pipeline.models.nn import next_event, supervised, vae
from pipeline.models.nn.encoders import Shape
from pipeline.models.nn.pretrained import Pretrained
from pipeline.models.nn.supervised import Supervised, SupervisedPlan

# Part of every bundle, which writes all its columns. So no pack names it.
AUTOENCODER = Learner(
    "lstm_autoencoder",
    "unsupervised",
    "surprise of an LSTM that redraws the window from a small code",
    autoencoder.fit,
    autoencoder.load,
)


def _supervised(shape: Shape, about: str, plan: SupervisedPlan) -> Learner:
    return Learner(shape.encoder, "supervised", about, Supervised(shape, plan).fit, supervised.load)


USUAL, CAREFUL = SupervisedPlan(), SupervisedPlan(learning_rate=2e-3)  # transformers need smaller steps

BASE_MODELS: dict[str, Learner] = {
    learner.name: learner
    for learner in (
        Learner(
            "novelty",
            "unsupervised",
            "how much is new about the account that day: the baseline, without learning",
            novelty.fit,
            novelty.load,
        ),
        Learner(
            "isolation_forest",
            "unsupervised",
            "features that a few random cuts set apart from all others",
            isolation_forest.fit,
            isolation_forest.load,
        ),
        AUTOENCODER,
        Learner(
            "vae",
            "unsupervised",
            "surprise of a variational autoencoder, its code's price in nats included",
            vae.fit,
            vae.load,
        ),
        Learner(
            "next_event",
            "unsupervised",
            "surprise of an LSTM that expects each next event",
            next_event.fit,
            next_event.load,
        ),
        _supervised(Shape(encoder="lstm"), "an LSTM over the window's events, trained on labels", USUAL),
        _supervised(Shape(encoder="gru"), "a GRU over the window's events, trained on labels", USUAL),
        _supervised(Shape(encoder="rnn"), "a plain tanh RNN, trained on labels: for comparison, it forgets", USUAL),
        _supervised(
            Shape(encoder="cnn", layers=4), "1-D convolutions over neighbouring events, trained on labels", USUAL
        ),
        _supervised(
            Shape(encoder="transformer", layers=2),
            "a small transformer encoder over the window's events, trained on labels",
            CAREFUL,
        ),
        Learner(
            "pretrained",
            "supervised",
            "a transformer that first learns to redraw masked events, then labels",
            Pretrained(Shape(encoder="transformer", layers=2), CAREFUL).fit,
            supervised.load,
        ),
    )
}
