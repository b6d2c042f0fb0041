"""Word vectors and analogies: `python -m training.analogies train|evaluate|sizes|study`.

`train` reads Wikipedia and the film reviews, learns CBOW vectors with gensim, packs the most
frequent words at four bits a number, scores them on Google's questions and WordSim-353 as they are
stored, and writes `models/analogies`. `evaluate` scores the shipped bundle, or a file of vectors.
`sizes` learns the smaller vectors of the page's slider again, from less text. `study` compares
architectures, windows, dimensions and phrases for the card.
"""

from training.analogies.train import app
from training.command import run

if __name__ == "__main__":
    run(app)
