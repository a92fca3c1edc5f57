"""A list of backbones: those of Keras, and others that this machine has used."""

from __future__ import annotations

import importlib.metadata
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache import file_records
from extract.backbones.catalog import BACKBONES, HUB, is_hub, name_in_recipes
from extract.backbones.keras_weights import KERAS_STORAGE
from extract.backbones.weights import on_disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


TRIED = ("vgg16", "mobilenetv2", "efficientnetv2b0", "convnexttiny")
"""Small, different and accurate: worth a download to find out which suits."""

_LICENCES = {
    "Apache-2": "inceptionresnetv2 inceptionv3 mobilenet mobilenetv2 nasnetlarge nasnetmobile",
    "BSD-3": "densenet121 densenet169 densenet201",
    "CC BY": "vgg16 vgg19",
    "MIT": "resnet50 xception",
}
"""Of the weights, as far as Keras's documentation states them."""
_SOURCES = {"keras": KERAS_STORAGE, "hub": "https://www.kaggle.com"}
_PACKAGES = {"keras": "keras", "hub": "keras-hub", "file": "openvino"}
_PROBE_SECONDS = 3.0


def candidates(cache: Path) -> list[str]:
    """Return the backbones whose weights are on this disk, and those that are worth a download.

    Parameters
    ----------
    cache : Path
        The cache folder, which may contain weights.
    """
    used = [line["name"] for line in _used_networks(cache) if line["weights_on_disk"]]
    presets = dict.fromkeys(
        name for name in used if is_hub(name) and not Path(name.removeprefix(HUB)).is_absolute()
    )
    return [name for name in BACKBONES if name in TRIED or on_disk(name, cache)] + [*presets]


def list_backbones(
    cache: Path, speeds: Sequence[tuple[str, int, str, float]] = ()
) -> list[dict[str, Any]]:
    """Return a description of every backbone of Keras, and of the others that have been used.

    Parameters
    ----------
    cache : Path
        The cache folder, which may contain weights.
    speeds : sequence of (str, int, str, float), default=()
        Backbone, size, precision and images per second that this machine has reached; see
        `extract.engines.speeds`.

    Returns
    -------
    list of dict
        ``name``; ``source``, one of keras, hub and file; ``parameters`` of the base without its
        top; ``size``, the default side of the images; ``native_size``, the size it was trained on;
        ``embedding_shape`` at the native size; ``preprocessing``; ``licence`` of the weights;
        ``weights_on_disk``; ``alpha``, whether it has a width multiplier; and ``speeds``, a list of
        dict with ``size``, ``precision`` and ``images_per_second``. What is not known is None.
    """
    of_each: dict[str, list[dict[str, Any]]] = {}
    for backbone, size, precision, rate in speeds:
        of_each.setdefault(backbone, []).append(
            {"size": size, "precision": precision, "images_per_second": rate}
        )
    of_keras = [
        {
            "name": backbone.name,
            "source": "keras",
            "parameters": backbone.parameters,
            "size": backbone.size,
            "native_size": backbone.native_size,
            "embedding_shape": list(backbone.embedding_shape),
            "preprocessing": backbone.preprocessing,
            "licence": _licence(backbone.family),
            "weights_on_disk": on_disk(backbone.name, cache),
            "alpha": backbone.alpha is not None,
        }
        for backbone in BACKBONES.values()
    ]
    lines: list[dict[str, Any]] = [
        {**line, "speeds": of_each.get(str(line["name"]), [])} for line in of_keras
    ]
    # The latest of each size.
    used = {(line["name"], line["size"]): line for line in _used_networks(cache)}
    for (_, size), line in sorted(used.items()):
        known = of_each.get(name_in_recipes(line["name"]), [])
        lines.append({**line, "speeds": [each for each in known if each["size"] == size]})
    return lines


def _licence(family: str) -> str | None:
    return next((name for name, of in _LICENCES.items() if family in of.split()), None)


def _used_networks(cache: Path) -> Iterator[dict[str, Any]]:
    """Yield what is known of networks in files and of KerasHub that were checked."""
    for source in ("hub", "file"):
        for path in sorted((cache / "weights").glob(f"{source}-*.json"), key=_age):
            kept = file_records.read_record(path) or {}
            found = json.loads(kept.get("found", "{}"))
            if "source" not in kept or "shape" not in found:
                continue
            location = found.get("folder") or kept["source"]
            yield {
                "name": kept["source"],
                "source": source,
                "parameters": found["parameters"],
                "size": found["size"],
                "native_size": found["size"],
                "embedding_shape": _embedding_shape(found),
                "preprocessing": found.get("preprocessing"),
                "licence": None,
                "weights_on_disk": Path(location).exists(),
                "alpha": False,
            }


