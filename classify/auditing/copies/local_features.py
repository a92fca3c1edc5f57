"""Local features: points that are found again when a picture is turned, cropped or resized."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from extract.images.resizing import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS, ORIENTATIONS = 4, 8
"""A SIFT descriptor is a histogram of `ORIENTATIONS` in each of `CELLS` x `CELLS` cells."""

_BINS = np.arange(CELLS * CELLS * ORIENTATIONS).reshape(CELLS, CELLS, ORIENTATIONS)
# A mirror image reverses the cells across the point's own direction, and the sense of all angles.
_MIRRORED = _BINS[::-1][:, :, -np.arange(ORIENTATIONS) % ORIENTATIONS].ravel()


@dataclass(frozen=True)
class LocalFeatures:
    """The local features of a picture.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)
        The picture.
    points : ndarray of float32, shape (n, 2)
        Where the features are: x and y in pixels.
    angles : ndarray of float32, shape (n,)
        Their directions in degrees.
    sizes : ndarray of float32, shape (n,)
        Their diameters in pixels.
    descriptors : ndarray of uint8, shape (n, 128)
        What the picture looks like there, relative to direction and size.
    """

    grey: NDArray[np.uint8]
    points: NDArray[np.float32]
    angles: NDArray[np.float32]
    sizes: NDArray[np.float32]
    descriptors: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.points)

    @property
    def nbytes(self) -> int:
        """The bytes that its arrays take."""
        return sum(array.nbytes for array in vars(self).values())

    def mirrored(self) -> LocalFeatures:
        """Return the features of the mirror image, without looking for them again."""
        flipped = self.points.copy()
        flipped[:, 0] = self.grey.shape[1] - 1 - flipped[:, 0]
        return dataclasses.replace(
            self,
            grey=np.ascontiguousarray(self.grey[:, ::-1]),
            points=flipped,
            angles=(180 - self.angles) % 360,
            descriptors=self.descriptors[:, _MIRRORED],
        )


def rooted(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return descriptors as unit vectors whose products compare histograms (Hellinger).

    References
    ----------
    R. Arandjelovic and A. Zisserman, Three Things Everyone Should Know to Improve Object Retrieval,
    CVPR 2012.
    """
    rows = descriptors.astype(np.float32)
    sums = rows.sum(axis=1, keepdims=True)
    roots: NDArray[np.float32] = np.sqrt(rows / np.maximum(sums, 1))
    return roots


def local_features(image: NDArray[np.uint8], n_features: int) -> LocalFeatures:
    """Find the local features of a picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        RGB.
    n_features : int
        Largest number of features; those with the highest contrast are kept.

    Returns
    -------
    LocalFeatures

    References
    ----------
    D. Lowe, Distinctive Image Features from Scale-Invariant Keypoints, IJCV 2004; as in OpenCV.

    Examples
    --------
    >>> blank = np.zeros((64, 64, 3), np.uint8)
    >>> len(local_features(blank, 100))
    0
    """
    cv2 = opencv()
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    keypoints, descriptors = cv2.SIFT_create(n_features).detectAndCompute(grey, None)
    if descriptors is None:
        descriptors = np.empty((0, _MIRRORED.size))
    return LocalFeatures(
        grey,
        np.array([point.pt for point in keypoints], np.float32).reshape(-1, 2),
        np.array([point.angle for point in keypoints], np.float32),
        np.array([point.size for point in keypoints], np.float32),
        descriptors.astype(np.uint8),
    )
