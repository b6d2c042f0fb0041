"""Captions for photographs: `python -m training.captioning train|evaluate|encoder`.

`train` fits the decoder on the features of a frozen image encoder, then both with a small learning
rate, then the decoder on the scores of captions that it samples (self-critical training, Rennie et
al. 2017). Scores are measured on the validation photographs and written into `models/captioning`
with the fine-tuned encoder. `evaluate` scores the bundle on the test photographs of Flickr8k or on
your own; `evaluate --save` writes these scores into the card. `encoder` fine-tunes an encoder on
the words of captions of Flickr8k and COCO.
"""

from training.captioning.encoder import encoder
from training.captioning.evaluate import evaluate
from training.captioning.train import train
from training.command import make_app, run

app = make_app(__doc__, train, evaluate, encoder)

if __name__ == "__main__":
    run(app)