def _age(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # another process has deleted it
        return 0


def _embedding_shape(found: dict[str, Any]) -> list[int]:
    """Return the shape of an embedding, pooled as it is by default."""
    shape: list[int] = found["shape"][1:]
    if len(shape) == 3:
        return shape[:1] if found.get("channels_first") else shape[2:]
    return shape[1:] if found.get("pooling") in ("cls", "avg") else shape


def list_sources() -> dict[str, dict[str, Any]]:
    """Return what of each source of networks is installed and can be reached.

    Returns
    -------
    dict of str to dict
        For keras, hub and file: ``package``; ``version``, None if it is not installed; and
        ``reachable``, whether the address that weights come from answers, None for files.
    """
    with ThreadPoolExecutor() as threads:
        reachable = dict(zip(_SOURCES, threads.map(_answers, _SOURCES.values()), strict=True))
    return {
        source: {
            "package": package,
            "version": _version(package),
            "reachable": reachable.get(source),
        }
        for source, package in _PACKAGES.items()
    }


def _answers(address: str) -> bool:
    import requests

    try:
        requests.head(address, timeout=_PROBE_SECONDS)
    except requests.exceptions.SSLError:
        return True  # other programs may have its certificates
    except requests.RequestException:
        return False
    return True


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def backbone_table(
    backbones: Sequence[dict[str, Any]], sources: dict[str, dict[str, Any]]
) -> list[str]:
    """Return the results of `list_backbones` and `list_sources` as lines of text."""
    of = {source: [line for line in backbones if line["source"] == source] for source in _PACKAGES}
    wide = ", ".join(line["name"] for line in of["keras"] if line["alpha"])
    return [
        f"keras.applications ({_state(sources['keras'])})",
        "",
        *_table(of["keras"]),
        "Sizes are in pixels: what a network was trained on, and the default. Only vgg16 has",
        "another default, 150, with an embedding of 4x4x512. Licences are those of the weights, as",
        "far as Keras's documentation states them. The speed is that of the last extraction on",
        "this machine, with the fastest precision and size. Weights that are not on disk are",
        "downloaded when they are first needed. With a width multiplier, as in",
        f"mobilenet:alpha=0.25: {wide}.",
        "",
        f"KerasHub: --backbone hub:NAME or hub:FOLDER ({_state(sources['hub'])})",
        "",
        *_table(of["hub"]),
        "As hub:dinov2_small, hub:siglip_base_patch16_224, hub:clip_vit_base_patch16; all names",
        "are at https://keras.io/keras_hub/presets, licences at kaggle.com/models/keras.",
        "",
        f"Files: --backbone FILE.onnx or FILE.xml ({_state(sources['file'])})",
        "",
        *_table(of["file"]),
        "docs/backbones.md says how to export networks of timm, torchvision and Hugging Face.",
    ]


def _state(source: dict[str, Any]) -> str:
    extra = {"keras-hub": "hub", "openvino": "fast"}.get(source["package"])
    if source["version"] is None:
        return f"{source['package']} is not installed: pip install '.[{extra}]'"
    state = f"{source['package']} {source['version']}"
    if source["reachable"] is None:
        return state
    return f"{state}; downloads: {'' if source['reachable'] else 'not '}reachable"


def _table(backbones: Sequence[dict[str, Any]]) -> list[str]:
    if not backbones:
        return []
    width = max(18, *(len(line["name"]) + 1 for line in backbones))
    head = f"{'name':<{width}}{'parameters':>11}  {'size':>4}  {'embedding':<9}  "
    lines = [head + "licence   on disk  images/s"]
    lines += [
        f"{line['name']:<{width}}{line['parameters']:>11,}  {line['native_size']:>4}  "
        f"{'x'.join(map(str, line['embedding_shape'])):<9}  {line['licence'] or '-':<8}  "
        f"{'yes' if line['weights_on_disk'] else 'no':<7}  {_fastest(line['speeds'])}".rstrip()
        for line in backbones
    ]
    return [*lines, ""]


def _fastest(speeds: Sequence[dict[str, Any]]) -> str:
    if not speeds:
        return ""
    best = max(speeds, key=lambda speed: float(speed["images_per_second"]))
    return f"{best['images_per_second']:.3g} ({best['precision']}, {best['size']})"
