"""Run an exported model in another version of TensorFlow; only `write` needs voxres installed.

    python other_tensorflow.py write    MODEL ANSWERS.npz SUBJECT
    python other_tensorflow.py ask      MODEL ANSWERS.npz
    python other_tensorflow.py finetune MODEL ANSWERS.npz    with tensorflow-addons

MODEL is the folder <name>/<version>/ of `voxres export`, SUBJECT that of a labelled subject.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf


def answers(model, tile, images):
    """What the signatures return for the channels of a tile and for a whole subject."""
    ask, images = model.signatures, tf.constant(images)
    return {
        "tile": ask["serving_default"](image=tf.constant(tile))["probabilities"].numpy(),
        "volume": ask["segment_volume_probabilities"](images=images)["probabilities"].numpy(),
        "labels": ask["segment_volume"](images=images)["labels"].numpy(),
    }


def write(path, file, folder):
    """Save a subject, the tile in its middle and this TensorFlow's answers for both."""
    from voxres_tf.contract import read_contract
    from voxres_tf.dataset.layouts import subject_from_folder
    from voxres_tf.dataset.subject import read_subject
    from voxres_tf.preprocess.channels import prepare, stack_modalities

    contract = read_contract(Path(path))
    config = contract.preprocess
    subject = read_subject(subject_from_folder(Path(folder)), config.modalities, with_labels=True)
    prepared, images = prepare(subject, config), stack_modalities(subject, config).image
    shape = prepared.classes.shape
    tile_shape = np.minimum(shape, contract.patch) // 8 * 8
    starts = (shape - tile_shape) // 2
    middle = tuple(slice(a, a + n) for a, n in zip(starts, tile_shape, strict=True))
    tile, classes = prepared.image[middle][None], prepared.classes[middle][None]
    answered = answers(tf.saved_model.load(path), tile, images)
    np.savez_compressed(file, in_tile=tile, in_images=images, classes=classes, **answered)


def ask(path, file):
    """Compare this TensorFlow's answers with the saved ones."""
    kept = np.load(file)
    now = answers(tf.saved_model.load(path), kept["in_tile"], kept["in_images"])
    print(f"TensorFlow {tf.__version__}: {(now['labels'] != kept['labels']).sum()} of", end=" ")
    print(f"{now['labels'].size} labels differ; largest difference of probabilities:", end=" ")
    print(*(f"{name} {np.abs(now[name] - kept[name]).max():.1e}" for name in ("tile", "volume")))


def finetune(path, file):
    """Train the model's own weights through its signature; running statistics stay unchanged."""
    import tensorflow_addons as tfa

    kept = np.load(file)
    model = tf.saved_model.load(path)
    network = model.signatures["serving_default"]
    weights = network.trainable_variables
    optimizer = tfa.optimizers.AdamW(weight_decay=1e-5, learning_rate=1e-3)
    for step in range(21):
        with tf.GradientTape() as tape:
            shares = network(image=tf.constant(kept["in_tile"]))["probabilities"]
            losses = tf.keras.losses.sparse_categorical_crossentropy(kept["classes"], shares)
            loss = tf.reduce_mean(losses)
        print(f"step {step}: loss {loss:.4f}")
        gradients = tape.gradient(loss, weights)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))


if __name__ == "__main__":
    {"write": write, "ask": ask, "finetune": finetune}[sys.argv[1]](*sys.argv[2:])
