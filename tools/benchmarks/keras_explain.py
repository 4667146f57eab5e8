"""What `npcam explain` is timed against: one photograph's class activation map in Keras, as tutorials do it.

python tools/benchmarks/keras_explain.py WEIGHTS.weights.h5 CLASSES PHOTO OVERLAY.png
"""

import sys

import keras
import numpy as np
import scipy.ndimage
from PIL import Image


def main() -> None:
    """Load, predict, weight the maps, draw."""
    weights, classes, photo, overlay = sys.argv[1:]
    model = keras.applications.ResNet50(weights=None, classes=int(classes))
    model.load_weights(weights)
    both = keras.Model(model.inputs, [model.get_layer("conv5_block3_out").output, model.output])
    image = keras.utils.load_img(photo, target_size=(224, 224))
    pixels = keras.utils.img_to_array(image)
    x = keras.applications.resnet.preprocess_input(pixels[None].copy())
    maps, probabilities = both.predict(x, verbose=0)
    kernel = np.asarray(model.get_layer("predictions").kernel)
    cam = maps[0] @ kernel[:, probabilities[0].argmax()]
    heat = scipy.ndimage.zoom(cam, 224 / cam.shape[0], order=1)
    heat = np.clip(heat / max(heat.max(), 1e-9), 0, 1)
    drawn = 0.5 * pixels + 0.5 * 255 * np.stack([heat, 0 * heat, 1 - heat], -1)
    Image.fromarray(drawn.astype(np.uint8)).save(overlay)


if __name__ == "__main__":
    main()
