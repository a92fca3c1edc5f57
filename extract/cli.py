"""`python -m extract`: reads the arguments, extracts, and prints a summary."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from extract.arguments import add_arguments, options_from
from extract.errors import DataError
from toolkit.console import argument_parser, run, use_option, with_option
from toolkit.phases import IMPORTS, phase, spent
from toolkit.progress import ConsoleProgress
from toolkit.wording import plural, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from extract.datasets.grouping.signs import GroupSign
    from extract.embedding_files.rows import Predictor
    from extract.options import Options
    from extract.prepare import Prepared
    from toolkit.progress import Progress

DESCRIPTION = (
    "Run a frozen convolutional base once over a folder of labelled images and cache the "
    "embeddings. Without arguments: the images in data/, else the dogs-vs-cats photographs."
)
_REASONS_SHOWN = 5


def main(argv: Sequence[str] | None = None, *, started: float | None = None) -> int:
    """Run ``python -m extract``, which has `started` when its process did; return its status."""
    parser = argument_parser("python -m extract", DESCRIPTION)
    add_arguments(parser)
    parser.add_argument(
        "--list-backbones",
        action="store_true",
        help="list every backbone with its size, embedding and weights, and exit",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say how the data are understood (layout, classes, what is passed over, formats, "
        "sizes), compute nothing, and exit",
    )
    _add_export(parser)
    args = parser.parse_args(argv)
    if args.list_backbones:
        return run(_list_backbones, args)
    return run(_look_over if args.dry_run else _extract, args, started)


def _add_export(parser: argparse.ArgumentParser) -> None:
    """Add the options of a file of embeddings."""
    export = parser.add_argument_group("file of embeddings")
    export.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="also write path, label, split, group and embedding of every image to a .parquet, "
        ".npz or .csv file, for other programs",
    )
    export.add_argument(
        "--run",
        type=Path,
        metavar="RUN",
        help="also write the class and the probabilities that a model of this run predicts",
    )
    export.add_argument(
        "--clf",
        metavar="NAME",
        help="which classifier of the run (default: the best one in cross-validation)",
    )
    export.add_argument("--force", action="store_true", help="replace a file of that name")


def _extract(args: argparse.Namespace) -> None:
    with phase(IMPORTS):
        from extract.prepare import find_dataset, prepare

    options = options_from(args)
    single_backbones = options.for_each_backbone()  # finds mistakes before anything is read
    with ConsoleProgress(args.quiet) as progress:
        predictor = _check_export(args, options, progress)
        dataset = find_dataset(options, progress, advise=use_option)
        results = [prepare(dataset, single, progress) for single in single_backbones]
        exported = None
        if args.export is not None:
            from extract.embedding_files.export import export

            exported = export(
                results[0],
                args.export,
                predictor=predictor,
                overwrite=args.force,
                progress=progress,
            )
    if args.json:
        summaries = [prepared.summary() for prepared in results]
        if exported is not None:
            summaries[0]["export"] = {"file": str(args.export), "rows": len(exported)}
        summaries[0]["phases"] = spent()
        print(json.dumps(summaries if len(results) > 1 else summaries[0]))
    elif not args.quiet:
        for prepared in results:
            _print_summary(prepared)
        if exported is not None:
            rows, numbers = plural(len(exported), "row"), plural(exported.n_features, "number")
            print(printable(f"exported: {rows} with embeddings of {numbers} to {args.export}"))
        _print_next_step(results[-1])


def _check_export(
    args: argparse.Namespace, options: Options, progress: Progress
) -> Predictor | None:
    """Check what a file of embeddings needs before anything is computed; open the model."""
    if args.export is None:
        for setting, given in (("run", args.run), ("clf", args.clf), ("force", args.force)):
            if given:
                raise DataError(
                    "this is about a file of embeddings, and none is to be written; name the file, "
                    "or leave it out",
                    setting=setting,
                )
        return None
    from extract.embedding_files.export import check_target, open_predictor

    if len(options.for_each_backbone()) > 1:
        raise DataError(
            f"a file has the embeddings of one backbone, found {options.base.backbone}; export "
            "each to a file of its own",
            setting="export",
        )
    check_target(args.export, overwrite=args.force)
    if args.run is None:
        if args.clf is not None:
            raise DataError("expected the run that has this classifier, found none", setting="run")
        return None
    return open_predictor(
        args.run,
        args.clf,
        cache=options.base.cache,
        reading=options.reading,
        progress=progress,
    )


def _look_over(args: argparse.Namespace) -> None:
    from extract.datasets.overview import look_over
    from extract.prepare import find_dataset

    if args.export is not None:
        raise DataError(
            "nothing is computed in a dry run, so that no file of embeddings can be written",
            setting="export",
        )
    options = options_from(args)
    logging.getLogger("extract.datasets.load").setLevel(logging.WARNING)  # all of it is printed
    with ConsoleProgress(args.quiet) as progress:
        dataset = find_dataset(options, progress, to_split=False, advise=use_option)
        overview = look_over(
            dataset,
            options.reading.max_pixels,
            progress,
            find_groups=not options.data_settings.sources_of_groups,
        )
    if args.json:
        print(json.dumps(overview.to_dict()))
    elif not args.quiet:
        lines = [*overview.lines(), *map(_suggestion, overview.signs)]
        if overview.refusal is not None:
            lines.append(f"refused      without --dry-run: {with_option(overview.refusal, args)}")
        print("\n".join(map(printable, lines)))


def _suggestion(sign: GroupSign) -> str:
    """Return a sign of groups, with the option that keeps them together."""
    if sign.value is None:
        return f"groups?      {sign.sentence()}; --groups takes a table of path,group"
    option = use_option(sign.setting, sign.value).removeprefix("use ")
    return f"groups?      {sign.sentence()}; {option} keeps them together"


def _print_summary(prepared: Prepared) -> None:
    summary, items = prepared.summary(), prepared.dataset.items
    recipe, classes = prepared.base.recipe, prepared.dataset.classes
    calibration = summary["recipe"].get("calibration")
    train = sum(item.split == "train" for item in items)
    line = (
        f"{summary['data']}: {plural(summary['images'], 'file')}, {len(items):,} of them images of "
        f"{', '.join(classes[:6])}{', ...' if len(classes) > 6 else ''}; {train:,} to train and "
        f"{len(items) - train:,} to test ({prepared.dataset.split_origin})"
    )
    print(printable(line))
    groups = summary["groups"]
    if groups is not None:
        print(
            printable(
                f"groups: {groups['number']:,} ({groups['origin']}), {groups['train']:,} to train "
                f"and {groups['test']:,} to test"
            )
        )
    print(
        f"embeddings: {summary['computed']:,} computed, {summary['cached']:,} from the cache, "
        f"{summary['seconds']:.1f} s; recipe {recipe.fingerprint[:12]} "
        f"({recipe.backbone}, {recipe.size} pixels, {recipe.precision}"
        f"{', mean with the flipped image' if recipe.flip else ''}, "
        f"weights {prepared.base.weights.source}, preprocessing {recipe.preprocessing})"
    )
    if calibration is not None:
        print(
            f"int8 was calibrated on {plural(calibration['images'], 'image')} of "
            f"{calibration['source']}, {calibration['in_training_split']:,} of them in this "
            "training split"
        )


def _print_next_step(prepared: Prepared) -> None:
    quarantine = prepared.extraction.quarantine
    if quarantine:
        files = plural(len(quarantine), "file")
        print(f"not used: {files}, listed in {prepared.quarantine_csv}")
        for path, reason in list(quarantine.items())[:_REASONS_SHOWN]:
            print(f"  {str(path)!r}: {reason}")
        if len(quarantine) > _REASONS_SHOWN:
            print(f"  and {len(quarantine) - _REASONS_SHOWN:,} more; quarantine.csv lists them")
    if len(prepared.dataset.classes) < 2:
        print("there is only one class; to train a classifier, add a folder with another one")
    else:
        print("next: python -m classify --clf all, with the same options")


def _list_backbones(args: argparse.Namespace) -> None:
    from cache.location import cache_folder
    from extract.backbones.listing import backbone_table, list_backbones, list_sources
    from extract.engines.speeds import recall_speeds

    cache = cache_folder(args.cache)
    backbones = list_backbones(cache, recall_speeds(cache))
    if args.json:
        print(json.dumps({"backbones": backbones, "sources": list_sources()}))
    else:
        print("\n".join(map(printable, backbone_table(backbones, list_sources()))))
