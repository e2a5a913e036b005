"""Lets torchvision's wheel from the index be imported beside a torch for the CPU alone.

Its compiled operators need the other torch. Models here use what it has in Python, whose import only asks
that the operators be declared, and its decoder, in whose place Pillow's stands. Installed as
``sitecustomize`` into environments that need it.
"""

import importlib.abc
import importlib.machinery
import io
import sys

BOXES = "(Tensor a, Tensor b, float c, int d, int e"
SCHEMAS = [
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    f"roi_align{BOXES}, int f, bool g) -> Tensor",
    f"qroi_align{BOXES}, int f, bool g) -> Tensor",
    f"roi_pool{BOXES}) -> (Tensor, Tensor)",
    f"ps_roi_align{BOXES}, int f) -> (Tensor, Tensor)",
    f"ps_roi_pool{BOXES}) -> (Tensor, Tensor)",
    "deform_conv2d(Tensor a, Tensor b, Tensor c, Tensor d, Tensor e, int f, int g, int h, int i, int j, int k, "
    "int l, int m, bool n) -> Tensor",
    f"_roi_align_backward{BOXES}, int f, int g, int h, int i, int j, bool k) -> Tensor",
    "_roi_pool_backward(Tensor a, Tensor b, Tensor c, float d, int e, int f, int g, int h, int i, int j) -> Tensor",
    "_ps_roi_align_backward(Tensor a, Tensor b, Tensor c, float d, int e, int f, int g, int h, int i, int j, "
    "int k) -> Tensor",
    "_ps_roi_pool_backward(Tensor a, Tensor b, Tensor c, float d, int e, int f, int g, int h, int i, int j) "
    "-> Tensor",
    "_deform_conv2d_backward(Tensor a, Tensor b, Tensor c, Tensor d, Tensor e, Tensor f, int g, int h, int i, "
    "int j, int k, int l, int m, int n, bool o) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
]


MODES = {0: None, 1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def decode(data, mode, apply_exif_orientation=False):
    """An encoded picture as bytes [channels, height, width], by Pillow."""
    import numpy as np
    import torch
    from PIL import Image, ImageOps

    picture = Image.open(io.BytesIO(data.numpy().tobytes()))
    if apply_exif_orientation:
        picture = ImageOps.exif_transpose(picture)
    pixels = np.array(picture.convert(MODES[mode]) if MODES[mode] else picture)
    return torch.from_numpy(np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1)))


class Declares(importlib.abc.MetaPathFinder):
    """Acts when torchvision is imported, and where it looks whether it can decode pictures."""

    kept = ()

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision" and not self.kept:
            self.declare()
        if name != "torchvision.io.image":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        execute = spec.loader.exec_module

        def and_tell(module):
            execute(module)
            module._has_image_ops = lambda: True

        spec.loader.exec_module = and_tell
        return spec

    def declare(self):
        import torch

        self.kept = torch.library.Library("torchvision", "DEF"), torch.library.Library("image", "DEF")
        operators, image = self.kept
        for schema in SCHEMAS:
            operators.define(schema)
        image.define("decode_image(Tensor data, int mode, bool apply_exif_orientation=False) -> Tensor")
        image.impl("decode_image", decode, "CPU")


sys.meta_path.insert(0, Declares())
