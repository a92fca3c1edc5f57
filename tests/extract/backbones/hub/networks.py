"""Presets of KerasHub with small networks of random weights, as `save_to_preset` writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.libraries import import_keras_hub

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIDE = 28
MEAN, DEVIATION = (0.5, 0.25, 0.125), (0.5, 0.5, 0.25)
_TRANSFORMER = {"num_layers": 2, "num_heads": 2, "intermediate_dim": 16}
_SHAPE = (SIDE, SIDE, 3)


def _dinov2(models: Any) -> Any:
    return models.DINOV2Backbone(
        **_TRANSFORMER,
        patch_size=7,
        hidden_dim=8,
        num_register_tokens=4,
        image_shape=_SHAPE,
        position_embedding_shape=(SIDE, SIDE, 3),
    )


def _dinov3(models: Any) -> Any:
    return models.DINOV3Backbone(**_TRANSFORMER, patch_size=7, hidden_dim=8, image_shape=_SHAPE)


def _vit(models: Any) -> Any:
    return models.ViTBackbone(
        image_shape=_SHAPE, patch_size=7, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16
    )


def _swin(models: Any) -> Any:
    return models.SwinTransformerBackbone(
        image_shape=(32, 32, 3), embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4
    )


def _of_images_and_text(models: Any, family: str) -> Any:
    vision = getattr(models, f"{family}VisionEncoder")(
        **_TRANSFORMER, patch_size=7, hidden_dim=8, image_shape=_SHAPE
    )
    text = getattr(models, f"{family}TextEncoder")(
        **_TRANSFORMER, vocabulary_size=10, embedding_dim=8, hidden_dim=8
    )
    projection = {"projection_dim": 4} if family == "CLIP" else {}
    return getattr(models, f"{family}Backbone")(vision, text, **projection)


def _resnet(models: Any) -> Any:
    return models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )


def _mobilenetv5(models: Any) -> Any:
    per_block: dict[str, tuple[Any, Any]] = {
        "num_filters": (24, 48),
        "strides": (2, 2),
        "act_layers": ("relu", "relu"),
        "exp_ratios": (4.0, 6.0),
        "se_ratios": (0.0, 0.0),
        "dw_kernel_sizes": (0, 5),
        "dw_start_kernel_sizes": (0, 0),
        "dw_end_kernel_sizes": (0, 0),
        "exp_kernel_sizes": (3, 0),
        "pw_kernel_sizes": (1, 0),
        "num_heads": (0, 0),
        "key_dims": (0, 0),
        "value_dims": (0, 0),
        "kv_strides": (0, 0),
        "use_cpe": (False, False),
    }
    return models.MobileNetV5Backbone(
        stackwise_block_types=[["er"], ["uir"]],
        stackwise_num_blocks=[1, 1],
        use_msfa=False,
        **{f"stackwise_{name}": [[first], [second]] for name, (first, second) in per_block.items()},
    )


FAMILIES: dict[str, Callable[[Any], Any]] = {
    "DINOV2": _dinov2,
    "DINOV3": _dinov3,
    "ViT": _vit,
    "SwinTransformer": _swin,
    "CLIP": lambda models: _of_images_and_text(models, "CLIP"),
    "SigLIP": lambda models: _of_images_and_text(models, "SigLIP"),
    "ResNet": _resnet,
    "MobileNetV5": _mobilenetv5,
}


def save(folder: Path, family: str = "DINOV2", *, side: int | None = SIDE) -> Path:
    """Write a preset; without a side, nothing says how images are prepared."""
    hub = import_keras_hub()
    FAMILIES[family](hub.models).save_to_preset(str(folder))
    if side is not None:
        converter = getattr(hub.layers, f"{family}ImageConverter")(
            image_size=(side, side),
            scale=[1 / 255 / deviation for deviation in DEVIATION],
            offset=[-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)],
        )
        converter.save_to_preset(str(folder))
    return folder
