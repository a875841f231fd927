"""Paints a map: points, or thumbnails where there is room, what is chosen, and a card for one image."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPixmap, QPolygonF

from cnnstudio.data.dataset import Pixels
from cnnstudio.gui.dashboard.views.parts.image_map.groups import Groups, Style
from cnnstudio.gui.dashboard.views.parts.image_map.picking import Mask, Places
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_image
from cnnstudio.gui.widgets.qimage import color_image, to_qimage
from cnnstudio.insight.scatter import paint_points

RADIUS = 3.2
"""Of a point, in pixels."""
THUMBNAIL = 32
_MOST_THUMBNAILS = 400
_SHARE_OF_THUMBNAILS = 0.6
"""Of the area of the map, at most, so that they do not hide each other."""
_PALE = 0.22
"""How much of its color a point has that is not chosen while others are."""
_CARD_IMAGE, _CARD_PADDING, _CARD_TEXT = 64, 8, 168
_MAX_PIXMAPS = 512


class MapPainter:
    """The pixels of a map; it keeps no state but images that it has made."""

    def __init__(self) -> None:
        self._pixmaps: OrderedDict[int, QPixmap] = OrderedDict()
        self._order: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self._thumbnails: Pixels = np.zeros((0, 1, 1, 1), np.uint8)

    def show_images(self, thumbnails: Pixels) -> None:
        """The image of each point, uint8 (N, C, H, W)."""
        if thumbnails is not self._thumbnails:
            self._thumbnails = thumbnails
            self._pixmaps.clear()

    def thumbnail(self, row: int) -> QPixmap:
        """The image of a point."""
        if row not in self._pixmaps:
            self._pixmaps[row] = QPixmap.fromImage(to_qimage(self._thumbnails[row]))
            while len(self._pixmaps) > _MAX_PIXMAPS:
                self._pixmaps.popitem(last=False)
        self._pixmaps.move_to_end(row)
        return self._pixmaps[row]

    def points(
        self, size: tuple[int, int], ratio: float, places: Places, visible: Mask, chosen: Mask, groups: Groups
    ) -> QImage:
        """All visible points; those that are not chosen are pale while others are."""
        width, height = (max(round(side * ratio), 1) for side in size)
        ground = theme().color("panel").rgb()
        pixels = np.full((height, width), ground, np.uint32)
        styles, radius = groups.styles(), RADIUS * ratio
        members, spots = groups.members, places * ratio
        if (chosen & visible).any():
            rows = self._rows(visible & ~chosen)
            pale = [(_pale(color), shape) for color, shape in styles]
            paint_points(pixels, spots[rows], members[rows], pale, radius, ground)
            rows, radius = self._rows(visible & chosen), radius * 1.25
        else:
            rows = self._rows(visible)
        paint_points(pixels, spots[rows], members[rows], styles, radius, ground)
        image = color_image(pixels)
        image.setDevicePixelRatio(ratio)
        return image

    def _rows(self, wanted: Mask) -> npt.NDArray[np.intp]:
        """Some points in the order in which they are painted: images are often sorted by class, and the
        last class must not hide all others.
        """
        if len(self._order) != len(wanted):
            self._order = np.random.default_rng(0).permutation(len(wanted))
        return self._order[wanted[self._order]]

    def has_room(self, seen: int, width: int, height: int) -> bool:
        """Whether so many thumbnails can be told apart."""
        area = seen * THUMBNAIL**2
        return seen <= _MOST_THUMBNAILS and area <= _SHARE_OF_THUMBNAILS * width * height

    def paint_thumbnails(
        self,
        painter: QPainter,
        rows: npt.NDArray[np.intp],
        places: Places,
        chosen: Mask,
        groups: Groups,
        styles: Sequence[Style],
    ) -> None:
        """The images of some points, each in a frame of its group's color."""
        any_chosen = bool(chosen.any())
        for row in rows.tolist():
            area = self.thumbnail_rect(places[row])
            is_pale = any_chosen and not chosen[row]
            painter.setOpacity(0.35 if is_pale else 1.0)
            paint_image(painter, area, self.thumbnail(row))
            painter.setPen(QPen(QColor.fromRgb(0xFF000000 | styles[groups.members[row]][0]), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(area.adjusted(-1, -1, 1, 1))
        painter.setOpacity(1.0)

    def thumbnail_rect(self, place: npt.NDArray[np.float64]) -> QRectF:
        """Where the thumbnail of a point is."""
        return QRectF(place[0] - THUMBNAIL / 2, place[1] - THUMBNAIL / 2, THUMBNAIL, THUMBNAIL)

    def paint_ring(self, painter: QPainter, place: npt.NDArray[np.float64], radius: float) -> None:
        """Marks the point that keys act on, or that the mouse is at."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        middle = QPointF(*place)
        painter.setPen(QPen(theme().color("panel"), 4))
        painter.drawEllipse(middle, radius, radius)
        painter.setPen(QPen(theme().color("accent"), 2))
        painter.drawEllipse(middle, radius, radius)

    def paint_path(self, painter: QPainter, path: Places) -> None:
        """The lasso or the rectangle that is being drawn."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        fill = QColor(theme().color("accent"))
        fill.setAlpha(28)
        painter.setBrush(fill)
        painter.setPen(QPen(theme().color("accent"), 1.5))
        painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in path.tolist()]))

    def paint_card(
        self,
        painter: QPainter,
        row: int,
        place: npt.NDArray[np.float64],
        lines: Sequence[str],
        size: tuple[int, int],
    ) -> None:
        """A larger image of a point with a few words, beside the point and within the map."""
        style, small = theme(), text_metrics(theme().font("help"))
        text_width = min(max((small.width(line) for line in lines), default=0), _CARD_TEXT)
        width = _CARD_IMAGE + text_width + 3 * _CARD_PADDING
        height = _CARD_IMAGE + 2 * _CARD_PADDING
        left = place[0] + 14 if place[0] + 14 + width <= size[0] else place[0] - 14 - width
        left = min(max(left, 2), max(size[0] - width - 2, 2))
        top = min(max(place[1] - height / 2, 2), max(size[1] - height - 2, 2))
        card = QRectF(left, top, width, height)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(style.color("border"), 1))
        painter.setBrush(style.color("panel"))
        painter.drawRoundedRect(card, 6, 6)
        image = QRectF(left + _CARD_PADDING, top + _CARD_PADDING, _CARD_IMAGE, _CARD_IMAGE)
        paint_image(painter, image, self.thumbnail(row))
        painter.setFont(small.font)
        for number, line in enumerate(lines):
            painter.setPen(style.color("text" if not number else "secondary"))
            y = small.baseline(image.top() + 9 + 16 * number)
            painter.drawText(QPointF(image.right() + _CARD_PADDING, y), small.elided(line, int(text_width)))


def _pale(color: int) -> int:
    """A color with much of the panel's."""
    ground, mixture = theme().color("panel").rgb(), 0
    for shift in (16, 8, 0):
        front, back = color >> shift & 255, ground >> shift & 255
        mixture = mixture << 8 | round(back + _PALE * (front - back))
    return mixture
