"""Lets torchvision's wheel from the index be imported beside a torch for the CPU alone.

Its compiled operators need the other torch. Models here use what it has in Python, whose import only asks
that the operators be declared. Installed as ``sitecustomize`` into environments that need it.
"""

import importlib.abc
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


class _Declares(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            self.declare()

    def declare(self):
        import torch

        self.kept = torch.library.Library("torchvision", "DEF")
        for schema in SCHEMAS:
            self.kept.define(schema)


FINDER = _Declares()
sys.meta_path.insert(0, FINDER)
