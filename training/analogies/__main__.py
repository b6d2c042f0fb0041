"""Word vectors and analogies: `python -m training.analogies train|evaluate|sizes|study`.

`train` reads Wikipedia and the film reviews, learns CBOW vectors with gensim, stores the most
frequent words with four bits for each number, and writes `models/analogies`. `evaluate` scores the
bundle or a file of vectors on Google's questions and WordSim-353; the page shows these scores after
`evaluate --save`. `sizes` learns the smaller vectors of the page's slider from less text. `study`
compares architectures, windows, dimensions and phrases for the card.
"""

from training.analogies.evaluate import evaluate
from training.analogies.study import sizes, study
from training.analogies.train import train
from training.command import make_app, run

app = make_app(__doc__, train, evaluate, sizes, study)

if __name__ == "__main__":
    run(app)
