"""The window. The only room that knows Qt; it shows values of the floors below, never computes with torch."""

from cnnstudio.gui.immortal import make_immortal

make_immortal()
